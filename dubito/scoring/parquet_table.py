"""Reads the wanted columns of a Parquet file in chunks of rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetFile

from dubito.errors import DataError
from dubito.scoring.chunk import CHUNK_ROWS, Chunk
from dubito.scoring.json_table import ObjectReader
from dubito.scoring.rows import Keyed, TableRows, TruthReader, key_of, read_features
from dubito.scoring.selection import TableSelection
from dubito.training.tables.content import name_of
from dubito.training.tables.wanted import places
from dubito.types import Signature

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
                header, rows = list(file.schema_arrow.names), file.metadata.num_rows
        except _FAULTS as error:
            raise _damaged(path) from error
        at = places(header, selection.wanted, name)
        if rows < 1:
            raise DataError(f"{name} has no rows")
        return cls(path, tuple(header[place] for place in at), tuple(header), rows, selection)

    @property
    def told(self) -> str:
        """The form, for people."""
        return f"Parquet, {self.rows:,} rows × {len(self.header):,} columns"

    def chunks(self, tell: Callable[[float], None]) -> Iterator[Chunk]:
        """Yield all rows, and tell which share of them was read.

        Raises:
            DataError: the file is damaged.
        """
        first = 1
        try:
            with ParquetFile(self.path) as file:
                names = list(dict.fromkeys(self.columns))
                batches = file.iter_batches(CHUNK_ROWS, columns=names, use_threads=False)
                for index, batch in enumerate(batches):
                    tell((first - 1 + batch.num_rows) / self.rows)
                    yield Chunk(index, first, batch.num_rows, _packed(batch))
                    first += batch.num_rows
        except _FAULTS as error:
            raise _damaged(self.path) from error

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
        block = [batch.column(name).to_pylist() for name in self._columns]
        features, key, truth = self._selection.parts(block)
        if self._objects is None or self._tensor is None:
            found, reasons = read_features(self._selection.features, features, chunk.rows)
        else:
            name = self._tensor.name
            found, reasons = self._objects.read([{name: value} for value in features[0]])
        return Keyed(
            range(chunk.first, chunk.first + chunk.rows),
            None if key is None else list(map(key_of, key)),
            found,
            None if truth is None or self._truth is None else self._truth.read(truth),
            reasons,
        ).rows()


def _packed(batch: Any) -> bytes:
    """Write a batch as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _damaged(path: Path) -> DataError:
    return DataError(f"{name_of(path)} is not a whole Parquet file")
