"""Base class of layers defined by one formula, which both Keras and NumPy evaluate.

`compute` receives the array namespace (`keras.ops` or `numpy`) and may use only names that both
have. The NumPy backend therefore cannot deviate from the trained layer.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

Tensor: TypeAlias = keras.KerasTensor | NDArray[np.floating]
"""Tensor of Keras, or array of NumPy, whichever evaluates a formula."""


class FormulaLayer(keras.layers.Layer):
    """A layer without weights whose output is one formula of its inputs."""

    @property
    def formula(self) -> Callable[..., Tensor]:
        """The callable that evaluates the formula: `compute`, or one that needs no Keras."""
        return self.compute

    def compute(self, xp: ModuleType, *inputs: Tensor) -> Tensor:
        """Evaluate the formula in the namespace `xp`, for any leading axes."""
        formula = self.formula
        if formula == self.compute:
            raise NotImplementedError
        return formula(xp, *inputs)

    def call(self, inputs: Tensor | Sequence[Tensor]) -> Tensor:
        """Evaluate the formula when Keras calls the layer with one tensor or a list of them."""
        given = inputs if isinstance(inputs, list | tuple) else (inputs,)
        return self.compute(keras.ops, *given)
