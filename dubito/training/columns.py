"""What a file of labelled rows must hold: which columns, under which names, with which values."""

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real

import numpy as np

from dubito.errors import DataError
from dubito.layout import Column, Layout
from dubito.training.tables.wanted import Wanted, composed
from dubito.types import Floats, Indices

SHOWN_CLASSES = 10
SHOWN_LETTERS = 40

NUMERALS = {"0": 0, "0.0": 0, "false": 0, "1": 1, "1.0": 1, "true": 1}
"""How programs write one of two classes by its number."""

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)", re.ASCII | re.IGNORECASE
)


def wanted_columns(layout: Layout) -> tuple[Wanted, ...]:
    """The columns of a layout's `F` features, in order, and then the target's."""
    return (*map(wanted_of, layout.features), Wanted(layout.target, is_numeric=False))


def wanted_of(column: Column) -> Wanted:
    """A feature's column, as it is looked for in a table."""
    return Wanted((column.name, column.alias) if column.alias else (column.name,), is_numeric=True)


def numbers(
    cells: Sequence[object], column: Column, minimum: float = 0.0, first: int = 1
) -> Floats:
    """Cells `(N,)`, text or numbers, as float64 `(N,)`; NaN where a nullable value is missing.

    Args:
        cells: those of one column.
        column: what it may hold.
        minimum: the least of its values.
        first: the row that the first of the cells stands in.

    Raises:
        DataError: what the column may not hold; names the column and the first such row.
    """
    rows = enumerate(cells, start=first)
    values = np.array([_number(cell, row, column) for row, cell in rows], dtype=np.float64)
    missing = np.isnan(values)
    outside = (values < minimum) | (values > column.maximum)
    for fault, at in (
        ("has no value", missing & (not column.nullable)),
        ("is infinite", np.isinf(values)),
        (f"is not between {minimum:g} and {column.maximum:g}", outside),
        ("is not a whole number", (np.floor(values) < values) & (column.kind == "integer")),
    ):
        if at.any():
            raise DataError(f"{wanted_of(column)} {fault} in row {first + int(np.argmax(at))}")
    return values


def refuse_empty(features: Floats, columns: Sequence[Column]) -> None:
    """Check that each column of `features` `(N, F)` has a value in some row.

    Raises:
        DataError: names the first column that has none.
    """
    for at, column in enumerate(columns):
        if np.isnan(features[:, at]).all():
            raise DataError(f"{wanted_of(column)} has no value in any row")


class ClassReader:
    """Reads cells of the target as classes: by their names, or 0 and 1 where there are two.

    `0` is the first class then, and `1` the second. A column has either names or numbers.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._names = {composed(name): at for at, name in enumerate(layout.classes)}
        is_binary = len(layout.classes) == 2 and self._names.keys().isdisjoint(NUMERALS)
        self._numerals = NUMERALS if is_binary else {}
        self._is_by_number: bool | None = None
        self._row = 0

    def read(self, cells: Sequence[object]) -> Indices:
        """The next cells `(n,)` of the column as indices `(n,)` into the classes.

        Raises:
            DataError: no class of these; names the column and the row, from 1.
        """
        return np.array([self._index(cell) for cell in cells], dtype=np.intp)

    @property
    def is_by_number(self) -> bool:
        """Whether the column has 0 and 1."""
        return bool(self._is_by_number)

    def _index(self, cell: object) -> int:
        self._row += 1
        text = "" if cell is None else composed(str(cell))
        index, is_by_number = self._names.get(text), False
        if index is None:
            index, is_by_number = self._numerals.get(text.casefold()), True
        if index is None or self._is_by_number not in (None, is_by_number):
            target = Wanted(self._layout.target, is_numeric=False)
            raise DataError(f"{target} {self._fault(text)} in row {self._row}")
        self._is_by_number = is_by_number
        return index

    def _fault(self, text: str) -> str:
        if not text:
            return "has no value"
        return f"is not one of the classes ({shown(self._layout.classes)})"


def shown(classes: Sequence[str]) -> str:
    """The names of the first classes, for a sentence."""
    named = ", ".join(name[:SHOWN_LETTERS] for name in classes[:SHOWN_CLASSES])
    return f"{named}, …" if len(classes) > SHOWN_CLASSES else named


def _number(cell: object, row: int, column: Column) -> float:
    try:
        return _from_text(cell) if isinstance(cell, str) else _from_value(cell)
    except (TypeError, ValueError, OverflowError):
        # Not chained: the cause would show the cell.
        raise DataError(f"{wanted_of(column)} is not a number in row {row}") from None


def _from_text(cell: str) -> float:
    text = cell.strip()
    if text.casefold() in _MISSING:
        return math.nan
    if _NUMBER.fullmatch(text) is None:
        raise ValueError
    # Adding 0 makes 0.0 of -0.0.
    return float(text) + 0.0


def _from_value(cell: object) -> float:
    if cell is None:
        return math.nan
    if isinstance(cell, bool) or not isinstance(cell, Real | Decimal):
        raise TypeError
    return float(cell) + 0.0
