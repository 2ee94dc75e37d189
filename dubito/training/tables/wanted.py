"""A column that is looked for in a table, under its name or an alias."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from dubito.errors import DataError
from dubito.training.tables.decimals import is_number


@dataclass(frozen=True, slots=True)
class Wanted:
    """One column."""

    names: tuple[str, ...]
    """Its name, then its aliases."""
    is_numeric: bool

    def __str__(self) -> str:
        """How sentences name it."""
        name, *aliases = self.names
        return f"{name} ({', '.join(aliases)})" if aliases else name


def composed(name: str) -> str:
    """A name as it is compared: Macs write Korean letters in parts (NFD), others do not (NFC)."""
    return unicodedata.normalize("NFC", name.strip())


def count(header: Sequence[str], wanted: Sequence[Wanted]) -> int:
    """How many of the wanted columns a header has."""
    names = {composed(name) for name in header}
    return sum(any(composed(name) in names for name in column.names) for column in wanted)


def places(header: Sequence[str], wanted: Sequence[Wanted], file: str) -> list[int]:
    """Positions in the header of the wanted columns.

    Raises:
        DataError: a column is missing, or stands there twice (its alias counts).
    """
    if not count(header, wanted):
        # Nothing of the first row is shown: in a file without a header these are values.
        if any(is_number(name.strip()) for name in header):
            raise DataError(f"{file} has no header: its first row must name the columns")
        if len(header) == 1:
            raise DataError(
                f"{file} has a single column, not {wanted[0]}: columns are separated by commas, "
                "semicolons, tabs or |"
            )
    names = [composed(name) for name in header]
    return [_place(names, column) for column in wanted]


def _place(header: Sequence[str], wanted: Wanted) -> int:
    known = {composed(name) for name in wanted.names}
    found = [at for at, name in enumerate(header) if name in known]
    if not found:
        raise DataError(f"there is no column {wanted}")
    if len(found) > 1:
        both = " and ".join(header[at] for at in found)
        raise DataError(f"{wanted} stands in more than one column: {both}")
    return found[0]
