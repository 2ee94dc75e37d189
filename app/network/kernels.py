"""Layers as NumPy functions of blocks: arrays `(N, L, P, …)` = rows, their blocks, passes, units.

Every kernel here is batch-invariant: what it computes for a block depends on that block alone, to
the last bit. Elementwise arithmetic is so by nature; sums run along a row's own units; and a matrix
product is taken block by block, each in the same shape (NumPy calls BLAS once a block). A layer
without a kernel is run by `app.network.graph` instead.
"""

from collections.abc import Callable, Container
from functools import reduce
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from app.network.formula import FormulaLayer

Array = NDArray[Any]
Kernel = Callable[..., Array]

FEW_UNITS = 32
"""Units up to which a reduction is faster unit by unit."""


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(x, x.dtype.type(0))


def elu(x: Array, alpha: float = 1.0) -> Array:
    """x where positive, alpha · (eˣ − 1) elsewhere (Clevert et al. 2016)."""
    return np.where(x > 0, x, x.dtype.type(alpha) * np.expm1(np.minimum(x, 0)))


def selu(x: Array) -> Array:
    """Scaled ELU (Klambauer et al. 2017)."""
    return x.dtype.type(1.0507009873554805) * elu(x, 1.6732632423543772)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ), by the side that cannot overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def silu(x: Array) -> Array:
    """x · sigmoid(x)."""
    return x * sigmoid(x)


def softplus(x: Array) -> Array:
    """log(1 + eˣ)."""
    return np.logaddexp(x, x.dtype.type(0))


def softmax(x: Array) -> Array:
    """eˣ over its sum along the last axis."""
    exponentials = np.exp(x - over_units(np.maximum, x))
    exponentials /= over_units(np.add, exponentials)
    return exponentials


def over_units(function: np.ufunc, x: Array) -> Array:
    """A reduction along the last axis, kept as an axis of length 1, from the first unit on.

    NumPy reduces the few units of one pass after the other; this takes all passes at a time.
    """
    if x.shape[-1] > FEW_UNITS:
        return function.reduce(x, axis=-1, keepdims=True)
    found = x[..., :1].copy()
    for unit in range(1, x.shape[-1]):
        function(found, x[..., unit : unit + 1], out=found)
    return found


def linear(x: Array) -> Array:
    """x."""
    return x


ACTIVATIONS: dict[str, Kernel] = {
    "linear": linear,
    "relu": relu,
    "elu": elu,
    "selu": selu,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "silu": silu,
    "softplus": softplus,
    "softmax": softmax,
    "exponential": np.exp,
}
"""By Keras' name."""


def activation_of(function: Any) -> Kernel | None:
    """The NumPy counterpart of a Keras activation, if there is one.

    By identity: a function of one's own may share a name with one of Keras'.
    """
    known = (name for name in ACTIVATIONS if keras.activations.get(name) is function)
    return ACTIVATIONS.get(next(known, ""))


def dense(layer: Any) -> Kernel | None:
    """Inputs times kernel, block by block, plus bias, through the activation."""
    activate = activation_of(layer.activation)
    kernel = np.ascontiguousarray(layer.kernel)
    bias = np.asarray(layer.bias) if layer.use_bias else kernel.dtype.type(0)
    if activate is None:
        return None

    def run(x: Array) -> Array:
        out = np.matmul(x, kernel)
        out += bias
        return activate(out)

    return run


def activation(layer: Any) -> Kernel | None:
    """An activation by itself."""
    return activation_of(layer.activation)


def softmax_layer(layer: Any) -> Kernel | None:
    """Softmax along the last axis only."""
    return softmax if layer.axis in (-1, [-1]) else None


def plain_relu(layer: Any) -> Kernel | None:
    """ReLU without a slope, threshold or ceiling of its own."""
    plain = (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0, 0)
    return relu if plain else None


def batch_normalization(layer: Any) -> Kernel | None:
    """The affine map of inference, from the moving statistics (Ioffe & Szegedy 2015, alg. 2)."""
    if layer.axis not in (-1, len(layer.moving_mean.shape)):
        return None
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    factor = 1 / np.sqrt(variance + variance.dtype.type(layer.epsilon))
    factor = factor * np.asarray(layer.gamma) if layer.scale else factor
    offset = -mean * factor + (np.asarray(layer.beta) if layer.center else 0)
    return lambda x: x * factor + offset


def normalization(layer: Any) -> Kernel | None:
    """Inputs less mean, over standard deviation; along the last axis only."""
    if layer.invert or layer.axis not in ((-1,), (1,)):
        return None
    mean, variance = np.asarray(layer.mean).ravel(), np.asarray(layer.variance).ravel()
    deviation = np.maximum(np.sqrt(variance), variance.dtype.type(keras.config.epsilon()))
    return lambda x: (x - mean) / deviation


def concatenate(layer: Any) -> Kernel | None:
    """Side by side along the last axis; what is the same in all passes is repeated."""
    if layer.axis != -1:
        return None
    return lambda *xs: np.concatenate(_same_passes(xs), axis=-1)


def _same_passes(arrays: tuple[Array, ...]) -> list[Array]:
    leading = np.broadcast_shapes(*(array.shape[:-1] for array in arrays))
    return [np.broadcast_to(array, leading + array.shape[-1:]) for array in arrays]


def merge(function: Callable[[Array, Array], Array]) -> Callable[[Any], Kernel]:
    """A merge of two or more inputs, from left to right."""
    return lambda _: lambda *xs: reduce(function, xs)


def identity(_: Any) -> Kernel:
    """What does nothing in a prediction."""
    return linear


KERNELS: dict[str, Callable[[Any], Kernel | None]] = {
    "Dense": dense,
    "Activation": activation,
    "ReLU": plain_relu,
    "Softmax": softmax_layer,
    "BatchNormalization": batch_normalization,
    "Normalization": normalization,
    "Concatenate": concatenate,
    "Add": merge(np.add),
    "Subtract": merge(np.subtract),
    "Multiply": merge(np.multiply),
    "Maximum": merge(np.maximum),
    "Minimum": merge(np.minimum),
    "Identity": identity,
    "ActivityRegularization": identity,
}
"""Keras' own layers and operators by class name; each stands in the batch-invariance test."""


OPERATORS = frozenset({"Add", "Subtract", "Multiply"})
"""What `x + y`, `x - y` and `x * y` of Keras tensors are."""


def kernel_of(layer: Any) -> Kernel | None:
    """The kernel of a layer as it is configured, or None where it has none."""
    if isinstance(layer, FormulaLayer):
        return lambda *xs: layer.compute(np, *xs)
    return KERNELS[type(layer).__name__](layer) if is_keras(layer, KERNELS) else None


def is_keras(layer: Any, names: Container[str]) -> bool:
    """Whether a layer is Keras' own, of one of these classes, or an arithmetic operator."""
    kind = type(layer)
    if not isinstance(layer, keras.layers.Layer):
        return kind.__module__ == "keras.src.ops.numpy" and kind.__name__ in OPERATORS
    return kind.__module__.startswith("keras.") and kind.__name__ in names
