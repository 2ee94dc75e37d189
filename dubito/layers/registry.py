"""Registers Keras layers under stable names, so that saved files stay loadable.

Keras writes a layer's registered name and the module of its class into every file. Both are fixed
here: the module is the public one, whichever file of the source defines the class.
"""

from collections.abc import Callable
from typing import TypeVar

import keras

PACKAGE = "dubito"
"""Prefix of registered names, as in `dubito>MCDropout`."""
MODULE = "dubito.layers"

Layer = TypeVar("Layer", bound=type)


def registered(module: str = MODULE) -> Callable[[Layer], Layer]:
    """Return a decorator that registers a layer class, saved as a member of `module`."""

    def register(layer: Layer) -> Layer:
        layer.__module__ = module
        keras.saving.register_keras_serializable(PACKAGE)(layer)
        return layer

    return register
