"""Lowering: translates layers to NumPy kernels, from their class, settings and weights alone.

Keras' own objects and a bundle's `config.json` both give these records, so that a network computes
the same whether Keras has read it or not. This module does not import Keras.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dubito.layer_shapes import LayerSettings, Shape
from dubito.numerics.kernels import (
    ACTIVATION_KERNELS,
    Affine,
    Array,
    Dense,
    Formula,
    FormulaFunction,
    Gather,
    Kernel,
    Merge,
    Reshape,
    Standardize,
    concatenate,
    linear,
    relu,
    softmax,
)

EPSILON = 1e-7
"""Least standard deviation that Normalization divides by, as in Keras."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerRecord:
    """One call of a layer: all that its kernel depends on."""

    kind: str
    """Class name of Keras' layer; lower-case for an operator, as in `add` for `x + y`."""
    settings: LayerSettings
    """The layer's `config`, as files contain it."""
    weights: tuple[Array, ...]
    """Weights in the order in which Keras saves them."""
    dtype: str
    """Dtype of the layer's arithmetic."""
    shapes: tuple[Shape, ...]
    """Shapes of the inputs, without the batch axis."""
    formula: FormulaFunction | None = None
    """The formula of a layer that is one."""


def kernel_of(layer: LayerRecord) -> Kernel | None:
    """Return the kernel of a layer; None if it has none."""
    if layer.formula is not None:
        return Formula(layer.formula)
    translate = KERNELS.get(layer.kind) or OPERATORS.get(layer.kind)
    return None if translate is None else translate(layer)


def dense(layer: LayerRecord) -> Kernel | None:
    """Translate Dense: activation(inputs · kernel + bias); None without the activation's kernel."""
    activate = _activation_of(layer.settings["activation"])
    if activate is None or len(layer.weights) != 1 + layer.settings["use_bias"]:
        return None
    kernel, *bias = layer.weights
    return Dense(
        np.ascontiguousarray(kernel), bias[0] if bias else np.zeros((), kernel.dtype), activate
    )


def activation(layer: LayerRecord) -> Kernel | None:
    """Translate Activation."""
    return _activation_of(layer.settings["activation"])


def softmax_layer(layer: LayerRecord) -> Kernel | None:
    """Translate Softmax along the last axis; None for another axis."""
    return softmax if layer.settings["axis"] in (-1, [-1]) else None


def plain_relu(layer: LayerRecord) -> Kernel | None:
    """Translate ReLU; None if it has a slope, threshold or maximum."""
    settings = layer.settings
    plain = (settings["max_value"], settings["negative_slope"], settings["threshold"])
    return relu if plain == (None, 0, 0) else None


def batch_normalization(layer: LayerRecord) -> Kernel | None:
    """Translate BatchNormalization to its affine map (Ioffe & Szegedy 2015, alg. 2).

    The map is that of inference, from the moving statistics. None if the axis is not the last.
    """
    settings = layer.settings
    if not _is_last(settings["axis"], layer):
        return None
    scale, center = settings["scale"], settings["center"]
    *own, mean, variance = layer.weights
    factor = 1 / np.sqrt(variance + variance.dtype.type(settings["epsilon"]))
    factor = factor * own[0] if scale else factor
    offset = -mean * factor + (own[-1] if center else 0)
    return Affine(factor, offset)


def normalization(layer: LayerRecord) -> Kernel | None:
    """Translate Normalization, (inputs − mean) / deviation, or its inverse.

    None if the axis is not the last.
    """
    settings = layer.settings
    axes = settings["axis"]
    (axis,) = axes if isinstance(axes, list | tuple) and len(axes) == 1 else (axes,)
    if not _is_last(axis, layer):
        return None
    if layer.weights:
        mean, variance = layer.weights[:2]
    else:
        # Keras rounds numbers to its default dtype before it converts them to the layer's.
        mean, variance = (
            np.atleast_1d(np.asarray(settings[name], np.float32)).astype(layer.dtype)
            for name in ("mean", "variance")
        )
    deviation = np.maximum(np.sqrt(variance), variance.dtype.type(EPSILON))
    if settings["invert"]:
        return Affine(deviation.ravel(), mean.ravel())
    return Standardize(mean.ravel(), deviation.ravel())


def rescaling(layer: LayerRecord) -> Kernel | None:
    """Translate Rescaling, inputs · scale + offset; None unless both are numbers or lists of them.

    Keras writes arrays as descriptions, which may have other axes than the last.
    """
    given = [np.asarray(layer.settings[name]) for name in ("scale", "offset")]
    if any(one.ndim > 1 or one.dtype.kind not in "fi" for one in given):
        return None
    scale, offset = (one.astype(layer.dtype) for one in given)
    return Affine(scale, offset)


def concatenation(layer: LayerRecord) -> Kernel | None:
    """Translate Concatenate along the last axis; None for another axis."""
    return concatenate if layer.settings["axis"] == -1 else None


def embedding(layer: LayerRecord) -> Kernel:
    """Translate Embedding: the row of the table at each index."""
    (table,) = layer.weights
    return Gather(np.ascontiguousarray(table))


def flattened(layer: LayerRecord) -> Kernel | None:
    """Translate Flatten; None if it changes the order of the numbers first."""
    (shape,) = layer.shapes
    if layer.settings["data_format"] == "channels_first" and len(shape) > 1:
        return None
    return Reshape(len(shape), (math.prod(shape),))


def reshaped(layer: LayerRecord) -> Kernel:
    """Translate Reshape, in which one length may be −1 for what is left."""
    (shape,) = layer.shapes
    target = list(layer.settings["target_shape"])
    if -1 in target:
        at = target.index(-1)
        target[at] = math.prod(shape) // (-1 * math.prod(target))
    return Reshape(len(shape), tuple(target))


def merge(function: np.ufunc) -> Callable[[LayerRecord], Kernel]:
    """Make the translation of a layer that merges two or more inputs elementwise."""
    return lambda _: Merge(function)


def identity(_: LayerRecord) -> Kernel:
    """Translate a layer that does nothing in inference."""
    return linear


KERNELS: dict[str, Callable[[LayerRecord], Kernel | None]] = {
    "Dense": dense,
    "Activation": activation,
    "ReLU": plain_relu,
    "Softmax": softmax_layer,
    "BatchNormalization": batch_normalization,
    "Normalization": normalization,
    "Rescaling": rescaling,
    "Concatenate": concatenation,
    "Embedding": embedding,
    "Flatten": flattened,
    "Reshape": reshaped,
    "Add": merge(np.add),
    "Subtract": merge(np.subtract),
    "Multiply": merge(np.multiply),
    "Maximum": merge(np.maximum),
    "Minimum": merge(np.minimum),
    "Identity": identity,
    "ActivityRegularization": identity,
}
"""Translations of Keras' layers, by class name; each has a batch-invariance test."""
OPERATORS: dict[str, Callable[[LayerRecord], Kernel | None]] = {
    "add": merge(np.add),
    "subtract": merge(np.subtract),
    "multiply": merge(np.multiply),
}
"""Translations of the operators that Keras writes for `x + y`, `x - y` and `x * y`."""


def _activation_of(name: Any) -> Kernel | None:
    """Return the kernel of an activation; None if it has none, or is not Keras' own.

    Files and `get_config` name Keras' own activations by a text, and describe others.
    """
    return ACTIVATION_KERNELS.get(name) if isinstance(name, str) else None


def _is_last(axis: int, layer: LayerRecord) -> bool:
    """Return whether an axis, which Keras counts with the batch axis, is the last."""
    (shape,) = layer.shapes
    return axis in (-1, len(shape))
