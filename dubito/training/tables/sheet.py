"""Reads the wanted columns of a CSV or Parquet file in blocks of rows, as unchecked cells."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dubito.errors import DataError
from dubito.notation import DETECTED, FileNotation
from dubito.training.tables.content import TableBytes, name_of, read_content, unfold
from dubito.training.tables.decimals import NAMES, Marks, with_point
from dubito.training.tables.dialect import SEPARATORS, Reading, data_records, is_empty, read_dialect
from dubito.training.tables.kinds import PARQUET, SAVE, refuse_foreign_bytes
from dubito.training.tables.text import Text, read_text
from dubito.training.tables.wanted import Wanted, places

BLOCK = 10_000
"""Number of rows in memory as cells at a time; converted to numbers they take far less."""
MOST_CELLS = 32_000_000
"""Largest number of cells, rows × wanted columns: a quarter of a gigabyte as numbers."""

Block = list[Sequence[object]]
"""Cells `(n,)` of each wanted column, in order, for the next `n` rows."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Wanted columns of a table, read on demand."""

    rows: int
    blocks: Callable[[], Iterator[Block]]
    told: str = ""
    """Description of the file's format and size, for people; empty if there is no file."""
    header: tuple[str, ...] = ()
    """Names of all columns of the file, wanted or not."""


def read_sheet(path: Path, wanted: Sequence[Wanted], declared: FileNotation = DETECTED) -> Sheet:
    """Find the columns of a file by its content, not its name, and report its format on stderr.

    Raises:
        DataError: the file cannot be read, is not a table, or lacks a column.
    """
    return sheet_of(read_content(path), name_of(path), wanted, declared)


def sheet_of(
    data: bytes, file: str, wanted: Sequence[Wanted], declared: FileNotation = DETECTED
) -> Sheet:
    """Find the columns in the bytes of a file, as `read_sheet` does.

    Raises:
        DataError: the bytes are not a table, or lack a column.
    """
    refuse_foreign_bytes(data, file)
    content = unfold(data, file)
    refuse_foreign_bytes(content.data, file)
    is_parquet = content.data.startswith(PARQUET)
    sheet = _parquet(content, wanted) if is_parquet else _csv(content, wanted, declared)
    say(f"{file}: {sheet.told}")
    return sheet


def say(sentence: str) -> None:
    """Print a message to stderr, because stdout is for results."""
    print(sentence, file=sys.stderr, flush=True)


def check_cells(rows: int, wanted: Sequence[Wanted], file: str) -> None:
    """Check the number of rows against the limit of memory.

    Raises:
        DataError: there are no rows, or too many.
    """
    if not rows:
        raise DataError(f"{file} has no rows")
    most = MOST_CELLS // len(wanted)
    if rows > most:
        raise DataError(f"{file} has {rows:,} rows, more than the {most:,} that can be read")


def _parquet(content: TableBytes, wanted: Sequence[Wanted]) -> Sheet:
    try:
        from dubito.training.tables.parquet import Parquet
    except ModuleNotFoundError as error:
        raise DataError(f"{content.file} is Parquet, which only dubito[train] reads") from error
    parquet = Parquet(content, wanted)
    check_cells(parquet.rows, wanted, content.file)
    parquet.check()
    packed = f", {content.packing}" if content.packing else ""
    told = f"Parquet{packed}, {_size(parquet.rows, len(parquet.header))}"
    return Sheet(parquet.rows, lambda: parquet.blocks(BLOCK), told, tuple(parquet.header))


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a CSV writes a table."""

    encoding: str
    """Python's name of the encoding."""
    separator: str
    at: tuple[int, ...]
    """Positions of the wanted columns in the header."""
    header: tuple[str, ...]
    """Names of all columns."""
    lead: int
    """Number of records before the first row: the header, and what precedes it."""
    records: int
    """Number of records that were looked at, the header and empty ones included."""
    mark: str
    """Decimal mark of its numbers."""
    told: str
    """Description for people."""


def csv_form(content: TableBytes, wanted: Sequence[Wanted], declared: FileNotation) -> CsvForm:
    """Find how the first rows of a CSV are written.

    Args:
        content: whole records, of which the first are all that precede the rows.
        wanted: the columns.
        declared: encoding and separator, where they are declared.

    Raises:
        DataError: the bytes are not a CSV, have no rows, or lack a column.
    """
    text, reading, at = _structure(content, wanted, declared, is_ragged_fine=True)
    if not reading.rows:
        raise DataError(f"{content.file} has no rows")
    mark = _decimal_mark(text, reading.separator, at, wanted)
    stated = text.stated is not None
    empty = [is_empty(cells) for cells in text.records(reading.separator)]
    lead = empty.index(False) + 1 + stated
    told = ", ".join(_parts_told(text, reading, mark))
    return CsvForm(
        encoding=text.encoding,
        separator=reading.separator,
        at=tuple(at),
        header=tuple(reading.header),
        lead=lead,
        records=len(empty) + stated,
        mark=mark,
        told=told,
    )


def _structure(
    content: TableBytes,
    wanted: Sequence[Wanted],
    declared: FileNotation,
    *,
    is_ragged_fine: bool = False,
) -> tuple[Text, Reading, list[int]]:
    """Return a CSV's text, its structure, and the positions of the wanted columns."""
    text = read_text(content, declared)
    reading = read_dialect(text, wanted, is_ragged_fine=is_ragged_fine)
    return text, reading, _places(text, reading, wanted)


def _csv(content: TableBytes, wanted: Sequence[Wanted], declared: FileNotation) -> Sheet:
    text, reading, at = _structure(content, wanted, declared)
    check_cells(reading.rows, wanted, content.file)
    mark = _decimal_mark(text, reading.separator, at, wanted)

    def blocks() -> Iterator[Block]:
        for block in _blocks(text, reading.separator, at):
            yield [
                with_point(cells, mark) if column.is_numeric else cells
                for cells, column in zip(block, wanted, strict=True)
            ]

    return Sheet(reading.rows, blocks, _told(text, reading, mark), tuple(reading.header))


def _places(text: Text, reading: Reading, wanted: Sequence[Wanted]) -> list[int]:
    try:
        return places(reading.header, wanted, text.content.file)
    except DataError as error:
        if text.encoding != "cp949":
            raise
        # Western European bytes often decode as Korean letters too, and then a header is wrong.
        raise DataError(f"{error}, if {text.content.file} is {text.told}: {SAVE}") from error


def _blocks(text: Text, separator: str, at: Sequence[int]) -> Iterator[list[list[str]]]:
    """Yield the columns at positions `at` of the header, `BLOCK` rows of its width at a time."""
    records = data_records(text, separator)
    width = len(next(records))
    rows = (cells for cells in records if len(cells) == width)
    while block := list(islice(rows, BLOCK)):
        yield [[cells[place] for cells in block] for place in at]


def _decimal_mark(text: Text, separator: str, at: Sequence[int], wanted: Sequence[Wanted]) -> str:
    marks, row = Marks(), 0
    for block in _blocks(text, separator, at):
        last = row + len(block[0])
        for cells, column in zip(block, wanted, strict=True):
            # Each distinct value once, with the first row that contains it: far fewer to match.
            rows = dict(zip(reversed(cells), range(last, row, -1), strict=True))
            marks.look(rows if column.is_numeric else {}, str(column))
        row = last
    return marks.settle(separator)


def _told(text: Text, reading: Reading, mark: str) -> str:
    parts = _parts_told(text, reading, mark)
    if reading.empty:
        rows = "row" if reading.empty == 1 else "rows"
        parts.append(f"{reading.empty} empty {rows} after row {reading.last_before} skipped")
    return ", ".join([*parts, _size(reading.rows, len(reading.header))])


def _parts_told(text: Text, reading: Reading, mark: str) -> list[str]:
    return [
        f"CSV, {text.content.packing}" if text.content.packing else "CSV",
        text.told,
        f"columns separated by {SEPARATORS[reading.separator]}",
        NAMES[mark],
    ]


def _size(rows: int, columns: int) -> str:
    return f"{rows:,} {'row' if rows == 1 else 'rows'} × {columns:,} columns"
