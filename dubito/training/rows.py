"""Rows for a network that was trained elsewhere, with their classes or without."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dubito.errors import DataError
from dubito.layout import Layout
from dubito.training.columns import refuse_empty
from dubito.training.data import Table, digest_of, features_of, table_of
from dubito.training.description import Described
from dubito.training.tables.content import name_of
from dubito.training.tables.sheet import read_sheet, sheet_of
from dubito.training.tables.wanted import Wanted
from dubito.types import Feature, Floats


def read_rows(
    path: Path, features: Sequence[Described], classes: tuple[str, ...], target: str | None
) -> Table:
    """Read the features' columns, and the classes where a target column is named.

    Without a target the table has no labels, `(0,)`.

    Raises:
        DataError: the file cannot be read, or a column is missing or has a value it may not have.
    """
    columns = tuple(feature.column for feature in features)
    minima = [feature.minimum for feature in features]
    layout, source = Layout(columns, (target or "",), classes), name_of(path)
    wanted = _wanted(features)
    if target is not None:
        sheet = read_sheet(path, [*wanted, Wanted((target,), is_numeric=False)])
        return table_of(sheet, source, layout, minima)
    rows = features_of(read_sheet(path, wanted), columns, minima)
    refuse_empty(rows, columns)
    labels = np.array([], np.intp)
    return Table(rows, labels, source, digest_of(rows, labels, layout))


def read_questions(data: bytes, file: str, features: Sequence[Feature], most: int) -> Floats:
    """Rows `(N, F)` to be answered, out of the bytes of a table.

    Raises:
        DataError: as `read_rows`, or more rows than `most`.
    """
    asked = [described(feature) for feature in features]
    sheet = sheet_of(data, file, _wanted(asked))
    if sheet.rows > most:
        raise DataError(f"{file} has more than {most:,} rows (DUBITO_MAX_ROWS)")
    columns = [feature.column for feature in asked]
    return features_of(sheet, columns, [feature.minimum for feature in asked])


def described(feature: Feature) -> Described:
    """A bundle's feature as a person would describe it."""
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
