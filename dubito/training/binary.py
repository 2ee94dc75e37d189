"""Extends a one-unit sigmoid network to two classes: output p becomes `(1 − p, p)`."""

from typing import Any

import keras
import numpy as np

from dubito.engine.compiler.flattening import flatten
from dubito.errors import NetworkError

NAME = "both_classes"
"""Name of the added layer."""


def with_both_classes(model: keras.Model) -> keras.Model:
    """Return the network with one more layer, which outputs `(1 − p, p)`: `(N, 1)` to `(N, 2)`.

    The layer computes in float64, where 1 − p is exact for a float32 p of at least 2⁻²⁹, so that
    the two probabilities, and their means, sum to 1 without the rounding error of float32.

    Raises:
        NetworkError: the last layer is not a sigmoid.
    """
    last = flatten(model).outlet
    if getattr(last, "activation", None) is not keras.activations.sigmoid:
        raise NetworkError(_fault(last))
    both = keras.layers.Dense(2, dtype="float64", trainable=False, name=NAME)
    whole = keras.Model(model.inputs, both(model.outputs[0]))
    both.set_weights([np.array([[-1.0, 1.0]]), np.array([1.0, 0.0])])
    return whole


def _fault(last: Any) -> str:
    activation = getattr(last, "activation", None)
    if isinstance(last, keras.layers.Softmax) or activation is keras.activations.softmax:
        return f"layer {last.name} is a softmax over one unit, which is always 1: train a sigmoid"
    return (
        f"layer {last.name} gives one number a row that is no sigmoid's: add "
        "--logits if it is a logit"
    )
