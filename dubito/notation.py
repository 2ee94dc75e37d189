"""How a table writes its numbers and gaps, where a description declares that they are not plain."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Decimal = Literal[".", ","]
Thousands = Literal["", ",", ".", " ", "'"]
TextEncoding = Literal[
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp949", "cp1252", "latin-1", "shift_jis"
]
"""Encodings that a description may declare, by Python's names."""
Separator = Literal[",", ";", "\t", "|"]

_BLANKS = " \u00a0\u2009\u202f"
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Notation:
    """Notation of one column's cells: a number without its prefix, suffix and separators."""

    decimal: Decimal = "."
    thousands: Thousands = ""
    """Separator of thousands; a blank stands for narrow and fixed blanks too."""
    prefix: str = ""
    """Text before every number, such as `$`; blanks around it do not count."""
    suffix: str = ""
    """Text behind every number, such as `%` or `months`; blanks around it do not count."""
    missing: tuple[str, ...] = ()
    """Texts that stand for a missing value, such as `-999`; equal numbers do too."""

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as programs write them."""
        return (self.decimal, self.thousands, self.prefix, self.suffix) == (".", "", "", "")

    def is_missing(self, text: str) -> bool:
        """Return whether a text without blanks around it stands for a missing value."""
        if not self.missing:
            return False
        return text in self.missing or _number_or_nan(text) in self._sentinels

    def is_sentinel(self, number: float) -> bool:
        """Return whether a number stands for a missing value."""
        return number in self._sentinels

    def number(self, text: str) -> float:
        """Read a number.

        Raises:
            ValueError: the text is not a number in this notation.
        """
        bare = _without(text.strip(), self.prefix, self.suffix)
        if self.thousands:
            bare = self._joined(bare)
        if self.decimal == ",":
            if "." in bare:
                raise ValueError
            bare = bare.replace(",", ".")
        if _PLAIN.fullmatch(bare) is None or not math.isfinite(float(bare)):
            raise ValueError
        # -0.0 + 0.0 is 0.0: equal rows must have equal bytes for the digest.
        return float(bare) + 0.0

    @cached_property
    def _sentinels(self) -> frozenset[float]:
        found = (_number_or_nan(text) for text in self.missing)
        return frozenset(number for number in found if not math.isnan(number))

    def _joined(self, text: str) -> str:
        """Remove the separators of thousands, which must stand before groups of three digits."""
        mark = f"[{_BLANKS}]" if self.thousands == " " else re.escape(self.thousands)
        whole, point, part = text.partition(self.decimal)
        grouped = rf"[+-]?(?:\d{{1,3}}(?:{mark}\d{{3}})+|\d+)"
        if re.fullmatch(grouped, whole, re.ASCII) is None:
            raise ValueError
        return re.sub(mark, "", whole) + point + part


@dataclass(frozen=True, slots=True)
class FileNotation:
    """Encoding and separator of a CSV, where they are declared."""

    encoding: str | None = None
    """Python's name of the encoding; detected if None."""
    separator: str | None = None
    """Separator of columns; detected if None."""


PLAIN = Notation()
"""Notation of numbers as programs write them."""
DETECTED = FileNotation()
"""Encoding and separator are detected."""


@dataclass(frozen=True, slots=True)
class TableNotation:
    """Notation of a table: of the file and, by name, of columns."""

    file: FileNotation = DETECTED
    columns: Mapping[str, Notation] = field(default_factory=dict)

    def of(self, column: str) -> Notation:
        """Return a column's notation; plain where none is declared."""
        return self.columns.get(column, PLAIN)


UNDECLARED = TableNotation()
"""Notation of a table of which nothing is declared."""


def _without(text: str, prefix: str, suffix: str) -> str:
    if not text.startswith(prefix) or not text.endswith(suffix):
        raise ValueError
    return text[len(prefix) : len(text) - len(suffix)].strip()


def _number_or_nan(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
