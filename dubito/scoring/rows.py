"""Rows of a table as numbers, their seeds, and why others cannot be scored."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dubito.inputs.json_members import composed
from dubito.layout import Column
from dubito.targets import ClassTarget, Target
from dubito.training.columns import NUMERALS, cell_text, checked_numbers
from dubito.types import SEED_BITS, Booleans, Floats

NO_KEY, WRONG_KEY = "has no key", "has a key that is neither a text nor a whole number"
READ_BYTES = 7
"""Leading bytes of a digest that hold all bits of a seed."""

Reasons = dict[int, str]
"""Why rows cannot be scored, without their values, by position in the table."""


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of a chunk that can be scored, and why others cannot."""

    positions: list[int]
    """`(n,)` positions of the rows in the table, from 1."""
    keys: list[str] | None
    """`(n,)` keys of the rows; None if their positions identify them."""
    features: Floats
    """`(n, F)` values of the features, as the engine takes them."""
    truth: Floats | None
    """`(n,)` indices of the true classes, or true numbers; NaN where it is not known. None if the
    table does not tell it."""
    reasons: Reasons
    rejected_keys: Mapping[int, str]
    """Keys of the rows that cannot be scored, by position."""
    empty: int
    """Number of rows without any value, which are left out."""

    @property
    def seeds(self) -> list[int]:
        """`(n,)` seeds of the rows: of their keys, or of their positions in decimal digits."""
        keys = map(str, self.positions) if self.keys is None else self.keys
        return list(map(row_seed, keys))

    def without(self, wrong: Booleans, reason: str) -> "TableRows":
        """Reject some of the rows `(n,)`."""
        if not wrong.any():
            return self
        found = [at for at, is_wrong in enumerate(wrong.tolist()) if is_wrong]
        rejected = {self.positions[at]: reason for at in found}
        keys = self.keys
        named = {} if keys is None else {self.positions[at]: keys[at] for at in found}
        kept = np.flatnonzero(~wrong).tolist()
        return TableRows(
            [self.positions[at] for at in kept],
            None if keys is None else [keys[at] for at in kept],
            self.features[kept],
            None if self.truth is None else self.truth[kept],
            {**self.reasons, **rejected},
            {**self.rejected_keys, **named},
            self.empty,
        )


class Keyed(NamedTuple):
    """Rows of a chunk before those are left out that cannot be scored."""

    positions: Sequence[int]
    keys: Sequence[object] | None
    """Cells of the column of keys."""
    features: Floats
    truth: Floats | None
    reasons: Mapping[int, str]
    """Why rows cannot be scored, by place in the chunk."""
    empty: int = 0

    def rows(self) -> TableRows:
        """Leave out the rows that cannot be scored."""
        reasons, found = dict(self.reasons), [key_of(cell) for cell in self.keys or ()]
        for at, key in enumerate(found):
            if not key:
                reasons.setdefault(at, NO_KEY if key is None else WRONG_KEY)
        kept = [at for at in range(len(self.positions)) if at not in reasons]
        keys = None if self.keys is None else [found[at] or "" for at in kept]
        named = {} if self.keys is None else {at: found[at] for at in reasons}
        return TableRows(
            [self.positions[at] for at in kept],
            keys,
            self.features[kept],
            None if self.truth is None else self.truth[kept],
            {self.positions[at]: reasons[at] for at in sorted(reasons)},
            {self.positions[at]: key for at, key in named.items() if key},
            self.empty,
        )


def read_features(
    columns: Sequence[Column], block: Sequence[Sequence[object]], rows: int
) -> tuple[Floats, Reasons]:
    """Convert the cells of each feature's column to numbers `(N, F)`.

    Returns:
        The numbers, and the first reason, by place, why a row cannot be scored.
    """
    found, reasons = np.empty((rows, len(columns))), Reasons()
    for at, (column, cells) in enumerate(zip(columns, block, strict=True)):
        found[:, at], faults = checked_numbers(cells, column)
        for place, fault in faults.items():
            reasons.setdefault(place, f"{column.name} {fault}")
    return found, reasons


def row_seed(key: str) -> int:
    """Return the first 53 bits of the SHA-256 of a key, in UTF-8, as a number.

    Args:
        key: key of the row, or its position in decimal digits.
    """
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:READ_BYTES]) >> (8 * READ_BYTES - SEED_BITS)


def key_of(cell: object) -> str | None:
    """Return a key as text; None if there is none, empty if it is no key."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, float) and cell.is_integer():
        # A column of whole numbers with gaps is stored as one of floats.
        cell = int(cell)
    if isinstance(cell, bool) or not isinstance(cell, str | int):
        return ""
    return str(cell).strip() or None


class TruthReader:
    """Reads what is known of what a bundle predicts."""

    def __init__(self, target: Target, column: Column) -> None:
        """Take the target, and the column that tells the truth of it."""
        self._column = column
        classes = target.classes if isinstance(target, ClassTarget) else ()
        self._classes = {composed(name.strip()): float(at) for at, name in enumerate(classes)}
        is_binary = len(classes) == 2 and self._classes.keys().isdisjoint(NUMERALS)
        self._numerals = NUMERALS if is_binary else {}

    def read(self, cells: Sequence[object]) -> Floats:
        """Convert cells to indices of classes or to numbers `(N,)`; NaN where they are neither."""
        if not self._classes:
            return checked_numbers(cells, self._column)[0]
        return np.array([self._index(cell) for cell in cells], np.float64)

    def _index(self, cell: object) -> float:
        try:
            text = cell_text(cell)
        except TypeError:
            return np.nan
        if isinstance(cell, float) and cell.is_integer():
            text = str(int(cell))
        found = self._classes.get(text)
        return self._numerals.get(text.casefold(), np.nan) if found is None else found
