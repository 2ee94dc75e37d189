"""Computes all metrics of a number's evaluation from stored predictions; it runs no network."""

from dataclasses import dataclass

import numpy as np

from dubito.targets import NumberTarget
from dubito.training.evaluation.metrics import PolicyMetrics
from dubito.training.evaluation.number_metrics import (
    IntervalMetrics,
    all_intervals,
    score_estimate,
    score_values,
)
from dubito.training.evaluation.predictions import Answered, MeanError, Shifted
from dubito.training.evaluation.uncertainty_metrics import ShiftFigures, detection
from dubito.types import Booleans, Floats, NumberCalibration
from dubito.uncertainty.decision import promise_of
from dubito.uncertainty.intervals import NumberEstimate
from dubito.uncertainty.policy import tables_of

BINS = 10
"""Number of bins of equal mass in which deviations and errors are compared."""
SHOWN_ROWS = 2_000
"""Most rows whose predictions are drawn."""


@dataclass(frozen=True, slots=True)
class NumberEvidence:
    """Predictions of a number's network and the true values, from which metrics are computed."""

    values: Floats
    """True values `(N,)`."""
    plain: Floats
    """Values `(N,)` of the deterministic pass."""
    answered: Answered
    passes: int
    shifts: tuple[Shifted, ...]
    precision: MeanError


@dataclass(frozen=True, slots=True)
class SpreadBin:
    """Rows of similar predicted deviation, beside the errors that they have."""

    rows: int
    std: float
    """Root of the mean predicted variance."""
    rmse: float


@dataclass(frozen=True, slots=True)
class NumberRisk:
    """Errors when only the rows of least predicted deviation are answered."""

    coverages: Floats
    """Shares of the rows that are answered, `(K,)`."""
    rmse: Floats
    """Root of the mean squared error of those, `(K,)`."""
    ideal: Floats
    """The same if the rows were ordered by their error, `(K,)`."""


@dataclass(frozen=True, slots=True)
class NumberEvaluationMetrics:
    """All metrics that a report shows; those that need a calibration are empty without one."""

    rows: int
    passes: int
    title: str
    unit: str
    mc: dict[str, float]
    """Metrics of the mean of the passes, see `number_metrics.score_estimate`."""
    deterministic: dict[str, float]
    """Metrics of one pass without dropout."""
    std: float
    """Root of the mean predicted variance."""
    spread: tuple[SpreadBin, ...]
    """Rows in bins of equal mass by their predicted deviation."""
    risk: NumberRisk
    shown: tuple[Floats, Floats]
    """True values and means over the passes of the first rows, `(K,)` each."""
    intervals: tuple[IntervalMetrics, ...]
    promises: tuple[PolicyMetrics, ...]
    target: float | None
    """Default target of the calibration."""
    coverage: float | None
    """Default coverage of the calibration."""
    method: str | None
    """Default method of the calibration."""
    shifts: tuple[ShiftFigures, ...]
    precision: MeanError


def assess_number(
    evidence: NumberEvidence, target: NumberTarget, calibration: NumberCalibration | None
) -> NumberEvaluationMetrics:
    """Compute all metrics; those of intervals and decisions only with enough passes."""
    if calibration is not None and evidence.passes < calibration.passes:
        calibration = None
    estimate, values = NumberEstimate.of(target, evidence.answered.summary), evidence.values
    return NumberEvaluationMetrics(
        rows=len(values),
        passes=evidence.passes,
        title=target.title,
        unit=target.unit,
        mc=score_estimate(estimate, values),
        deterministic=score_values(evidence.plain, values),
        std=_root(np.square(estimate.total_std)),
        spread=_spread(estimate, values),
        risk=_risk(estimate, values),
        shown=(values[:SHOWN_ROWS], estimate.mean[:SHOWN_ROWS]),
        intervals=() if calibration is None else all_intervals(calibration, estimate, values),
        promises=() if calibration is None else _promises(evidence, estimate, calibration),
        target=None if calibration is None else calibration.policy.target,
        coverage=None if calibration is None else calibration.coverage,
        method=None if calibration is None else calibration.method,
        shifts=tuple(
            _shift_figures(shifted, evidence.answered, target, calibration)
            for shifted in evidence.shifts
        ),
        precision=evidence.precision,
    )


def _root(squares: Floats) -> float:
    return float(np.sqrt(np.mean(squares)))


def _spread(estimate: NumberEstimate, values: Floats) -> tuple[SpreadBin, ...]:
    total, errors = estimate.total_std, estimate.mean - values
    order = np.argsort(total, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return tuple(
        SpreadBin(len(part), _root(np.square(total[part])), _root(np.square(errors[part])))
        for part in parts
    )


def _risk(estimate: NumberEstimate, values: Floats) -> NumberRisk:
    squares = np.square(estimate.mean - values)
    taken = np.arange(1, len(values) + 1)
    order = np.argsort(estimate.total_std, kind="stable")
    return NumberRisk(
        coverages=taken / len(values),
        rmse=np.sqrt(np.cumsum(squares[order]) / taken),
        ideal=np.sqrt(np.cumsum(np.sort(squares)) / taken),
    )


def _promises(
    evidence: NumberEvidence, estimate: NumberEstimate, calibration: NumberCalibration
) -> tuple[PolicyMetrics, ...]:
    widths, wrong = _widths(estimate, evidence.values, calibration)
    found = []
    for promise in calibration.policy.promises:
        taken = _automated(evidence.answered, estimate, widths, calibration, promise.target)
        rows, errors = int(taken.sum()), int((taken & wrong).sum())
        band = None
        if promise.band is not None:
            inside = taken & (widths >= promise.band.bound)
            band = int(inside.sum()), int((inside & wrong).sum())
        share = errors / rows if rows else 0.0
        found.append(PolicyMetrics(promise.target, rows / len(wrong), share, errors, band))
    return tuple(found)


def _widths(
    estimate: NumberEstimate, values: Floats, calibration: NumberCalibration
) -> tuple[Floats, Booleans]:
    """Return widths and misses `(N,)` of the intervals that decisions are about."""
    tables = tables_of(calibration)
    intervals = tables.intervals(estimate, calibration.method, calibration.coverage)
    return intervals.width, intervals.misses(values)


def _automated(
    answered: Answered,
    estimate: NumberEstimate,
    widths: Floats,
    calibration: NumberCalibration,
    target: float,
) -> Booleans:
    """Return a mask `(N,)` of the rows that `decide_number` automates at a target."""
    policy = calibration.policy
    threshold = promise_of(policy, target).threshold
    narrow = widths <= (-np.inf if threshold is None else threshold)
    automated: Booleans = ~answered.fixed & (estimate.std <= policy.epistemic) & narrow
    return automated


def _shift_figures(
    shifted: Shifted,
    original: Answered,
    target: NumberTarget,
    calibration: NumberCalibration | None,
) -> ShiftFigures:
    before = NumberEstimate.of(target, original.summary).std
    after = NumberEstimate.of(target, shifted.answered.summary)
    referred = None
    if calibration is not None and len(shifted.rows):
        widths, _ = _widths(after, after.mean, calibration)
        default = calibration.policy.target
        kept = _automated(shifted.answered, after, widths, calibration, default)
        referred = float(1 - kept.mean())
    return detection(shifted, original, before, after.std, referred)
