"""Detects a CSV's column separator: the only one under which it has the wanted columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from dubito.errors import DataError
from dubito.training.tables.text import Text
from dubito.training.tables.wanted import Wanted, wanted_count

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "|"}
"""Supported column separators, each with its name in messages."""


@dataclass(slots=True)
class Reading:
    """Structure of a text when split at one separator."""

    separator: str
    header: list[str] = field(default_factory=list)
    rows: int = 0
    ragged: int = 0
    """Number of rows that have another number of columns than the header."""
    empty: int = 0
    """Number of rows without any value, which are skipped."""
    last_before: int = 0
    """Number of rows before the first empty row."""
    fault: DataError | None = None
    """Reason why the text is not a table under this separator; None if it is one."""

    def __str__(self) -> str:
        """Format as a part of a sentence."""
        return f"{SEPARATORS[self.separator]} ({len(self.header)} columns)"


def data_records(text: Text, separator: str) -> Iterator[list[str]]:
    """Iterate over the records that have a value, the header first."""
    return (cells for cells in text.records(separator) if not is_empty(cells))


def is_empty(cells: Sequence[str]) -> bool:
    """Whether no cell of a record has a value."""
    return not any(cell and not cell.isspace() for cell in cells)


def read_dialect(text: Text, wanted: Sequence[Wanted], *, is_ragged_fine: bool = False) -> Reading:
    """Find the only separator under which the text is a table with the wanted columns.

    Args:
        text: the text.
        wanted: the columns.
        is_ragged_fine: whether some rows may have another number of columns than the header.

    Raises:
        DataError: there is no such separator, or more than one.
    """
    if text.declared is not None:
        return _sound(_read(text, text.declared, is_ragged_fine=is_ragged_fine))
    if text.stated is not None:
        if text.stated not in SEPARATORS:
            raise DataError(f"{text.content.file} states a separator that is not supported")
        return _sound(_read(text, text.stated, is_ragged_fine=is_ragged_fine))
    readings = [
        _read(text, separator, is_ragged_fine=is_ragged_fine) for separator in _candidates(text)
    ]
    whole = [
        reading
        for reading in readings
        if reading.fault is None and wanted_count(reading.header, wanted) == len(wanted)
    ]
    if len(whole) > 1:
        both = " or ".join(map(str, whole))
        raise DataError(
            f"{text.content.file} can be read in two ways, cut at {both}: quote the values "
            "that hold a separator"
        )
    return _sound(max(readings, key=lambda one: _fitness(one, wanted)))


def _fitness(reading: Reading, wanted: Sequence[Wanted]) -> tuple[int, bool, int]:
    """Rank a reading by its wanted columns, then by being a table, then by its width."""
    return wanted_count(reading.header, wanted), reading.fault is None, len(reading.header)


def _sound(reading: Reading) -> Reading:
    if reading.fault is not None:
        raise reading.fault
    return reading


def _candidates(text: Text) -> list[str]:
    """Return the separators that the header contains; a comma if it contains none."""
    found = [separator for separator in SEPARATORS if len(_header(text, separator)) > 1]
    return found or [","]


def _header(text: Text, separator: str) -> list[str]:
    try:
        return next(islice(data_records(text, separator), 1), [])
    except DataError:
        # Two columns, so that it stays a candidate: `_read` will report the fault if it wins.
        return ["", ""]


def _read(text: Text, separator: str, *, is_ragged_fine: bool) -> Reading:
    """Scan the whole text without storing its records."""
    reading, file = Reading(separator), text.content.file
    try:
        for cells in text.records(separator):
            if is_empty(cells):
                _count_empty(reading)
            elif not reading.header:
                reading.header = cells
            else:
                reading.rows += 1
                reading.ragged += len(cells) != len(reading.header)
                # More than half of them: this is not what separates the columns.
                if not is_ragged_fine or 2 * reading.ragged > reading.rows + 1:
                    _check_width(reading, cells, file)
    except DataError as fault:
        reading.fault = fault
    if not reading.header and reading.fault is None:
        reading.fault = DataError(f"{file} is empty")
    return reading


def _count_empty(reading: Reading) -> None:
    if reading.header:
        reading.last_before = reading.last_before if reading.empty else reading.rows
        reading.empty += 1


def _check_width(reading: Reading, cells: Sequence[str], file: str) -> None:
    if len(cells) != len(reading.header):
        raise DataError(
            f"{file} has {len(cells)} columns in row {reading.rows}, not {len(reading.header)}"
        )
