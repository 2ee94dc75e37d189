"""Reads the wanted columns of a Parquet file, after checking their size before decompression."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ArrowException, BufferReader
from pyarrow.parquet import ParquetFile

from dubito.bundles.files import MIB
from dubito.errors import DataError
from dubito.training.tables.content import MOST_TABLE_BYTES, TableBytes, too_large
from dubito.training.tables.parquet_pages import GROWING, pages_of
from dubito.training.tables.wanted import Wanted, places

MOST_SUMMARY = 8 * MIB
"""Largest size of a file's metadata in bytes, which take many times as much memory when parsed."""
MOST_FIXED = 32
"""Largest size of a fixed-length value in bytes, enough for any decimal number."""
MOST_DISTINCT = 32_000_000
"""Largest number of values in a page or dictionary."""

_FAULTS = (ArrowException, OSError, UnicodeDecodeError, ValueError)


class Parquet:
    """Parquet file of which only the metadata has been read."""

    def __init__(self, content: TableBytes, wanted: Sequence[Wanted]) -> None:
        """Find the wanted columns.

        Raises:
            DataError: the file is damaged, or lacks a wanted column.
        """
        self._content = content
        self._wanted = wanted
        _check_summary(content)
        try:
            file = ParquetFile(BufferReader(content.data))
            self.header: list[str] = list(file.schema_arrow.names)
            self.rows = sum(_group_sizes(file.metadata))
            at = places(self.header, wanted, content.file)
            self._columns = [self.header[place] for place in at]
        except _FAULTS as error:
            raise _damaged(content) from error

    def check(self) -> None:
        """Check the types and the decompressed size of the wanted columns, from all their pages.

        Raises:
            DataError: the file is damaged or too large, or a column does not contain single values.
        """
        try:
            self._check_pages(ParquetFile(BufferReader(self._content.data)))
        except _FAULTS as error:
            raise _damaged(self._content) from error

    def blocks(self, most: int) -> Iterator[list[Sequence[object]]]:
        """Yield the cells of the wanted columns, at most `most` rows at a time.

        Raises:
            DataError: the file is damaged.
        """
        try:
            # Dictionaries, because otherwise every row would have its own copy of a repeated text.
            file = ParquetFile(BufferReader(self._content.data), read_dictionary=self._columns)
            rows = 0
            for batch in file.iter_batches(most, columns=self._columns, use_threads=False):
                batch.validate(full=True)
                rows += batch.num_rows
                yield [_cells(batch.column(name)) for name in self._columns]
            if rows != self.rows:
                raise _damaged(self._content)
        except _FAULTS as error:
            raise _damaged(self._content) from error

    def _check_pages(self, file: ParquetFile) -> None:
        schema = file.schema
        leaves = [schema.column(at).path for at in range(len(schema.names))]
        unfolded = 0
        for name, column in zip(self._columns, self._wanted, strict=True):
            at = [place for place, path in enumerate(leaves) if f"{path}.".startswith(f"{name}.")]
            if len(at) != 1 or leaves[at[0]] != name or not _is_flat(schema.column(at[0])):
                raise DataError(f"{column} does not hold single numbers or texts")
            for page in pages_of(self._content.data, at[0]):
                if page.encoding == GROWING or page.values > MOST_DISTINCT:
                    raise DataError(f"{column} is stored in an encoding that is not read")
                unfolded += page.unfolded
                if unfolded > MOST_TABLE_BYTES:
                    raise too_large(self._content.file)


def _check_summary(content: TableBytes) -> None:
    """Check the size of the metadata, stored at the end of the file before `PAR1`."""
    if content.data[-4:] != b"PAR1" or len(content.data) < 12:
        raise _damaged(content)
    if int.from_bytes(content.data[-8:-4], "little") > MOST_SUMMARY:
        raise DataError(f"{content.file} describes more columns than can be read")


def _group_sizes(metadata: Any) -> Iterator[int]:
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if rows < 0:
            raise ValueError
        yield rows


def _is_flat(column: Any) -> bool:
    """Whether a column has one value of bounded size per row; a text is bounded by its page."""
    if column.max_repetition_level or column.max_definition_level > 1:
        return False
    return bool(column.physical_type != "FIXED_LEN_BYTE_ARRAY" or column.length <= MOST_FIXED)


def _cells(array: Any) -> Sequence[object]:
    """Convert an array to Python values; of a dictionary, only the values that are used."""
    if not pa.types.is_dictionary(array.type):
        cells: list[object] = array.to_pylist()
        return cells
    used, inverse = np.unique(
        array.indices.fill_null(-1).to_numpy(zero_copy_only=False), return_inverse=True
    )
    missing = [None] if used[0] < 0 else []
    values = [*missing, *array.dictionary.take(pa.array(used[len(missing) :])).to_pylist()]
    return [values[at] for at in inverse.tolist()]


def _damaged(content: TableBytes) -> DataError:
    return DataError(f"{content.file} is not a whole Parquet file")
