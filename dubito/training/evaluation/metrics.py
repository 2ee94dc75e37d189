"""Computes all metrics of an evaluation from stored predictions; nothing here runs a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sklearn.metrics import f1_score

from dubito.training.evaluation.predictions import Evidence, MeanError
from dubito.training.evaluation.probability_metrics import score
from dubito.training.evaluation.reliability import Reliability, reliability
from dubito.training.evaluation.risk import Risk, risks
from dubito.training.evaluation.sets import Sets, all_sets
from dubito.training.evaluation.uncertainty_metrics import (
    Doubt,
    ShiftFigures,
    automated,
    doubt,
    shift_figures,
)
from dubito.types import Booleans, Calibration, Floats, Indices, Promise
from dubito.uncertainty.decision import runner_up

LIKELIHOODS = (0.0, 0.5, 0.7, 0.9, 0.95, 0.99, 1.0)
"""Edges of the bins in which automated rows are counted by the mean probability of their grade."""
COMMON = 10
"""Least number of rows of a class for which its F1 is meaningful."""


@dataclass(frozen=True, slots=True)
class PolicyMetrics:
    """Line of the decision policy, measured on the evaluated rows."""

    target: float
    automated: float
    """Share of the rows that this line automates."""
    wrong: float
    """Share of the automated rows that are wrong; 0 if there are none."""
    errors: int
    """Number of automated rows that are wrong."""
    band: tuple[int, int] | None
    """Number of rows in the band, and number of those that are wrong; None if the line promises
    nothing of a band."""


@dataclass(frozen=True, slots=True)
class Likely:
    """Automated rows whose grade has a mean probability in a range."""

    least: float
    most: float
    """Upper end, excluded from the range unless it is 1."""
    rows: int
    errors: int


@dataclass(frozen=True, slots=True)
class EvaluationMetrics:
    """All metrics that a report shows; those that need a calibration are empty without one."""

    rows: int
    passes: int
    classes: tuple[str, ...]
    class_rows: tuple[int, ...]
    """Number of rows of each class, `(C,)`."""
    mc: dict[str, float]
    """Metrics of the mean of the passes, see `dubito.training.evaluation.probability_metrics`, and
    `macro_f1_common`, the mean F1 over the classes of ten rows or more."""
    deterministic: dict[str, float]
    """Metrics, as in `mc`, of one pass without dropout."""
    rare: dict[str, tuple[int, int]]
    """Number of rows that are right, and number of rows, of each class with fewer than ten rows."""
    reliability: tuple[Reliability, ...]
    """Reliability in bins of equal width, then in bins of equal mass."""
    risks: tuple[Risk, ...]
    """Risk-coverage curve of each uncertainty measure, the base line first."""
    confusion: tuple[tuple[int, ...], ...]
    """Number of rows `(C, C)` by their class, then by their predicted grade."""
    confusion_automated: tuple[tuple[int, ...], ...] | None
    """Number of rows, as in `confusion`, among those automated at the default target."""
    right: Doubt | None
    wrong: Doubt | None
    sets: tuple[Sets, ...]
    promises: tuple[PolicyMetrics, ...]
    likelihoods: tuple[Likely, ...]
    """Rows automated at the default target, by the mean probability of their grade."""
    least_likelihood: float | None
    """Least mean probability of a grade automated at the default target; None if there is none."""
    target: float | None
    """Default target of the calibration."""
    coverage: float | None
    """Default coverage of the calibration."""
    shifts: tuple[ShiftFigures, ...]
    precision: MeanError | None


def assess(
    evidence: Evidence, calibration: Calibration | None, classes: Sequence[str]
) -> EvaluationMetrics:
    """Compute all metrics; those of sets and decisions only with enough passes for the promises."""
    if calibration is not None and evidence.passes < calibration.passes:
        calibration = None
    summary, labels = evidence.answered.summary, evidence.labels
    mc, wrong = score(summary.mean, labels, classes), summary.predicted != labels
    plain = score(evidence.plain, labels, classes)
    counts = np.bincount(labels, minlength=len(classes))
    taken = _taken(evidence, calibration)
    likely = summary.mean.max(axis=1)[taken]
    policy = None if calibration is None else calibration.policy
    return EvaluationMetrics(
        rows=len(labels),
        passes=evidence.passes,
        classes=tuple(classes),
        class_rows=tuple(counts.tolist()),
        mc=mc | _common(summary.predicted, labels, counts),
        deterministic=plain | _common(np.argmax(evidence.plain, axis=1), labels, counts),
        rare={
            name: (int((~wrong[labels == at]).sum()), int(counts[at]))
            for at, name in enumerate(classes)
            if counts[at] < COMMON
        },
        reliability=(
            reliability(summary.mean, labels, "equal_width"),
            reliability(summary.mean, labels, "equal_mass"),
        ),
        risks=risks(evidence.plain, summary, labels),
        confusion=_confusion(labels, summary.predicted, len(classes)),
        confusion_automated=None
        if calibration is None
        else _confusion(labels[taken], summary.predicted[taken], len(classes)),
        right=doubt(summary, ~wrong),
        wrong=doubt(summary, wrong),
        sets=() if calibration is None else all_sets(calibration, summary.mean, labels),
        promises=_promises(evidence, calibration, wrong),
        likelihoods=_likelihoods(likely, wrong[taken]),
        least_likelihood=float(likely.min()) if len(likely) else None,
        target=None if policy is None else policy.target,
        coverage=None if calibration is None else calibration.coverage,
        shifts=tuple(
            shift_figures(shifted, evidence.answered, calibration) for shifted in evidence.shifts
        ),
        precision=evidence.precision,
    )


def held_out_figures(figures: EvaluationMetrics) -> dict[str, float]:
    """Select the most important metrics, by name, for a manifest; undefined ones are left out."""
    base, *_, entropy, _information = figures.risks
    width, mass = figures.reliability
    found: dict[str, float | None] = {
        "aurc": entropy.aurc,
        "aurc_base": base.aurc,
        "error_auroc": entropy.auroc,
        "ece_chance": width.expected,
        "ece_equal_mass": mass.ece,
        "ece_equal_mass_chance": mass.expected,
    }
    for sets in figures.sets:
        if sets.asked == figures.coverage:
            found |= {f"coverage_{sets.method}": sets.coverage, f"size_{sets.method}": sets.size}
    for kept in figures.promises:
        if kept.target == figures.target:
            found |= {"automated": kept.automated, "wrong_automated": kept.wrong}
            if kept.band is not None:
                found["wrong_band"] = kept.band[1] / kept.band[0] if kept.band[0] else None
                found["least_likelihood"] = figures.least_likelihood
    return {name: value for name, value in found.items() if value is not None}


def _common(grades: Indices, labels: Indices, counts: Indices) -> dict[str, float]:
    common = np.flatnonzero(counts >= COMMON)
    if not len(common):
        return {}
    found = f1_score(labels, grades, labels=common, average="macro", zero_division=0)
    return {"macro_f1_common": float(found)}


def _confusion(labels: Indices, grades: Indices, classes: int) -> tuple[tuple[int, ...], ...]:
    counts = np.bincount(labels * classes + grades, minlength=classes**2)
    return tuple(tuple(row) for row in counts.reshape(classes, classes).tolist())


def _taken(evidence: Evidence, calibration: Calibration | None) -> Booleans:
    """Return a mask `(N,)` of the rows automated at the default target; none uncalibrated."""
    if calibration is None:
        return np.zeros(len(evidence.labels), np.bool_)
    return automated(evidence.answered, calibration, calibration.policy.target)


def _likelihoods(likely: Floats, wrong: Booleans) -> tuple[Likely, ...]:
    """Count automated rows `(M,)`, and the wrong ones, in bins of their grade's probability."""
    places = np.minimum(np.digitize(likely, LIKELIHOODS), len(LIKELIHOODS) - 1)
    return tuple(
        Likely(least, most, int((places == at).sum()), int((wrong & (places == at)).sum()))
        for at, (least, most) in enumerate(pairwise(LIKELIHOODS), start=1)
    )


def _promises(
    evidence: Evidence, calibration: Calibration | None, wrong: Booleans
) -> tuple[PolicyMetrics, ...]:
    if calibration is None:
        return ()
    second = runner_up(evidence.answered.summary.mean)
    return tuple(
        _kept(promise, automated(evidence.answered, calibration, promise.target), second, wrong)
        for promise in calibration.policy.promises
    )


def _kept(promise: Promise, taken: Booleans, second: Floats, wrong: Booleans) -> PolicyMetrics:
    rows, errors = int(taken.sum()), int((taken & wrong).sum())
    band = None
    if promise.band is not None:
        inside = taken & (second >= promise.band.bound)
        band = int(inside.sum()), int((inside & wrong).sum())
    return PolicyMetrics(
        promise.target, rows / len(wrong), errors / rows if rows else 0.0, errors, band
    )
