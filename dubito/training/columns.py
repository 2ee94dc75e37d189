"""Validates the columns of rows: feature cells to numbers, target cells to classes."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from numbers import Real

import numpy as np

from dubito.errors import DataError
from dubito.features import NUMBER_RULES, FeatureKind
from dubito.inputs.json_members import composed
from dubito.layout import Column, Layout
from dubito.printable import shortened
from dubito.training.tables.wanted import Wanted
from dubito.types import Floats, Indices

NUMERALS = {"0": 0, "0.0": 0, "false": 0, "1": 1, "1.0": 1, "true": 1}
"""Spellings of a binary class by its number, as programs write them, with the class index."""

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""Texts, in lower case, that stand for a missing value in every table."""
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)", re.ASCII | re.IGNORECASE
)

_PLAIN_LETTERS = re.compile(r"[0-9.eE+-]*", re.ASCII)


def wanted_columns(layout: Layout) -> tuple[Wanted, ...]:
    """Return the columns of a layout's `F` features in order, then the target's."""
    return (*map(wanted_of, layout.features), Wanted(layout.target, is_numeric=False))


def wanted_of(column: Column) -> Wanted:
    """Return the names under which a feature's column is searched in a table."""
    is_numeric = column.kind in NUMBER_RULES and column.notation.is_plain
    return Wanted(column.names, is_numeric=is_numeric)


def column_numbers(cells: Sequence[object], column: Column, first: int = 1) -> Floats:
    """Convert cells `(N,)`, text or values, to float64 `(N,)`, see `dubito.features`.

    Args:
        cells: cells of one column.
        column: the feature, with what it may be.
        first: number of the row, from 1, that the first cell is in.

    Raises:
        DataError: a value is not allowed; names the column and the first such row.
    """
    values, faults = checked_numbers(cells, column)
    if faults:
        place = min(faults)
        raise DataError(f"{wanted_of(column)} {faults[place]} in row {first + place}") from None
    return values


def checked_numbers(cells: Sequence[object], column: Column) -> tuple[Floats, dict[int, str]]:
    """Convert cells `(N,)` as `column_numbers` does, and go on after those that are not allowed.

    Returns:
        Float64 `(N,)`, NaN where a cell is missing or not allowed; and what is wrong with each cell
        that is not allowed, as the end of a sentence, by its place.
    """
    faults = dict[int, str]()
    values = _plain_numbers(cells, column)
    if values is None:
        values = np.full(len(cells), math.nan)
        number_of = CELLS[column.kind](column)
        for place, cell in enumerate(cells):
            try:
                values[place] = number_of(cell)
            except (TypeError, ValueError, OverflowError):
                faults[place] = _fault(column)
    missing = np.isnan(values)
    is_whole = column.kind == "integer"
    is_listed = column.kind not in NUMBER_RULES
    outside = ((values < column.minimum) | (values > column.maximum)) & (not is_listed)
    for fault, at in (
        ("has no value", missing & (not column.nullable)),
        ("is infinite", np.isinf(values)),
        (f"is not between {column.minimum:g} and {column.maximum:g}", outside),
        ("is not a whole number", (np.floor(values) < values) & is_whole),
    ):
        for place in np.flatnonzero(at).tolist():
            faults.setdefault(place, fault)
    values[list(faults)] = math.nan
    return values, faults


def _plain_numbers(cells: Sequence[object], column: Column) -> Floats | None:
    """Read texts that are numbers or empty, a tenth of the time; None if there are others."""
    if column.kind not in NUMBER_RULES or not column.notation.is_plain or column.notation.missing:
        return None
    try:
        if _PLAIN_LETTERS.fullmatch("".join(cells)) is None:  # type: ignore[arg-type]
            return None
        # Of these letters `float` reads what `_NUMBER` describes, and nothing else.
        values = np.fromiter((float(cell or math.nan) for cell in cells), np.float64, len(cells))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return values + 0.0


def refuse_empty(features: Floats, columns: Sequence[Column]) -> None:
    """Check that each column of `features` `(N, F)` has a value in some row.

    Raises:
        DataError: a column has no value, or none of its categories; names the first such column.
    """
    for at, column in enumerate(columns):
        if np.isnan(features[:, at]).all():
            raise DataError(f"{wanted_of(column)} has no value in any row")
        if column.kind == "category" and not (features[:, at] < len(column.categories)).any():
            raise DataError(f"{wanted_of(column)} has none of its categories in any row")


class ClassReader:
    """Converts cells of the target to class indices: class names, or 0 and 1 for two classes.

    `0` is the first class and `1` the second. A column may not mix names and numbers.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._names = {composed(name.strip()): at for at, name in enumerate(layout.classes)}
        is_binary = len(layout.classes) == 2 and self._names.keys().isdisjoint(NUMERALS)
        self._numerals = NUMERALS if is_binary else {}
        self._is_by_number: bool | None = None
        self._row = 0

    def read(self, cells: Sequence[object]) -> Indices:
        """Convert the next cells `(n,)` of the column to indices `(n,)` into the classes.

        Raises:
            DataError: a cell is none of the classes; names the column and the row, from 1.
        """
        return np.array([self._index(cell) for cell in cells], dtype=np.intp)

    @property
    def is_by_number(self) -> bool:
        """Whether the column gives classes as 0 and 1."""
        return bool(self._is_by_number)

    def _index(self, cell: object) -> int:
        self._row += 1
        text = "" if cell is None else composed(str(cell).strip())
        index, is_by_number = self._names.get(text), False
        if index is None and isinstance(cell, float) and cell.is_integer():
            # A column of whole numbers may be stored as one of floats.
            index = self._names.get(str(int(cell)))
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
        return f"is not one of the classes ({shortened(self._layout.classes)})"


def _fault(column: Column) -> str:
    if column.kind == "boolean":
        return "is neither true nor false"
    if column.kind == "category":
        names = [category.name for category in column.categories]
        return f"is not one of the categories ({shortened(names)})"
    return "is not a number"


def _numeric(column: Column) -> Callable[[object], float]:
    notation = column.notation

    def number(cell: object) -> float:
        if not isinstance(cell, str):
            found = _from_value(cell)
        elif notation.is_missing(cell.strip()) or cell.strip().casefold() in MISSING_WORDS:
            return math.nan
        else:
            found = _from_text(cell) if notation.is_plain else notation.number(cell)
        return math.nan if notation.is_sentinel(found) else found

    return number


def _from_text(cell: str) -> float:
    text = cell.strip()
    if _NUMBER.fullmatch(text) is None:
        raise ValueError
    # -0.0 + 0.0 is 0.0: equal rows must have equal bytes for the digest.
    return float(text) + 0.0


def _from_value(cell: object) -> float:
    if cell is None:
        return math.nan
    if isinstance(cell, bool) or not isinstance(cell, Real | Decimal):
        raise TypeError
    return float(cell) + 0.0


def _boolean(column: Column) -> Callable[[object], float]:
    """Return the reader of true and false, and of 1 and 0 as programs write them."""

    def number(cell: object) -> float:
        text = cell_text(cell).casefold()
        if text in MISSING_WORDS or column.notation.is_missing(cell_text(cell)):
            return math.nan
        if text not in NUMERALS:
            raise ValueError
        return float(NUMERALS[text])

    return number


def _categorical(column: Column) -> Callable[[object], float]:
    """Return the reader of categories; a word for a missing value may be the name of one."""
    places = {
        composed(name): float(place)
        for place, category in enumerate(column.categories)
        for name in category.names
    }
    unknown = float(len(column.categories))

    def number(cell: object) -> float:
        text = cell_text(cell)
        if column.notation.is_missing(text):
            return math.nan
        place = places.get(text)
        if place is None and isinstance(cell, float) and cell.is_integer():
            # A column of whole numbers with gaps is read as one of floats.
            place = places.get(str(int(cell)))
        if place is not None:
            return place
        if text.casefold() in MISSING_WORDS:
            return math.nan
        if not column.takes_unknown:
            raise ValueError
        return unknown

    return number


def cell_text(cell: object) -> str:
    """Return a cell as text, a truth as JSON writes it.

    Raises:
        TypeError: it is neither text, nor a number, a truth or missing.
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if not isinstance(cell, str | Real | Decimal):
        raise TypeError
    return composed(str(cell).strip())


CELLS: Mapping[FeatureKind, Callable[[Column], Callable[[object], float]]] = {
    "integer": _numeric,
    "float": _numeric,
    "boolean": _boolean,
    "category": _categorical,
}
"""Function from a column to the reader of its cells, by the kind of feature."""
