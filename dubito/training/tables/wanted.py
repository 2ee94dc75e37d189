"""Finds wanted columns in a table's header, by name or alias."""

from collections.abc import Sequence
from dataclasses import dataclass

from dubito.errors import DataError
from dubito.inputs.json_members import composed
from dubito.training.tables.decimals import is_number


@dataclass(frozen=True, slots=True)
class Wanted:
    """Column to find in a table."""

    names: tuple[str, ...]
    """Name of the column, then its aliases."""
    is_numeric: bool

    def __str__(self) -> str:
        """Format as messages name the column."""
        name, *aliases = self.names
        return f"{name} ({', '.join(aliases)})" if aliases else name


def wanted_count(header: Sequence[str], wanted: Sequence[Wanted]) -> int:
    """Count the wanted columns that a header contains."""
    names = {composed(name.strip()) for name in header}
    return sum(any(composed(name.strip()) in names for name in column.names) for column in wanted)


def places(header: Sequence[str], wanted: Sequence[Wanted], file: str) -> list[int]:
    """Find the positions of the wanted columns in the header.

    Raises:
        DataError: a column is missing, or occurs twice (aliases count).
    """
    if not wanted_count(header, wanted):
        # The messages show nothing of the first row: in a file without a header it is data.
        if any(is_number(name.strip()) for name in header):
            raise DataError(f"{file} has no header: its first row must name the columns")
        if len(header) == 1:
            raise DataError(
                f"{file} has a single column, not {wanted[0]}: columns are separated by commas, "
                "semicolons, tabs or |"
            )
    names = [composed(name.strip()) for name in header]
    return [_place(names, column) for column in wanted]


def _place(header: Sequence[str], wanted: Wanted) -> int:
    known = {composed(name.strip()) for name in wanted.names}
    found = [at for at, name in enumerate(header) if name in known]
    if not found:
        raise DataError(f"there is no column {wanted}")
    if len(found) > 1:
        both = " and ".join(header[at] for at in found)
        raise DataError(f"{wanted} stands in more than one column: {both}")
    return found[0]
