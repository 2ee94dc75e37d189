"""The formula that encodes rows of mixed features as numbers for a network, without Keras.

A number enters as it is or as a signed logarithm, a category as one number for each of its slots
(one-hot, as in TabM, Gorishniy et al. 2025), and a gap in a number both as a constant and as a
number of its own that says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from dubito.numerics.kernels import Array

InputKind = Literal["number", "log", "category"]
INPUT_KINDS: tuple[InputKind, ...] = get_args(InputKind)
VALUE, LOG, MISSING, SLOT = range(4)
"""Modes of an output: the value, its signed log, whether it is missing, or whether it is a slot."""


@dataclass(frozen=True, slots=True)
class InputEncoding:
    """How one column of a row is encoded."""

    kind: InputKind = "number"
    slots: int = 0
    """Number of slots of a category, its own for unknown or missing ones included; else 0."""
    imputed: float | None = None
    """Number that replaces a missing value; None if none is missing."""

    @property
    def outputs(self) -> list[tuple[int, float]]:
        """What each output is, and the slot that it stands for, else 0."""
        if self.kind == "category":
            return [(SLOT, float(slot)) for slot in range(self.slots)]
        value = LOG if self.kind == "log" else VALUE
        return [(value, 0.0), *([] if self.imputed is None else [(MISSING, 0.0)])]


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Rows `(…, F)` to `M` numbers each, `(…, M)`; `(M,)` constants for each output."""

    columns: Array
    """Index of the column that the output is about."""
    modes: Array
    """Mode of the output: `VALUE`, `LOG`, `MISSING` or `SLOT`."""
    fills: Array
    """Number that replaces a missing value; NaN where none is missing."""
    slots: Array
    """Slot that the output stands for; 0 for others."""

    @classmethod
    def of(cls, inputs: Sequence[InputEncoding], dtype: str) -> "Encoding":
        """Build the formula from the encoding of each column."""
        outputs = [
            (at, mode, np.nan if one.imputed is None else one.imputed, slot)
            for at, one in enumerate(inputs)
            for mode, slot in one.outputs
        ]
        columns, modes, fills, slots = zip(*outputs, strict=True)
        return cls(
            np.array(columns, np.int32),
            np.array(modes, np.int32),
            np.array(fills, dtype),
            np.array(slots, dtype),
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
        return xp.where(self.modes == SLOT, xp.where(value == self.slots, ones, zeros), found)
