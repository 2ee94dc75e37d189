"""Reads rows as a description of features or a bundle's signature defines them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dubito.bundles.feature_consistency import LARGEST
from dubito.errors import DataError
from dubito.features import CategoryFeature, Feature, NumberFeature, TensorFeature
from dubito.layout import Column, Dataset, Layout, NumberColumn
from dubito.notation import DETECTED, UNDECLARED, FileNotation, TableNotation
from dubito.training.columns import refuse_empty, wanted_of
from dubito.training.data import (
    NumberRows,
    Rows,
    Table,
    dataset_sheet,
    read_table,
    rows_digest,
    sheet_features,
    values_digest,
)
from dubito.training.tables.content import name_of
from dubito.training.tables.sheet import read_sheet, sheet_of
from dubito.training.tensors import read_number_tensors, read_tensors, tensor_column
from dubito.types import Floats


def read_rows(
    path: Path | None,
    columns: tuple[Column, ...],
    classes: tuple[str, ...],
    target: str | None,
    declared: FileNotation = DETECTED,
    dataset: Dataset | None = None,
) -> Table:
    """Read the columns of a file, and the classes if a target column is named.

    Without a target the table's labels have shape `(0,)`. Without a file, the columns and the
    target of a data set are read.

    Raises:
        DataError: the file cannot be read, or a column is missing or has an invalid value.
    """
    tensor = tensor_column(columns)
    if tensor is not None and path is not None:
        return read_tensors(path, tensor, classes, target)
    layout = Layout(columns, (target or "",), classes, dataset=dataset, file=declared)
    if path is None or target is not None:
        return read_table(path, layout)
    wanted = [wanted_of(column) for column in columns]
    rows = sheet_features(read_sheet(path, wanted, declared), columns)
    refuse_empty(rows, columns)
    labels = np.array([], np.intp)
    return Table(rows, labels, name_of(path), rows_digest(rows, labels, layout))


def read_layout(path: Path | None, layout: Layout) -> Rows:
    """Read the columns of a layout from a file, or from its own data set if it is None.

    Raises:
        DataError: the file cannot be read, or a column is missing or has an invalid value.
    """
    if layout.number is None:
        return read_table(path, layout)
    return read_number_rows(path, layout.features, layout.number, layout.file, layout.dataset)


def read_number_rows(
    path: Path | None,
    columns: Sequence[Column],
    number: NumberColumn,
    declared: FileNotation = DETECTED,
    dataset: Dataset | None = None,
) -> NumberRows:
    """Read the columns of a file, and the number to predict, which no row may lack.

    Without a file, those of a data set are read.

    Raises:
        DataError: the file cannot be read, or a column is missing or has an invalid value.
    """
    tensor = tensor_column(columns)
    if tensor is not None and path is not None:
        return read_number_tensors(path, tensor, number)
    truth = Column(
        name=number.name,
        aliases=number.aliases,
        minimum=-LARGEST,
        maximum=LARGEST,
        notation=number.notation,
    )
    every = [*columns, truth]
    wanted = [wanted_of(column) for column in every]
    if path is None:
        source, sheet = dataset_sheet(dataset, wanted)
    else:
        source, sheet = name_of(path), read_sheet(path, wanted, declared)
    found = sheet_features(sheet, every)
    rows, values = np.ascontiguousarray(found[:, :-1]), np.ascontiguousarray(found[:, -1])
    refuse_empty(rows, columns)
    digest = values_digest(rows, values, columns, number)
    return NumberRows(rows, values, source, digest)


def read_questions(
    data: bytes,
    file: str,
    features: Sequence[Feature],
    most: int,
    written: TableNotation = UNDECLARED,
) -> Floats:
    """Read rows `(N, F)` to predict from the bytes of a table.

    Raises:
        DataError: as for `read_rows`, or there are more rows than `most`.
    """
    columns = columns_of(features, written)
    sheet = sheet_of(data, file, [wanted_of(column) for column in columns], written.file)
    if sheet.rows > most:
        raise DataError(f"{file} has more than {most:,} rows (DUBITO_MAX_ROWS)")
    return sheet_features(sheet, columns)


def columns_of(
    features: Sequence[Feature], written: TableNotation = UNDECLARED
) -> tuple[Column, ...]:
    """Return the columns of a table that have a bundle's features, as the table writes them."""
    return tuple(
        replace(column_of(feature), notation=written.of(feature.name)) for feature in features
    )


def column_of(feature: Feature) -> Column:
    """Return the column of a table that has a bundle's feature."""
    column = Column(
        name=feature.name,
        title=feature.title,
        aliases=feature.aliases,
        kind=feature.kind,
        nullable=feature.nullable,
        imputed=feature.imputed,
        missing_refers=feature.missing_refers,
    )
    if isinstance(feature, TensorFeature):
        least, most = feature.minimum, feature.maximum
        found = replace(column, unit=feature.unit, minimum=least, maximum=most)
        return replace(found, shape=feature.shape)
    if isinstance(feature, NumberFeature):
        least, most = feature.minimum, feature.maximum
        return replace(column, unit=feature.unit, minimum=least, maximum=most)
    if isinstance(feature, CategoryFeature):
        listed, takes_unknown = feature.categories, feature.takes_unknown
        return replace(column, categories=listed, takes_unknown=takes_unknown)
    return column
