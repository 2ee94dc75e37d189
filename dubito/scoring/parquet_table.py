"""Reads the wanted columns of a Parquet file in chunks of rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetFile

from dubito.errors import DataError
from dubito.scoring.chunk import CHUNK_ROWS, Chunk, ChunkPlace
from dubito.scoring.json_table import ObjectReader
from dubito.scoring.rows import Keyed, TableRows, TruthReader, read_features
from dubito.scoring.selection import TableSelection
from dubito.scoring.text_stream import MOST_PIECE
from dubito.training.tables.content import name_of
from dubito.training.tables.wanted import places
from dubito.types import Signature

BUFFER = 1 << 20
"""Bytes of a column that are read at a time."""
NUMBER_BYTES = 8
_FAULTS = (pa.ArrowException, OSError, UnicodeDecodeError, ValueError)


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """A Parquet file with a column for each feature."""

    path: Path
    columns: tuple[str, ...]
    """Names of the wanted columns in the file."""
    header: tuple[str, ...]
    """Names of all columns."""
    rows: int
    at_once: int
    """Rows of a chunk."""
    selection: TableSelection

    @classmethod
    def of(cls, path: Path, selection: TableSelection) -> "ParquetTable":
        """Find the columns of a file.

        Raises:
            DataError: the file is damaged, or lacks a column.
        """
        name = name_of(path)
        try:
            with ParquetFile(path) as file:
                schema, rows = file.schema_arrow, file.metadata.num_rows
                header = list(schema.names)
        except _FAULTS as error:
            raise _damaged(path) from error
        at = places(header, selection.wanted, name)
        if rows < 1:
            raise DataError(f"{name} has no rows")
        is_tensor = any(column.kind == "tensor" for column in selection.features)
        for number, place in enumerate(at):
            if not (is_tensor and number == 0) and not _is_single(schema.field(place).type):
                wanted = selection.wanted[number]
                raise DataError(f"{wanted} of {name} does not hold single numbers or texts")
        width = max(column.width for column in selection.features)
        at_once = max(1, min(CHUNK_ROWS, MOST_PIECE // (NUMBER_BYTES * width)))
        columns = tuple(header[place] for place in at)
        return cls(path, columns, tuple(header), rows, at_once, selection)

    @property
    def told(self) -> str:
        """The form, for people."""
        return f"Parquet, {self.rows:,} rows × {len(self.header):,} columns"

    @property
    def chunks(self) -> "ParquetTable":
        """The chunks of all rows: this table yields them."""
        return self

    def each(self, tell: Callable[[float], None]) -> Iterator[Chunk]:
        """Yield all chunks, and tell which share of the rows was read.

        Raises:
            DataError: the file is damaged.
        """
        first = 1
        try:
            # Without a buffer the columns of a whole group of rows would be in memory.
            with ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False) as file:
                names = list(dict.fromkeys(self.columns))
                batches = file.iter_batches(self.at_once, columns=names, use_threads=False)
                for index, batch in enumerate(batches):
                    rows = batch.num_rows
                    tell((first - 1 + rows) / self.rows)
                    yield Chunk(index, first, rows, first - 1, rows, _packed(batch))
                    first += rows
        except _FAULTS as error:
            raise _damaged(self.path) from error

    def at(self, place: ChunkPlace) -> Chunk:
        """Read a chunk again, from the groups of rows that it is in.

        Raises:
            DataError: the file is damaged.
        """
        try:
            with ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False) as file:
                groups, before = _groups(file.metadata, place)
                names = list(dict.fromkeys(self.columns))
                table = file.read_row_groups(groups, columns=names, use_threads=False)
        except _FAULTS as error:
            raise _damaged(self.path) from error
        (batch,) = table.slice(place.start - before, place.size).combine_chunks().to_batches()
        content = _packed(batch)
        return Chunk(place.index, place.first, place.rows, place.start, place.size, content)

    def reader(self, signature: Signature) -> "ParquetReader":
        """Return what reads a chunk's rows."""
        return ParquetReader(self.columns, self.selection, signature)


class ParquetReader:
    """Reads the rows of chunks of a Parquet file."""

    def __init__(
        self, columns: tuple[str, ...], selection: TableSelection, signature: Signature
    ) -> None:
        """Take the names of the wanted columns, and the bundle's features."""
        self._columns = columns
        self._selection = selection
        self._tensor = signature.tensor
        self._objects = None if self._tensor is None else ObjectReader(signature)
        truth = selection.truth
        self._truth = None if truth is None else TruthReader(signature.target, truth)

    def read(self, chunk: Chunk) -> TableRows:
        """Read rows.

        Raises:
            DataError: keys are neither texts nor whole numbers.
        """
        with pa.ipc.open_stream(chunk.content) as stream:
            batch = stream.read_next_batch()
        block = [_cells(batch.column(name), name, chunk) for name in self._columns]
        features, key, truth = self._selection.parts(block)
        if self._objects is None or self._tensor is None:
            found, reasons = read_features(self._selection.features, features, chunk.rows)
        else:
            name = self._tensor.name
            found, reasons = self._objects.read([{name: value} for value in features[0]])
        return Keyed(
            range(chunk.first, chunk.first + chunk.rows),
            key,
            found,
            None if truth is None or self._truth is None else self._truth.read(truth),
            reasons,
        ).rows()


def _groups(metadata: Any, place: ChunkPlace) -> tuple[list[int], int]:
    """Return the groups of rows that a chunk is in, and the number of rows before them."""
    found, before, first = list[int](), 0, 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if first + rows <= place.start:
            before += rows
        elif first < place.start + place.size:
            found.append(group)
        first += rows
    return found, before


def _packed(batch: Any) -> bytes:
    """Write a batch as an Arrow stream; a dictionary would be in each of them."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    batch = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _is_single(kind: Any) -> bool:
    """Return whether the values of a column are single numbers, truths or texts."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_boolean,
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_null,
    )
    return any(test(kind) for test in tests)


def _cells(column: Any, name: str, chunk: Chunk) -> list[object]:
    """Convert a column to Python's values."""
    try:
        cells: list[object] = column.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError):
        # Not chained: the cause's message would reveal a value.
        last = chunk.first + chunk.rows - 1
        told = f"{name} cannot be read in rows {chunk.first:,} to {last:,}"
        raise DataError(told) from None
    return cells


def _damaged(path: Path) -> DataError:
    return DataError(f"{name_of(path)} is not a whole Parquet file")
