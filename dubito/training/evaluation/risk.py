"""Risk: how well each measure of doubt finds the wrong answers."""

from dataclasses import dataclass

import numpy as np

from dubito.types import Booleans, Floats, Indices, Summary
from dubito.uncertainty.decision import runner_up
from dubito.uncertainty.selective import area_under_risk, area_under_roc, risk_coverage

BASE = "1 − max probability, one pass without dropout"
POINTS = 400
"""Of a curve, at most."""


@dataclass(frozen=True, slots=True)
class Risk:
    """One measure of doubt against the errors of the answers it goes with."""

    score: str
    coverage: tuple[float, ...]
    """Share of rows that are answered, the surest first; at most `POINTS` of the curve."""
    risk: tuple[float, ...]
    """Share of these that are wrong."""
    aurc: float
    """Area under the whole curve: the mean risk over all coverages."""
    auroc: float | None
    """Chance that a wrong row has more doubt than a right one; None if all are of one kind."""


def risks(plain: Floats, summary: Summary, labels: Indices) -> tuple[Risk, ...]:
    """The base line first: `plain` `(N, C)` is of the deterministic pass."""
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
    """AUROC with which doubt `(N,)` tells positive rows; None where all rows are of one kind."""
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
