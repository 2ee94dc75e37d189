"""Layers as NumPy functions of blocks: arrays `(N, L, P, …)` = rows, their blocks, passes, units.

Every kernel here is batch-invariant: what it computes for a block depends on that block alone, to
the last bit. Elementwise arithmetic is so by nature; sums run along a row's own units; and a matrix
product is taken block by block, each in the same shape (NumPy calls BLAS once a block). A layer
without a kernel is run by `dubito.engine.backends.tensorflow` instead. There is no Keras in here: which kernel a
layer has is said in `dubito.engine.compiler.lowering`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """Inputs times kernel, block by block, plus bias, through the activation."""

    kernel: Array
    """`(inputs, units)`"""
    bias: Array
    """`(units,)`, or 0."""
    activate: Kernel

    def __call__(self, x: Array) -> Array:
        """`(…, inputs)` to `(…, units)`."""
        out = np.matmul(x, self.kernel)
        out += self.bias
        if self.activate is relu:
            # In place, and with as many zeros as units: NumPy takes twice as long with one.
            return np.maximum(out, np.zeros_like(self.bias), out=out)
        return self.activate(out)


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Inputs times a factor, plus an offset, unit by unit."""

    factor: Array
    offset: Array

    def __call__(self, x: Array) -> Array:
        """`(…, U)` to the same."""
        return x * self.factor + self.offset


@dataclass(frozen=True, slots=True, eq=False)
class Standardize:
    """Inputs less mean, over standard deviation."""

    mean: Array
    deviation: Array

    def __call__(self, x: Array) -> Array:
        """`(…, U)` to the same."""
        return (x - self.mean) / self.deviation


@dataclass(frozen=True, slots=True)
class Merge:
    """A function of two or more inputs, from left to right."""

    function: np.ufunc

    def __call__(self, *xs: Array) -> Array:
        """`(…, U)` each, to one."""
        found: Array = reduce(self.function, xs)
        return found


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that is written for any namespace, in NumPy's; see `dubito.layers.formula`."""

    formula: Callable[..., Any]

    def __call__(self, *xs: Array) -> Array:
        """As the formula says."""
        found: Array = self.formula(np, *xs)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Fill:
    """A formula: constants in place of what is missing."""

    constants: Array
    """`(F,)`, NaN where nothing is."""

    def __call__(self, xp: Any, rows: Any) -> Any:
        """`(…, F)` to the same."""
        return xp.where(xp.isnan(rows), self.constants, rows)


def concatenate(*xs: Array) -> Array:
    """Side by side along the last axis; what is the same in all passes is repeated."""
    leading = np.broadcast_shapes(*(x.shape[:-1] for x in xs))
    whole = [np.broadcast_to(x, leading + x.shape[-1:]) for x in xs]
    return np.concatenate(whole, axis=-1)
