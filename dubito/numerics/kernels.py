"""Kernels: layers as NumPy functions of arrays `(N, L, P, …)` = rows, blocks, passes, units.

Every kernel is batch-invariant: its result for a block depends on that block alone, to the last
bit. Elementwise arithmetic is always so; sums run along a row's own units; and a matrix product is
computed block by block, each in the same shape (NumPy calls BLAS once a block). Layers without a
kernel run on `dubito.engine.backends.tensorflow` instead. This module does not import Keras:
`dubito.engine.compiler.lowering` maps layers to kernels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Kernel = Callable[..., Array]
FormulaFunction = Callable[..., Any]
"""A function of an array namespace, such as `numpy` or `keras.ops`, and of arrays."""

LEAST_ODDS = 1e-12
"""Odds of a class without candidates, so that their logarithm is finite."""
FEW_UNITS = 32
"""Most units for which a reduction is faster unit by unit."""


def relu(x: Array) -> Array:
    """Compute max(x, 0)."""
    return np.maximum(x, x.dtype.type(0))


def elu(x: Array, alpha: float = 1.0) -> Array:
    """Compute x where positive, alpha · (eˣ − 1) elsewhere (Clevert et al. 2016)."""
    return np.where(x > 0, x, x.dtype.type(alpha) * np.expm1(np.minimum(x, 0)))


def selu(x: Array) -> Array:
    """Compute scaled ELU (Klambauer et al. 2017)."""
    return x.dtype.type(1.0507009873554805) * elu(x, 1.6732632423543772)


def sigmoid(x: Array) -> Array:
    """Compute 1 / (1 + e⁻ˣ), from e^(−|x|), which cannot overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def silu(x: Array) -> Array:
    """Compute x · sigmoid(x)."""
    return x * sigmoid(x)


def softplus(x: Array) -> Array:
    """Compute log(1 + eˣ)."""
    return np.logaddexp(x, x.dtype.type(0))


def softmax(x: Array) -> Array:
    """Compute eˣ divided by its sum along the last axis."""
    exponentials = np.exp(x - over_units(np.maximum, x))
    exponentials /= over_units(np.add, exponentials)
    return exponentials


def over_units(function: np.ufunc, x: Array) -> Array:
    """Reduce along the last axis, in the order of units, to an axis of length 1.

    NumPy would reduce the few units of one pass after another; this reduces all passes at a time.
    """
    if x.shape[-1] > FEW_UNITS:
        return function.reduce(x, axis=-1, keepdims=True)
    found = x[..., :1].copy()
    for unit in range(1, x.shape[-1]):
        function(found, x[..., unit : unit + 1], out=found)
    return found


def linear(x: Array) -> Array:
    """Return x unchanged."""
    return x


ACTIVATION_KERNELS: dict[str, Kernel] = {
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
"""Kernels of activations, by Keras' name."""


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """Inputs times kernel, block by block, plus bias, then the activation."""

    kernel: Array
    """`(inputs, units)` weights."""
    bias: Array
    """`(units,)` offsets, or 0."""
    activate: Kernel

    def __call__(self, x: Array) -> Array:
        """Map inputs `(…, inputs)` to `(…, units)`."""
        out = np.matmul(x, self.kernel)
        out += self.bias
        if self.activate is relu:
            # In place, with one zero a unit: NumPy takes twice as long with a scalar zero.
            return np.maximum(out, np.zeros_like(self.bias), out=out)
        return self.activate(out)


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Inputs times a factor plus an offset, `(U,)` each."""

    factor: Array
    offset: Array

    def __call__(self, x: Array) -> Array:
        """Map inputs `(…, U)` to `(…, U)`."""
        return x * self.factor + self.offset


@dataclass(frozen=True, slots=True, eq=False)
class Standardize:
    """Inputs minus mean, divided by standard deviation, `(U,)` each."""

    mean: Array
    deviation: Array

    def __call__(self, x: Array) -> Array:
        """Map inputs `(…, U)` to `(…, U)`."""
        return (x - self.mean) / self.deviation


@dataclass(frozen=True, slots=True, eq=False)
class Gather:
    """The rows of a table at given indices, as an embedding has them."""

    table: Array
    """`(K, D)` weights."""

    def __call__(self, x: Array) -> Array:
        """Map indices `(…, M)`, each from 0 to K − 1, to `(…, M, D)`."""
        found: Array = self.table[x.astype(np.int32)]
        return found


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same numbers in another shape."""

    axes: int
    """Number of the input's axes without the leading three."""
    shape: tuple[int, ...]
    """The output's axes without those."""

    def __call__(self, x: Array) -> Array:
        """Map inputs `(…, *axes)` to `(…, *shape)`."""
        return x.reshape(*x.shape[: x.ndim - self.axes], *self.shape)


@dataclass(frozen=True, slots=True)
class Merge:
    """An elementwise function of two or more inputs, applied from left to right."""

    function: np.ufunc

    def __call__(self, *xs: Array) -> Array:
        """Merge inputs `(…, U)` to one output `(…, U)`."""
        found: Array = reduce(self.function, xs)
        return found


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula for any array namespace, applied with NumPy's; see `dubito.layers.formula`."""

    formula: FormulaFunction

    def __call__(self, *xs: Array) -> Array:
        """Evaluate the formula."""
        found: Array = self.formula(np, *xs)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Fill:
    """A formula that replaces NaN by a constant of the column."""

    constants: Array
    """`(F,)` constants by column, NaN in columns that are never filled."""

    @classmethod
    def of(cls, values: Sequence[float | None], dtype: str) -> "Fill":
        """Build the formula from one constant a column, None for a column that is never filled."""
        return cls(np.array([np.nan if value is None else value for value in values], dtype))

    def __call__(self, xp: Any, rows: Any) -> Any:
        """Fill rows `(…, F)`."""
        return xp.where(xp.isnan(rows), self.constants, rows)


@dataclass(frozen=True, slots=True)
class Mixture:
    """A formula of class probabilities from scored candidates, and logits of a classifier.

    Inputs are candidates `(…, M, W)`, whose first C numbers are the one-hot class, their scores
    `(…, M, 1)`, and logits `(…, C)`. A class' odds are the sum of exp(score) over its candidates
    plus exp(logit), to the power of 1/temperature (Guo et al. 2017, equation 9).
    """

    temperature: float
    """Divisor of the log odds; above 1, probabilities are less certain."""

    def __call__(self, xp: Any, candidates: Any, scores: Any, logits: Any) -> Any:
        """Compute `(…, M, W)`, `(…, M, 1)`, `(…, C)` → `(…, C)`."""
        classes = candidates[..., : logits.shape[-1]]
        scores = scores[..., 0]
        top = xp.maximum(
            xp.max(scores, axis=-1, keepdims=True), xp.max(logits, axis=-1, keepdims=True)
        )
        weights = xp.exp(scores - top)
        found = xp.matmul(weights[..., None, :], classes)[..., 0, :]
        odds = xp.log(found + xp.exp(logits - top) + LEAST_ODDS) / self.temperature
        odds = xp.exp(odds - xp.max(odds, axis=-1, keepdims=True))
        return odds / xp.sum(odds, axis=-1, keepdims=True)


def concatenate(*xs: Array) -> Array:
    """Concatenate along the last axis; inputs that are equal in all passes are broadcast."""
    leading = np.broadcast_shapes(*(x.shape[:-1] for x in xs))
    whole = [np.broadcast_to(x, leading + x.shape[-1:]) for x in xs]
    return np.concatenate(whole, axis=-1)
