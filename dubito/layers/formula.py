"""Layers that are a formula: written once, run by Keras and by NumPy alike.

`compute` gets the namespace to compute in (`keras.ops` or `numpy`, whose names agree) and may use
only what both have. So the fast execution cannot drift from the trained layer.
"""

from collections.abc import Callable
from typing import Any

import keras


class FormulaLayer(keras.layers.Layer):
    """A layer without weights whose output is one formula of its inputs."""

    portable = False
    """Whether `formula` is something that a process without Keras can read."""

    @property
    def formula(self) -> Callable[..., Any]:
        """`compute`, or what it calls."""
        return self.compute

    def compute(self, xp: Any, *inputs: Any) -> Any:
        """The formula, over all leading axes alike, in the namespace `xp`."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """Keras' way in, with one tensor or a list of them."""
        given = inputs if isinstance(inputs, list | tuple) else (inputs,)
        return self.compute(keras.ops, *given)
