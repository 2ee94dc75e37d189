"""Rows for a network that was trained elsewhere, with their classes or without."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.errors import DataError
from app.training.data import Table, digest_of, read_sheet
from app.training.description import Described
from app.training.layout import Layout, class_indices, numbers, place


def read_rows(
    path: Path, features: Sequence[Described], classes: tuple[str, ...], target: str | None
) -> Table:
    """Read the features' columns, and the classes where a target column is named.

    Without a target the table has no labels, `(0,)`.

    Raises:
        DataError: the file cannot be read, or a column is missing or has a value it may not have.
    """
    sheet = read_sheet(path)
    header = [name.strip() for name in sheet.header]
    columns = [sheet.column(place(header, feature.names)) for feature in features]
    if not columns[0]:
        raise DataError(f"{path.name} has no rows")
    rows = np.column_stack(
        [
            numbers(cells, feature.column, feature.minimum)
            for cells, feature in zip(columns, features, strict=True)
        ]
    )
    layout = Layout(tuple(feature.column for feature in features), (target or "",), classes)
    labels = np.array([], np.intp)
    if target is not None:
        labels = class_indices(sheet.column(place(header, (target,))), layout)
    return Table(rows, labels, path.name, digest_of(rows, labels, layout))
