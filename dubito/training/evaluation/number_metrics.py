"""Scores of predicted numbers: errors, predictive log density, intervals and decisions."""

from dataclasses import dataclass

import numpy as np

from dubito.types import Floats, NumberCalibration
from dubito.uncertainty.intervals import NumberEstimate, log_densities
from dubito.uncertainty.policy import tables_of

COVERAGES = (0.8, 0.9, 0.95, 0.99)
"""Coverages at which intervals are measured, besides the calibration's own."""


@dataclass(frozen=True, slots=True)
class IntervalMetrics:
    """Measured coverage and width of one method's intervals at one requested coverage."""

    method: str
    asked: float
    """Requested coverage."""
    coverage: float
    """Measured coverage: share of the rows whose interval holds the true value."""
    width: float | None
    """Mean width, in the number's unit; None if an interval has no bounds."""


def score_values(predicted: Floats, values: Floats) -> dict[str, float]:
    """Score predicted numbers `(N,)` against the true values `(N,)`.

    Returns:
        `rmse`, the root of the mean squared error, and `mae`, the mean absolute error, both in the
        number's unit.
    """
    errors = predicted - values
    return {
        "rmse": float(np.sqrt(np.mean(np.square(errors)))),
        "mae": float(np.mean(np.abs(errors))),
    }


def score_estimate(estimate: NumberEstimate, values: Floats) -> dict[str, float]:
    """Score the means over the passes as `score_values` does.

    With a noise head it adds `log_density`, see `log_densities`.
    """
    found = score_values(estimate.mean, values)
    if estimate.aleatoric_std is not None:
        found["log_density"] = float(log_densities(estimate, values).mean())
    return found


def all_intervals(
    calibration: NumberCalibration, estimate: NumberEstimate, values: Floats
) -> tuple[IntervalMetrics, ...]:
    """Measure every method of the calibration at every coverage of `COVERAGES` and its own."""
    tables = tables_of(calibration)
    found = []
    for method in calibration.scores:
        for asked in sorted({*COVERAGES, calibration.coverage}):
            intervals = tables.intervals(estimate, method, asked)
            width = float(intervals.width.mean())
            covered = float(1 - intervals.misses(values).mean())
            bounded = width if np.isfinite(width) else None
            found.append(IntervalMetrics(method, asked, covered, bounded))
    return tuple(found)
