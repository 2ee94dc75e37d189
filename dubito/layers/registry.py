"""Registration of Keras layers under names that files can rely on.

Keras writes a layer's registered name and the module of its class into every file. Both are fixed
here: the module is the public one, whichever file of the source defines the class.
"""

from collections.abc import Callable
from typing import TypeVar

import keras

PACKAGE = "dubito"
"""What registered names begin with: `dubito>MCDropout`."""
MODULE = "dubito.layers"

Layer = TypeVar("Layer", bound=type)


def registered(module: str = MODULE) -> Callable[[Layer], Layer]:
    """Register a layer class with Keras, written to files as a member of `module`."""

    def register(layer: Layer) -> Layer:
        layer.__module__ = module
        keras.saving.register_keras_serializable(PACKAGE)(layer)
        return layer

    return register
