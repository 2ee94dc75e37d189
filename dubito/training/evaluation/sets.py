"""Sets: whether prediction sets hold the right class as often as was asked, and how large."""

from dataclasses import dataclass

import numpy as np

from dubito.types import Booleans, Calibration, Floats, Indices
from dubito.uncertainty.conformal import prediction_sets

COVERAGES = (0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Sets:
    """The sets of one method for one coverage."""

    method: str
    asked: float
    coverage: float
    """Share of rows whose set holds the right class."""
    size: float
    """Mean number of classes in a set."""
    class_coverage: tuple[float | None, ...]
    """`(C,)`, of the rows of each class; None where there are none."""
    class_size: tuple[float | None, ...]
    """`(C,)`, likewise."""


def all_sets(calibration: Calibration, mean: Floats, labels: Indices) -> tuple[Sets, ...]:
    """Every method of the calibration at every coverage."""
    return tuple(
        _sets(calibration, mean, labels, method, asked)
        for method in calibration.scores
        for asked in COVERAGES
    )


def _sets(
    calibration: Calibration, mean: Floats, labels: Indices, method: str, asked: float
) -> Sets:
    sets = prediction_sets(calibration, mean, method, asked, class_conditional=False).sets
    held: Booleans = sets[np.arange(len(labels)), labels]
    sizes, classes = sets.sum(axis=1), mean.shape[1]
    return Sets(
        method=method,
        asked=asked,
        coverage=float(held.mean()),
        size=float(sizes.mean()),
        class_coverage=by_class(held, labels, classes),
        class_size=by_class(sizes, labels, classes),
    )


def by_class(
    values: Booleans | Indices | Floats, labels: Indices, classes: int
) -> tuple[float | None, ...]:
    """Means `(C,)` of the values `(N,)` over the rows of each class; None where there are none."""
    own = (values[labels == label] for label in range(classes))
    return tuple(float(part.mean()) if len(part) else None for part in own)
