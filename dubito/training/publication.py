"""Parts of a bundle that training and conversion make in the same way."""

from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from dubito.bundles.golden import golden_rows
from dubito.bundles.manifest import GoldenRow
from dubito.bundles.repository import versions
from dubito.engine.engine import Engine
from dubito.targets import NumberTarget
from dubito.training.data import NumberRows, Table
from dubito.training.evaluation.number_metrics import score_estimate, score_values
from dubito.training.evaluation.probability_metrics import check_overflow, score
from dubito.types import Floats, Query
from dubito.uncertainty.intervals import NumberEstimate

PUBLICATION_SEED = 0
"""Seed of the passes over rows; fixed, so that requests over HTTP reproduce the card's numbers."""
FIRST_ROWS = 4
"""Number of golden rows besides the most uncertain row and a row with a missing value."""
SEARCHED_ROWS = 200
"""Number of rows searched for the most uncertain row."""


def next_version(models: Path, name: str, wanted: int | None) -> int:
    """Return the version to publish: the wanted one, or one more than the highest."""
    return wanted or max(versions(models, name), default=0) + 1


def choose_golden_rows(engine: Engine, rows: Floats, passes: int) -> tuple[GoldenRow, ...]:
    """Compute golden rows: the most uncertain row, one with a missing value, and the first few.

    Args:
        engine: engine of the network.
        rows: `(N, F)` rows to choose from.
        passes: number of passes a row.
    """
    (summary,) = engine.summarise([Query(rows[:SEARCHED_ROWS], passes, PUBLICATION_SEED)])
    missing = np.flatnonzero(np.isnan(rows).any(axis=1))[:1]
    first = range(min(FIRST_ROWS, len(rows)))
    chosen = [int(summary.std.max(axis=1).argmax()), *missing.tolist(), *first]
    return golden_rows(engine, rows[list(dict.fromkeys(chosen))], passes)


def card_metrics(
    engine: Engine, table: Table, passes: int, classes: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Compute the metrics of labelled rows, of the deterministic pass and of the passes' mean.

    Raises:
        DataError: the network's numbers overflow on a row.
    """
    (summary,) = engine.summarise([Query(table.features, passes, PUBLICATION_SEED)])
    check_overflow(summary.mean, f"the rows of {table.source}")
    return {
        "deterministic": score(engine.predict(table.features), table.labels, classes),
        "mc": score(summary.mean, table.labels, classes),
    }


def number_card_metrics(
    engine: Engine, rows: NumberRows, target: NumberTarget, passes: int
) -> dict[str, dict[str, float]]:
    """Compute the metrics of rows of known value, as `card_metrics` does.

    Raises:
        DataError: the network's numbers overflow on a row.
    """
    (summary,) = engine.summarise([Query(rows.features, passes, PUBLICATION_SEED)])
    check_overflow(summary.mean, f"the rows of {rows.source}")
    plain = engine.predict(rows.features)[:, target.value_column]
    return {
        "deterministic": score_values(plain, rows.values),
        "mc": score_estimate(NumberEstimate.of(target, summary), rows.values),
    }


def versions_used(*others: str) -> dict[str, str]:
    """Return the versions of the libraries that made a network's numbers, and of others."""
    known = {library: version(library) for library in ("numpy", *others)}
    return {"keras": keras.version(), **known, "tensorflow": tf.version.VERSION}
