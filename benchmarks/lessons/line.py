"""Lines of the page `docs/study.md`, and the trainings that they are measured on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np

from dubito.loans.columns import LAYOUT
from dubito.training.data import Table, read_table
from dubito.training.fit import fit
from dubito.training.heads import ClassHead
from dubito.training.recipe import Recipe
from dubito.training.split import split_rows

SEED = 0


@dataclass(frozen=True, slots=True)
class Line:
    """Statement of the study, and the measurement that shows it."""

    statement: str
    figure: str
    tests: Sequence[str] = ()
    """Tests that check the statement at every change, as `file::function` below `tests/`."""


@dataclass(frozen=True, slots=True)
class Training:
    """Trained network and its metrics, epoch by epoch."""

    model: keras.Model
    curves: dict[str, list[float]]
    """Curves `loss`, `accuracy`, `val_loss`, `val_accuracy`, each `(E,)`."""


@cache
def parts() -> tuple[Table, Table, Table]:
    """Split the 10,000 loans into fitted, validation and held-out rows."""
    table = read_table(None, LAYOUT)
    split = split_rows(table.labels, SEED)
    return (
        table.where(split.fit),
        table.where(split.validation),
        table.where(split.test),
    )


def imputed() -> list[float | None]:
    """Return the value that replaces a missing one, by column: the fitted rows' median."""
    rows = parts()[0].features
    return [
        float(np.nanmedian(rows[:, at])) if column.nullable else None
        for at, column in enumerate(LAYOUT.features)
    ]


def trained(recipe: Recipe, callbacks: Sequence[Any] = (), most: int | None = None) -> Training:
    """Train on the fitted rows, or the first `most`, and evaluate on the validation rows."""
    fitted, watched, _ = parts()
    fitted = fitted.where(np.arange(len(fitted.labels))[:most])
    history = keras.callbacks.History()
    head = ClassHead(len(LAYOUT.classes))
    model = fit(
        recipe,
        fitted,
        watched,
        imputed(),
        head,
        SEED,
        verbose=0,
        callbacks=[history, *callbacks],
    )
    return Training(model, history.history)


def listed(values: Sequence[float], digits: int = 3) -> str:
    """Format numbers for people."""
    return ", ".join(f"{value:.{digits}f}" for value in values)
