"""Opens a table of any size, by its content, not its name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dubito.domains import domain_of
from dubito.errors import DataError
from dubito.inputs.json_members import composed
from dubito.layout import Column
from dubito.notation import UNDECLARED, TableNotation
from dubito.scoring.chunk import Chunk, ChunkPlace
from dubito.scoring.csv_table import CsvTable
from dubito.scoring.json_table import JSON_OBJECT, JsonTable, refuse_list
from dubito.scoring.parquet_table import ParquetTable
from dubito.scoring.rows import TableRows
from dubito.scoring.selection import TableSelection
from dubito.scoring.text_stream import TextStream, opened
from dubito.targets import NumberTarget
from dubito.training.rows import columns_of
from dubito.training.tables.kinds import PARQUET
from dubito.types import Signature

MOST_TRUTH = 1e100
"""Largest true number; what is beyond is not known, as its square would not be a number."""


class ChunkReader(Protocol):
    """Reads the rows of a table's chunks; processes may be sent it."""

    def read(self, chunk: Chunk) -> TableRows:
        """Read rows.

        Raises:
            DataError: the chunk is not what the table began as.
        """


class Chunks(Protocol):
    """The chunks of a table, the same in each run."""

    def each(self, tell: Callable[[float], None]) -> Iterator[Chunk]:
        """Yield all chunks, and tell which share of the file was read.

        Raises:
            DataError: the file is damaged.
        """

    def at(self, place: ChunkPlace) -> Chunk:
        """Read a chunk again, wherever the file is.

        Raises:
            DataError: the file is damaged, or can be read from its beginning alone.
        """


class StreamedTable(Protocol):
    """A table of any size."""

    @property
    def selection(self) -> TableSelection:
        """What is read of it."""

    @property
    def header(self) -> tuple[str, ...] | None:
        """Names of all columns; None if each row has members of its own."""

    @property
    def told(self) -> str:
        """Its form, for people."""

    @property
    def chunks(self) -> "Chunks":
        """The chunks of all rows."""

    def reader(self, signature: Signature) -> ChunkReader:
        """Return what reads the rows."""


@dataclass(frozen=True, slots=True)
class TableColumns:
    """Names of a table's columns, and how it writes them."""

    key: str | None = None
    """Column that identifies a row; None if its position does."""
    truth: str | None = None
    """Column of what the bundle predicts; if None the usual names are tried."""
    written: TableNotation = UNDECLARED


def open_table(path: Path, signature: Signature, columns: TableColumns) -> StreamedTable:
    """Open a table: CSV or JSON lines, also in a zip or gzip, or Parquet.

    Raises:
        DataError: the file cannot be read, is no table, or lacks a column.
    """
    features = columns_of(signature.features, columns.written)
    bare = TableSelection(features, columns.key, None)
    truth = _truth(signature, columns)
    found = _opened(path, bare, columns.written)
    if truth is None:
        return found
    header = None if found.header is None else {composed(name.strip()) for name in found.header}
    is_there = header is None or any(composed(name) in header for name in truth.names)
    if columns.truth is None and not is_there:
        return found
    try:
        return _opened(path, TableSelection(features, columns.key, truth), columns.written)
    except DataError:
        if columns.truth is not None:
            raise
        # Nobody has asked for the truth.
        return found


def _opened(path: Path, selection: TableSelection, written: TableNotation) -> StreamedTable:
    declared = written.file
    with opened(path) as file:
        is_parquet = file.read(len(PARQUET)) == PARQUET
    if is_parquet:
        return ParquetTable.of(path, selection)
    with TextStream(path, declared.encoding) as stream:
        start = stream.read()
    refuse_list(start, stream.name)
    if JSON_OBJECT.match(start):
        return JsonTable(path, declared, selection)
    if any(column.kind == "tensor" for column in selection.features):
        raise DataError(f"{stream.name} is a CSV, whose cells hold no tensors: use JSON or Parquet")
    return CsvTable.of(path, declared, selection)


def _truth(signature: Signature, columns: TableColumns) -> Column | None:
    """Return the column that may tell the truth; None if its name is not known."""
    target, name = signature.target, columns.truth
    if isinstance(target, NumberTarget):
        first, *others = (target.name, *target.aliases) if name is None else (name,)
        notation = columns.written.of(first)
        return Column(
            name=first,
            aliases=tuple(others),
            nullable=True,
            notation=notation,
            minimum=-MOST_TRUTH,
            maximum=MOST_TRUTH,
        )
    domain = domain_of(signature)
    if name is not None:
        names: tuple[str, ...] = (name,)
    elif domain is not None:
        names = domain.layout.target
    else:
        return None
    return Column(name=names[0], aliases=names[1:], kind="category", nullable=True)
