"""Whether a table's numbers have a decimal comma or a decimal point, by all of its numbers.

`1,234` may be a little more than one, or a thousand. Only other cells can tell: `24,47` or `0,5`
show a decimal comma; so does `1234,5`, and `1234` in the same column shows that its thousands are
not separated. What nothing decides is refused.
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
"""A number with one mark."""
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
"""A number whose mark may be a decimal one, or separate thousands."""
_GROUPED = re.compile(
    r"[+-]?\d{1,3}(?:(?:,\d{3}){2,}|(?:,\d{3})+\.\d*|(?:\.\d{3}){2,}|(?:\.\d{3})+,\d*"
    r"|(?:[ '\u00a0\u2009\u202f\u2019]\d{3})+(?:[.,]\d*)?)",
    re.ASCII,
)
"""A number whose thousands are separated for sure."""
_LONG = re.compile(r"[+-]?[1-9]\d{3,}", re.ASCII)
"""A number whose thousands are not separated."""
_NUMBER = re.compile(rf"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+){_EXPONENT}", re.ASCII)


class Spot(NamedTuple):
    """Where a cell stands: the column as sentences name it, and the row, from 1."""

    column: str
    row: int

    def __str__(self) -> str:
        """As a part of a sentence."""
        return f"{self.column} in row {self.row}"


def is_number(text: str) -> bool:
    """Whether a text is a number with either mark, or none."""
    return _NUMBER.fullmatch(text) is not None or _GROUPED.fullmatch(text) is not None


@dataclass(slots=True)
class Marks:
    """Collects what the numbers of a table show about its decimal mark."""

    decimal: dict[str, Spot] = field(default_factory=dict)
    """By mark: the first number that shows it to be a decimal one."""
    either: dict[tuple[str, str], Spot] = field(default_factory=dict)
    """By mark and column: the first number in which it may separate thousands."""
    long: set[str] = field(default_factory=set)
    """Columns with thousands that are not separated."""

    def look(self, rows: Mapping[str, int], column: str) -> None:
        """Take cells of a column into account, each with the row where it stands first.

        Raises:
            DataError: the thousands of one are separated for sure.
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
        """The table's decimal mark.

        Raises:
            DataError: nothing decides, or numbers contradict each other.
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
        # Thousands that points separate go with decimal commas, and these with semicolons or tabs.
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
    """Cells with a decimal point in place of the table's mark."""
    return cells if mark == POINT else [cell.replace(mark, POINT) for cell in cells]
