"""One sigmoid unit as two classes: its output p is the second's probability, 1 − p the first's."""

from typing import Any

import keras
import numpy as np

from dubito.engine.compiler.plan import plan
from dubito.errors import NetworkError

NAME = "both_classes"
"""Of the layer that is added."""


def with_both_classes(model: keras.Model) -> keras.Model:
    """The network with a layer on top that answers `(1 − p, p)`.

    The layer computes in float64, where 1 − p is exact for a p in float32 from 2⁻²⁹ on, so that the
    two and their means sum to 1 without the rounding of float32.

    Raises:
        NetworkError: its last layer is no sigmoid.
    """
    last = plan(model).outlet
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
        "keras.layers.Activation('sigmoid') if it is a logit, and save it again"
    )
