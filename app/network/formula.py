"""Layers that are a formula: written once, run by Keras and by NumPy alike.

`compute` gets the namespace to compute in (`keras.ops` or `numpy`, whose names agree) and may use
only what both have. So the fast execution cannot drift from the trained layer.
"""

from typing import Any

import keras


class FormulaLayer(keras.layers.Layer):
    """A layer without weights whose output is one formula of its input."""

    def compute(self, xp: Any, inputs: Any) -> Any:
        """The formula, elementwise over all leading axes, in the namespace `xp`."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """Keras' way in."""
        return self.compute(keras.ops, inputs)
