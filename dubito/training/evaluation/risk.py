"""Risk-coverage curves: how well each uncertainty measure ranks wrong predictions last."""

from dataclasses import dataclass

import numpy as np

from dubito.types import Booleans, Floats, Indices, Summary
from dubito.uncertainty.decision import runner_up
from dubito.uncertainty.selective import area_under_risk, area_under_roc, risk_coverage

BASE = "1 − max probability, one pass without dropout"
POINTS = 400
"""Greatest number of points of a stored curve."""


@dataclass(frozen=True, slots=True)
class Risk:
    """Risk-coverage curve of one uncertainty measure for the predictions it belongs to."""

    score: str
    coverage: tuple[float, ...]
    """Share of rows predicted, the most certain first; at most `POINTS` points of the curve."""
    risk: tuple[float, ...]
    """Share of the predicted rows that are wrong, at each coverage."""
    aurc: float
    """Area under the whole curve: the mean risk over all coverages."""
    auroc: float | None
    """Probability that a random wrong row is more uncertain than a random right one, ties counted
    half; None if all rows are right or all wrong."""


def risks(plain: Floats, summary: Summary, labels: Indices) -> tuple[Risk, ...]:
    """Compute the curves, the base line first: that of `plain` `(N, C)`, the deterministic pass."""
    wrong = summary.predicted != labels
    doubts = {
        "1 − max probability, mean of the passes": 1 - summary.mean.max(axis=1),
        "second largest probability": runner_up(summary.mean),
        "predictive entropy": summary.predictive_entropy,
        "mutual information": summary.mutual_information,
    }
    base = _risk(BASE, 1 - plain.max(axis=1), np.argmax(plain, axis=1) != labels)
    return base, *(_risk(name, doubt, wrong) for name, doubt in doubts.items())


def separation(doubt: Floats, positive: Booleans) -> float | None:
    """Compute the AUROC of an uncertainty `(N,)` for positive rows; None if all are of one kind."""
    return area_under_roc(doubt, positive) if 0 < positive.sum() < len(positive) else None


def _risk(name: str, doubt: Floats, wrong: Booleans) -> Risk:
    coverage, risk = risk_coverage(-doubt, wrong)
    shown = np.unique(np.linspace(0, len(wrong) - 1, POINTS).astype(np.intp))
    return Risk(
        score=name,
        coverage=tuple(coverage[shown].tolist()),
        risk=tuple(risk[shown].tolist()),
        aurc=area_under_risk(-doubt, wrong),
        auroc=separation(doubt, wrong),
    )
