"""Reads rows as a feature description or a bundle's signature defines them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dubito.errors import DataError
from dubito.layout import Layout
from dubito.training.columns import refuse_empty
from dubito.training.data import Table, rows_digest, sheet_features, sheet_table
from dubito.training.description import Described
from dubito.training.tables.content import name_of
from dubito.training.tables.sheet import read_sheet, sheet_of
from dubito.training.tables.wanted import Wanted
from dubito.types import Feature, Floats


def read_rows(
    path: Path, features: Sequence[Described], classes: tuple[str, ...], target: str | None
) -> Table:
    """Read the features' columns of a file, and the classes if a target column is named.

    Without a target the table's labels have shape `(0,)`.

    Raises:
        DataError: the file cannot be read, or a column is missing or has an invalid value.
    """
    columns = tuple(feature.column for feature in features)
    minima = [feature.minimum for feature in features]
    layout, source = Layout(columns, (target or "",), classes), name_of(path)
    wanted = _wanted(features)
    if target is not None:
        sheet = read_sheet(path, [*wanted, Wanted((target,), is_numeric=False)])
        return sheet_table(sheet, source, layout, minima)
    rows = sheet_features(read_sheet(path, wanted), columns, minima)
    refuse_empty(rows, columns)
    labels = np.array([], np.intp)
    return Table(rows, labels, source, rows_digest(rows, labels, layout))


def read_questions(data: bytes, file: str, features: Sequence[Feature], most: int) -> Floats:
    """Read rows `(N, F)` to predict from the bytes of a table.

    Raises:
        DataError: as for `read_rows`, or there are more rows than `most`.
    """
    asked = [description_of(feature) for feature in features]
    sheet = sheet_of(data, file, _wanted(asked))
    if sheet.rows > most:
        raise DataError(f"{file} has more than {most:,} rows (DUBITO_MAX_ROWS)")
    columns = [feature.column for feature in asked]
    return sheet_features(sheet, columns, [feature.minimum for feature in asked])


def description_of(feature: Feature) -> Described:
    """Convert a bundle's feature to the description a person would write."""
    return Described(
        name=feature.name,
        title=feature.title,
        aliases=feature.aliases,
        kind=feature.kind,
        unit=feature.unit,
        minimum=feature.minimum,
        maximum=feature.maximum,
        imputed=feature.imputed,
    )


def _wanted(features: Sequence[Described]) -> list[Wanted]:
    return [Wanted(feature.names, is_numeric=True) for feature in features]
