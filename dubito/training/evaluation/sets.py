"""Coverage and size of prediction sets on labelled rows, overall and by class."""

from dataclasses import dataclass

import numpy as np

from dubito.types import Booleans, Calibration, Floats, Indices
from dubito.uncertainty.conformal import prediction_sets

COVERAGES = (0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Sets:
    """Measured coverage and size of one method's sets at one requested coverage."""

    method: str
    asked: float
    """Requested coverage."""
    coverage: float
    """Measured coverage: share of the rows whose set contains the right class."""
    size: float
    """Mean number of classes in a set."""
    class_coverage: tuple[float | None, ...]
    """Measured coverage `(C,)` among the rows of each class; None for a class without rows."""
    class_size: tuple[float | None, ...]
    """Mean size `(C,)` among the rows of each class; None for a class without rows."""


def all_sets(calibration: Calibration, mean: Floats, labels: Indices) -> tuple[Sets, ...]:
    """Measure every method of the calibration at every coverage of `COVERAGES`."""
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
    """Compute means `(C,)` of values `(N,)` over the rows of each class; None without rows."""
    own = (values[labels == label] for label in range(classes))
    return tuple(float(part.mean()) if len(part) else None for part in own)
