"""Uncertainty metrics: entropies of right and wrong rows, and the detection of shifted rows."""

from dataclasses import dataclass

import numpy as np

from dubito.training.evaluation.predictions import Answered, Shifted
from dubito.training.evaluation.risk import separation
from dubito.types import Booleans, Calibration, Floats, Summary
from dubito.uncertainty.decision import Limits, ambiguous, promise_of

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Entropies of a group of rows, in nats."""

    rows: int
    predictive: float
    """Mean predictive entropy (total): `expected` plus `mutual_information`."""
    expected: float
    """Mean expected entropy (aleatoric), on which the passes agree."""
    mutual_information: float
    """Mean mutual information (epistemic), from the passes' disagreement."""
    quantiles: tuple[tuple[float, ...], ...]
    """Quantiles at `LEVELS` of predictive entropy, expected entropy and mutual information."""


@dataclass(frozen=True, slots=True)
class ShiftFigures:
    """Detection of the rows that a shift changed."""

    name: str
    rows: int
    """Number of rows that the shift changes and that have predictions."""
    unchanged: int
    """Number of rows that the shift leaves as they were."""
    refused: int
    """Number of changed rows that the service would reject or could not predict."""
    auroc: float | None
    """Probability that a random changed row ranks above a random original, ties counted half; the
    rank is mutual information, of a number the std over the passes, with rows out of the guard's
    range above all others."""
    auroc_passes: float | None
    """Probability, as in `auroc`, ranked without the guard."""
    alarmed: float | None
    """Share of the changed rows in which the guard found a value out of range."""
    referred: float | None
    """Share of the changed rows that are referred; None without a calibration."""


def doubt(summary: Summary, chosen: Booleans) -> Doubt | None:
    """Compute the entropies of the rows in the mask `chosen` `(N,)`; None if there are none."""
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
    """Return a mask `(N,)` of the rows that `decide` automates at a target."""
    policy, summary = calibration.policy, answered.summary
    doubtful = Limits.of(policy).exceeded(summary.mean, summary.mutual_information)
    doubtful |= ambiguous(promise_of(policy, target), summary.mean)
    kept: Booleans = ~(answered.fixed | doubtful)
    return kept


def shift_figures(
    shifted: Shifted, original: Answered, calibration: Calibration | None
) -> ShiftFigures:
    """Compare the changed rows with the same rows before the change."""
    referred = None
    if calibration is not None and len(shifted.rows):
        kept = automated(shifted.answered, calibration, calibration.policy.target)
        referred = float(1 - kept.mean())
    doubts = original.summary.mutual_information, shifted.answered.summary.mutual_information
    return detection(shifted, original, *doubts, referred)


def detection(
    shifted: Shifted, original: Answered, before: Floats, after: Floats, referred: float | None
) -> ShiftFigures:
    """Measure how well doubt tells changed rows from the same rows before the change.

    Args:
        shifted: the `M` changed rows.
        original: all rows before the change.
        before: `(N,)` epistemic uncertainty of all rows before the change.
        after: `(M,)` that of the changed rows.
        referred: share of the changed rows that are referred; None without a calibration.
    """
    answered = shifted.answered
    passes = np.concatenate([before[shifted.rows], after])
    alarmed = np.concatenate([original.alarmed[shifted.rows], answered.alarmed])
    guarded: Floats = np.where(alarmed, np.inf, passes)
    positive = np.arange(len(passes)) >= len(shifted.rows)
    return ShiftFigures(
        name=shifted.name,
        rows=len(shifted.rows),
        unchanged=shifted.unchanged,
        refused=shifted.refused,
        auroc=separation(guarded, positive),
        auroc_passes=separation(passes, positive),
        alarmed=float(answered.alarmed.mean()) if len(shifted.rows) else None,
        referred=referred,
    )
