"""The formula that encodes rows of mixed features as numbers for a network, without Keras.

A number enters as it is or as a signed logarithm and, if it has edges, as its piecewise-linear
encoding (Gorishniy et al. 2022, equation 1): one number for each piece between them, the share of
it that is below. A category enters as one number for each of its slots (one-hot, as in TabM,
Gorishniy et al. 2025), and a gap in a number both as a constant and as a number of its own that
says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np

from dubito.numerics.kernels import Array

InputKind = Literal["number", "log", "category"]
INPUT_KINDS: tuple[InputKind, ...] = get_args(InputKind)
VALUE, LOG, MISSING, SLOT, PIECE = range(5)
"""Modes of an output: the value, its signed log, whether it is missing, whether it is a slot, or
the share of a piece that is below it."""


@dataclass(frozen=True, slots=True)
class InputEncoding:
    """How one column of a row is encoded."""

    kind: InputKind = "number"
    slots: int = 0
    """Number of slots of a category, its own for unknown or missing ones included; else 0."""
    imputed: float | None = None
    """Number that replaces a missing value; None if none is missing."""
    edges: tuple[float, ...] = ()
    """Ends of the pieces of a number, ascending, two or more; empty for one without pieces."""

    @property
    def outputs(self) -> list[tuple[int, float, float]]:
        """What each output is, the slot or the lower edge that it stands for, and the upper."""
        if self.kind == "category":
            return [(SLOT, float(slot), 0.0) for slot in range(self.slots)]
        pieces = [(PIECE, lower, upper) for lower, upper in pairwise(self.edges)]
        value = LOG if self.kind == "log" else VALUE
        missing = [] if self.imputed is None else [(MISSING, 0.0, 0.0)]
        return [(value, 0.0, 0.0), *missing, *pieces]


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Rows `(…, F)` to `M` numbers each, `(…, M)`; `(M,)` constants for each output."""

    columns: Array
    """Index of the column that the output is about."""
    modes: Array
    """Mode of the output: `VALUE`, `LOG`, `MISSING`, `SLOT` or `PIECE`."""
    fills: Array
    """Number that replaces a missing value; NaN where none is missing."""
    slots: Array
    """Slot that the output stands for, or lower edge of its piece; 0 for others."""
    widths: Array
    """Width of the output's piece; 1 for others."""

    @classmethod
    def of(cls, inputs: Sequence[InputEncoding], dtype: str) -> "Encoding":
        """Build the formula from the encoding of each column."""
        outputs = [
            (at, mode, np.nan if one.imputed is None else one.imputed, lower, upper)
            for at, one in enumerate(inputs)
            for mode, lower, upper in one.outputs
        ]
        columns, modes, fills, lowers, uppers = zip(*outputs, strict=True)
        slots, is_piece = np.array(lowers, dtype), np.array(modes) == PIECE
        widths = np.where(is_piece, np.array(uppers, dtype) - slots, np.ones_like(slots))
        return cls(
            np.array(columns, np.int32),
            np.array(modes, np.int32),
            np.array(fills, dtype),
            slots,
            widths,
        )

    def __call__(self, xp: Any, rows: Any) -> Any:
        """Encode rows; `xp` is the array namespace to compute in."""
        given = xp.take(rows, self.columns, axis=-1)
        is_missing = xp.isnan(given)
        value = xp.where(is_missing, self.fills, given)
        zeros = xp.zeros_like(value)
        ones = xp.ones_like(value)
        found = xp.where(self.modes == LOG, xp.sign(value) * xp.log1p(xp.abs(value)), value)
        found = xp.where(self.modes == MISSING, xp.where(is_missing, ones, zeros), found)
        found = xp.where(self.modes == SLOT, xp.where(value == self.slots, ones, zeros), found)
        share = xp.minimum(xp.maximum((value - self.slots) / self.widths, zeros), ones)
        return xp.where(self.modes == PIECE, share, found)
