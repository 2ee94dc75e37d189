"""Doubt: what the passes disagree about, on right rows, wrong rows and rows made wrong."""

from dataclasses import dataclass

import numpy as np

from dubito.training.evaluation.predictions import Answered, Shifted
from dubito.training.evaluation.risk import separation
from dubito.types import Booleans, Calibration, Floats, Summary
from dubito.uncertainty.decision import is_likely, promise_of, runner_up

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Doubt:
    """The entropies of one kind of rows, nats."""

    rows: int
    predictive: float
    """Mean; the sum of the two below."""
    expected: float
    """Mean: what the passes agree is open."""
    mutual_information: float
    """Mean: what they disagree about."""
    quantiles: tuple[tuple[float, ...], ...]
    """Predictive, expected, mutual information: their quantiles at `LEVELS`."""


@dataclass(frozen=True, slots=True)
class ShiftFigures:
    """How a shift shows."""

    name: str
    rows: int
    """Rows that it changes."""
    unchanged: int
    refused: int
    """Rows that the service would not take."""
    auroc: float | None
    """Chance that a changed row has more doubt than an original: mutual information, and above
    all of it rows that the guard alarms."""
    auroc_passes: float | None
    """The same by mutual information alone."""
    alarmed: float | None
    """Share of the changed rows that the guard alarms."""
    referred: float | None
    """Share of the changed rows that are referred; None without a calibration."""


def doubt(summary: Summary, chosen: Booleans) -> Doubt | None:
    """The entropies of the rows that are chosen `(N,)`, if there are any."""
    if not chosen.any():
        return None
    predictive = summary.predictive_entropy[chosen]
    expected = summary.expected_entropy[chosen]
    information = summary.mutual_information[chosen]
    return Doubt(
        rows=int(chosen.sum()),
        predictive=float(predictive.mean()),
        expected=float(expected.mean()),
        mutual_information=float(information.mean()),
        quantiles=tuple(
            tuple(np.quantile(part, LEVELS).tolist())
            for part in (predictive, expected, information)
        ),
    )


def automated(answered: Answered, calibration: Calibration, target: float) -> Booleans:
    """Which of the rows `(N,)` get their grade without a person, as `decide` says."""
    promise, summary = promise_of(calibration.policy, target), answered.summary
    if promise.threshold is None:
        return np.zeros(len(summary.mean), np.bool_)
    sure = runner_up(summary.mean) <= promise.threshold
    agreed = summary.mutual_information <= calibration.policy.epistemic
    likely = is_likely(calibration.policy.likelihood, summary.mean)
    kept: Booleans = ~answered.fixed & sure & agreed & likely
    return kept


def shift_figures(
    shifted: Shifted, original: Answered, calibration: Calibration | None
) -> ShiftFigures:
    """How the changed rows stand out from the same rows before."""
    after, some = shifted.answered, len(shifted.rows) > 0
    referred = None
    if calibration is not None and some:
        kept = automated(after, calibration, calibration.policy.target)
        referred = float(1 - kept.mean())
    before = original.summary.mutual_information[shifted.rows]
    passes = np.concatenate([before, after.summary.mutual_information])
    alarmed = np.concatenate([original.alarmed[shifted.rows], after.alarmed])
    guarded: Floats = np.where(alarmed, np.inf, passes)
    positive = np.arange(len(passes)) >= len(before)
    return ShiftFigures(
        name=shifted.name,
        rows=len(shifted.rows),
        unchanged=shifted.unchanged,
        refused=shifted.refused,
        auroc=separation(guarded, positive),
        auroc_passes=separation(passes, positive),
        alarmed=float(after.alarmed.mean()) if some else None,
        referred=referred,
    )
