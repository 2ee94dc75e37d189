"""Selection of a policy: how much may be automated while a promised error rate is kept.

Learn then Test with a fixed sequence (Angelopoulos et al. 2021, sections 2 and 3): hypotheses "the
error rate at this threshold is above the target" are tested from the strictest threshold to the
loosest, each at the full level, up to the first that is not rejected. The order is fixed without a
look at the calibration part's labels, which is why one level is enough for all of them.
"""

import math
from collections.abc import Sequence

import numpy as np

from app.uncertainty.decision import runner_up
from app.values import Booleans, Floats, Indices, Policy, Promise

SHARES = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995)
"""Shares of the validation rows that the thresholds of a path let through."""
TARGETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
TARGET = 0.03
"""The default promise."""
CONFIDENCE = 0.95
RESERVE = 1.1
"""How many times the rows that could pass a test without an error its first step should have."""


def path(validation: Floats) -> tuple[float, ...]:
    """The thresholds, one for each of `SHARES`, from the strictest to the loosest.

    Args:
        validation: `(N,)`, the second largest mean probability of validation rows that neither a
            fixed rule nor their mutual information refers; not of calibration rows.

    Raises:
        IndexError: no rows.
    """
    return tuple(np.quantile(validation, SHARES, method="inverted_cdf").tolist())


def select(
    mean: Floats,
    labels: Indices,
    mutual_information: Floats,
    fixed: Booleans,
    thresholds: Sequence[float],
    epistemic: float,
) -> Policy:
    """The policy for the default targets, from the calibration part's `N` rows.

    Every promise by itself is kept with probability `CONFIDENCE` over the draw of these rows.

    Args:
        mean: `(N, C)`, over the passes.
        labels: `(N,)`, the classes that were right.
        mutual_information: `(N,)`, nats.
        fixed: `(N,)`, whether a fixed rule refers the row.
        thresholds: one for each of `SHARES`, see `path`.
        epistemic: most mutual information of an automated row, chosen without these rows.
    """
    eligible = ~fixed & (mutual_information <= epistemic)
    second = np.where(eligible, runner_up(mean), np.inf)
    wrong = np.argmax(mean, axis=1) != labels
    return Policy(
        confidence=CONFIDENCE,
        target=TARGET,
        epistemic=epistemic,
        promises=tuple(_promise(target, second, wrong, thresholds) for target in TARGETS),
    )


def binomial_tail(errors: int, rows: int, rate: float) -> float:
    """P(Bin(`rows`, `rate`) ≤ `errors`), the exact sum; 0 < `rate` < 1."""
    logs = (
        math.lgamma(rows + 1)
        - math.lgamma(k + 1)
        - math.lgamma(rows - k + 1)
        + k * math.log(rate)
        + (rows - k) * math.log1p(-rate)
        for k in range(min(errors, rows) + 1)
    )
    return min(1.0, math.fsum(map(math.exp, logs)))


def first_step(eligible: int, target: float) -> int:
    """The first of `SHARES` that a test of so many eligible rows begins with; past all if none.

    Fewer rows than log(1 − confidence) / log(1 − target) fail even without an error, and would end
    the sequence at once. How many are eligible says nothing about the labels, nor about which of
    the eligible a threshold lets through, so that choosing by it keeps the order fixed.
    """
    needed = RESERVE * math.log(1 - CONFIDENCE) / math.log1p(-target)
    return sum(share * eligible < needed for share in SHARES)


def _promise(
    target: float, second: Floats, wrong: Booleans, thresholds: Sequence[float]
) -> Promise:
    """The loosest threshold that passed; `second` `(N,)` is ∞ where a row cannot be automated."""
    kept = Promise(target, None, 0.0, 0.0)
    for threshold in thresholds[first_step(int(np.isfinite(second).sum()), target) :]:
        automated = second <= threshold
        rows, errors = int(automated.sum()), int((automated & wrong).sum())
        if binomial_tail(errors, rows, target) > 1 - CONFIDENCE:
            break
        kept = Promise(target, threshold, rows / len(second), errors / rows)
    return kept
