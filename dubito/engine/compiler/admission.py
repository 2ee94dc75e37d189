"""Admits layers to the engine: those of Keras that are on one of two lists, and our own."""

import keras

from dubito.engine.compiler.lowering import is_keras
from dubito.engine.lowering import KERNELS
from dubito.engine.plan import PlanStep
from dubito.errors import NetworkError
from dubito.layers.attention import MaskedAttention
from dubito.layers.formula import FormulaLayer
from dubito.layers.recurrent import RECURRENT_LAYERS, Ones

FIXED_SHAPE = frozenset(
    {
        "Average",
        "AveragePooling1D",
        "AveragePooling2D",
        "Conv1D",
        "Conv2D",
        "ELU",
        "GlobalAveragePooling1D",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling1D",
        "GlobalMaxPooling2D",
        "GroupNormalization",
        "LayerNormalization",
        "LeakyReLU",
        "MaxPooling1D",
        "MaxPooling2D",
        "PReLU",
        "Permute",
        "RepeatVector",
        "UnitNormalization",
    }
)
"""Class names of Keras layers that only the TensorFlow backend runs."""
OWN = (FormulaLayer, Ones, MaskedAttention, *RECURRENT_LAYERS)
"""Layers of Dubito that are not random."""


def check_layer(step: PlanStep) -> None:
    """Reject a layer that is on neither list of allowed layers, or works across rows.

    Raises:
        NetworkError: the layer is not known to be free of randomness and side effects.
    """
    layer = step.layer
    if step.call is not None or isinstance(layer, OWN):
        return
    if not is_keras(layer, KERNELS.keys() | FIXED_SHAPE):
        raise NetworkError(
            f"layer {layer.name} is of class {type(layer).__name__}, which the engine does not run"
        )
    activation = getattr(layer, "activation", None)
    if activation is not None and not activation.__module__.startswith("keras."):
        raise NetworkError(f"layer {layer.name} has an activation that is not Keras' own")
    axes = getattr(layer, "axis", -1)
    rank = len(layer.output.shape) if hasattr(layer, "output") else 2
    if any(axis in (0, -rank) for axis in keras.tree.flatten(axes)):
        raise NetworkError(f"layer {layer.name} works across rows, which must stay independent")
