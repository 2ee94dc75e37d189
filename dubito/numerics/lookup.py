"""Formulas that choose columns, and that turn tokens and numbers into the indices of embeddings.

None of them rounds, so NumPy, Keras and the native kernel give the same numbers. This module does
not import Keras.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dubito.numerics.kernels import Array


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """A formula that takes some columns of a row."""

    indices: Array
    """`(M,)` places of the columns."""

    @classmethod
    def of(cls, indices: Sequence[int]) -> "Selection":
        """Build the formula from the places of the columns."""
        return cls(np.array(indices, np.int32))

    def __call__(self, xp: Any, rows: Any) -> Any:
        """Take the columns of rows: `(…, F)` → `(…, M)`."""
        return xp.take(rows, self.indices, axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class TokenLookup:
    """A formula that gives each of `K` known numbers its index, and all others one of their own."""

    keys: Array
    """`(K,)` known numbers, ascending."""
    indices: Array
    """`(K,)` index of each."""
    unknown: Array
    """Index of any other number, without axes."""

    @classmethod
    def of(
        cls, keys: Sequence[float], indices: Sequence[float], unknown: float, dtype: str
    ) -> "TokenLookup":
        """Build the formula from the known numbers, ascending, and their indices."""
        return cls(np.array(keys, dtype), np.array(indices, dtype), np.array(unknown, dtype))

    def __call__(self, xp: Any, values: Any) -> Any:
        """Look numbers `(…,)` up; the output has their shape."""
        at = xp.minimum(_places(xp, self.keys, values, "left"), len(self.keys) - 1)
        is_known = xp.take(self.keys, at) == values
        return xp.where(is_known, xp.take(self.indices, at), self.unknown)


@dataclass(frozen=True, slots=True, eq=False)
class Binning:
    """A formula that gives a number the index of its bin, from 0; a bin has its lower boundary."""

    boundaries: Array
    """`(B,)` boundaries between bins, ascending."""

    @classmethod
    def of(cls, boundaries: Sequence[float], dtype: str) -> "Binning":
        """Build the formula from the boundaries, ascending."""
        return cls(np.array(boundaries, dtype))

    def __call__(self, xp: Any, values: Any) -> Any:
        """Find the bins of numbers `(…,)`; the output has their shape and dtype."""
        bins = np.arange(len(self.boundaries) + 1, dtype=self.boundaries.dtype)
        return xp.take(bins, _places(xp, self.boundaries, values, "right"))


def _places(xp: Any, ascending: Array, values: Any, side: str) -> Any:
    """Return where numbers `(…,)` would stand in a list; TensorFlow takes one axis only."""
    found = xp.searchsorted(ascending, xp.reshape(values, (-1,)), side=side)
    return xp.reshape(found, xp.shape(values))
