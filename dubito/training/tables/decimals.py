"""Detects whether a table's numbers have a decimal comma or a decimal point, from all its cells.

`1,234` may be 1.234 or 1234, which only other cells can decide: `24,47`, `0,5` or `1234,5` show a
decimal comma, and `1234` in the same column shows that its thousands are not separated. An
undecided table is rejected.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dubito.errors import DataError

POINT, COMMA = ".", ","
NAMES = {POINT: "decimal point", COMMA: "decimal comma"}

_EXPONENT = r"(?:[eE][+-]?\d+)?"
_WRITTEN = re.compile(rf"[+-]?(?:\d+([.,])\d*|([.,])\d+){_EXPONENT}", re.ASCII)
"""Pattern of a number with one comma or point."""
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
"""Pattern of a number whose comma or point may be decimal or separate thousands."""
_GROUPED = re.compile(
    r"[+-]?\d{1,3}(?:(?:,\d{3}){2,}|(?:,\d{3})+\.\d*|(?:\.\d{3}){2,}|(?:\.\d{3})+,\d*"
    r"|(?:[ '\u00a0\u2009\u202f\u2019]\d{3})+(?:[.,]\d*)?)",
    re.ASCII,
)
"""Pattern of a number whose thousands are certainly separated."""
_LONG = re.compile(r"[+-]?[1-9]\d{3,}", re.ASCII)
"""Pattern of a number whose thousands are not separated."""
_NUMBER = re.compile(rf"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+){_EXPONENT}", re.ASCII)


class Spot(NamedTuple):
    """Position of a cell: the column as messages name it, and the row, from 1."""

    column: str
    row: int

    def __str__(self) -> str:
        """Format as a part of a sentence."""
        return f"{self.column} in row {self.row}"


def is_number(text: str) -> bool:
    """Whether a text is a number, with a comma, a point or neither."""
    return _NUMBER.fullmatch(text) is not None or _GROUPED.fullmatch(text) is not None


@dataclass(slots=True)
class Marks:
    """Collects evidence about a table's decimal mark from its numbers."""

    decimal: dict[str, Spot] = field(default_factory=dict)
    """Position, by mark, of the first number that shows it to be decimal."""
    either: dict[tuple[str, str], Spot] = field(default_factory=dict)
    """Position, by mark and column, of the first number in which it may separate thousands."""
    long: set[str] = field(default_factory=set)
    """Columns with thousands that are not separated."""

    def look(self, rows: Mapping[str, int], column: str) -> None:
        """Collect evidence from cells of a column, each with the first row that contains it.

        Raises:
            DataError: a cell's thousands are certainly separated.
        """
        for cell, row in rows.items():
            self._look(cell.strip(), column, row)

    def _look(self, text: str, column: str, row: int) -> None:
        found = _WRITTEN.fullmatch(text)
        if found is None:
            if _GROUPED.fullmatch(text):
                raise _separated(Spot(column, row))
            if column not in self.long and _LONG.fullmatch(text):
                self.long.add(column)
            return
        mark = found[1] or found[2]
        if _EITHER.fullmatch(text):
            self.either.setdefault((mark, column), Spot(column, row))
        else:
            self.decimal.setdefault(mark, Spot(column, row))

    def settle(self, separator: str) -> str:
        """Decide on the table's decimal mark.

        Raises:
            DataError: the evidence is missing or contradictory.
        """
        for (mark, column), spot in self.either.items():
            if column in self.long:
                self.decimal.setdefault(mark, spot)
        if len(self.decimal) == 2:
            comma, point = self.decimal[COMMA], self.decimal[POINT]
            raise DataError(f"{comma} has a decimal comma, but {point} a decimal point")
        doubtful = {mark: spot for (mark, _), spot in reversed(self.either.items())}
        for mark in self.decimal:
            other = COMMA if mark == POINT else POINT
            if other in doubtful:
                raise _separated(doubtful[other])
            return mark
        # Points as thousands separators go with decimal commas, whose columns are never separated
        # by commas: in a comma-separated table a doubtful point is decimal.
        if COMMA in doubtful or (POINT in doubtful and separator != COMMA):
            raise _undecided(doubtful)
        return POINT


def _separated(spot: Spot) -> DataError:
    return DataError(f"{spot} has a thousands separator: write numbers without")


def _undecided(doubtful: dict[str, Spot]) -> DataError:
    mark = COMMA if COMMA in doubtful else POINT
    return DataError(
        f"{doubtful[mark]} can be read in two ways: with a {NAMES[mark]}, or with a separator of "
        "thousands; no other number of the table decides"
    )


def with_point(cells: Sequence[str], mark: str) -> Sequence[str]:
    """Replace the table's decimal mark by a point in cells."""
    return cells if mark == POINT else [cell.replace(mark, POINT) for cell in cells]
