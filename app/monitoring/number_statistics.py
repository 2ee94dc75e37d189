"""Computes the statistics of answers of a number, and of their outcomes, from their counts.

Counts are relative to the standard deviation of the number's values in training; statistics are in
the number's unit.
"""

import math

from app.count_keys import Counts, Family, key, members, numbered
from app.monitoring.answer_counter import MILLION
from app.monitoring.log_bins import MOST, quantiles
from app.monitoring.report import (
    ExpectedNumberStatistics,
    NumberOutcomeStatistics,
    NumberStatistics,
    Quantiles,
    ValueHistogram,
)
from app.monitoring.statistics import (
    automated_errors,
    band_errors,
    coverage_seen,
    ratio,
    watched_coverage,
)
from dubito.targets import NumberTarget
from dubito.types import AnyCalibration


def number_statistics(counts: Counts, target: NumberTarget) -> NumberStatistics:
    """Compute the statistics of answers from the counts of a period."""
    automated = counts.get(key(Family.ACTION, "automate"), 0)
    referred = counts.get(key(Family.ACTION, "refer"), 0)
    edges, predicted = target.seen.histogram_edges, numbered(counts, Family.VALUE)
    return NumberStatistics(
        rows=counts.get(key(Family.ROWS), 0),
        passes=counts.get(key(Family.PASSES), 0),
        automated=automated,
        referred=referred,
        referral_rate=ratio(referred, automated + referred),
        reasons=members(counts, Family.REASON),
        values=ValueHistogram(edges, tuple(predicted.get(at, 0) for at in range(len(edges) + 1))),
        std=_in_unit(counts, Family.SPREAD, target),
        width=_in_unit(counts, Family.WIDTH, target),
        warnings=members(counts, Family.WARNING),
    )


def number_outcome_statistics(
    counts: Counts, target: NumberTarget, calibration: AnyCalibration | None
) -> NumberOutcomeStatistics:
    """Compare known outcomes with what was promised.

    Args:
        counts: counts of the period in which the true numbers became known.
        target: the number.
        calibration: of the bundle, whose default promises are reported; None if it has none.
    """
    known = counts.get(key(Family.KNOWN, "rows"), 0)
    policy = None if calibration is None else calibration.policy
    square = _mean(counts, Family.KNOWN, "squares", known)
    absolute = _mean(counts, Family.KNOWN, "absolute", known)
    densities = counts.get(key(Family.KNOWN, "densities"), 0)
    return NumberOutcomeStatistics(
        known=known,
        rmse=None if square is None else target.std * math.sqrt(square),
        mae=None if absolute is None else target.std * absolute,
        log_density=_mean(counts, Family.KNOWN, "log_density", densities),
        coverage=coverage_seen(counts, watched_coverage(calibration)),
        automated=automated_errors(counts, policy),
        band=band_errors(counts, policy),
    )


def expected_number_statistics(counts: Counts, target: NumberTarget) -> ExpectedNumberStatistics:
    """Compute the error that the predicted deviations predict, without any outcome."""
    rows = counts.get(key(Family.EXPECTED, "rows"), 0)
    square = _mean(counts, Family.EXPECTED, "squares", rows)
    return ExpectedNumberStatistics(None if square is None else target.std * math.sqrt(square))


def _mean(counts: Counts, family: Family, name: str, rows: int) -> float | None:
    """Return the mean of what is summed in millionths; None without rows."""
    return ratio(counts.get(key(family, name), 0) / MILLION, rows)


def _in_unit(counts: Counts, family: Family, target: NumberTarget) -> Quantiles:
    """Return the quantiles of what is counted relative to the target's deviation."""
    found = quantiles(numbered(counts, family), MOST)
    return {level: None if at is None else at * target.std for level, at in found.items()}
