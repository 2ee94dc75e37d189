"""Selective prediction: how wrong the answers are when the least sure ones are left out."""

import numpy as np

from dubito.types import Booleans, Floats


def risk_coverage(confidence: Floats, wrong: Booleans) -> tuple[Floats, Floats]:
    """Coverages 1/N … 1 and the error rate of the surest rows at each, `(N,)` both.

    Rows of equal confidence stand in no order: at a coverage that takes only some of them, the
    rate is the expected one if those are drawn at random.

    Args:
        confidence: `(N,)`, larger is surer.
        wrong: `(N,)`, whether the answer was wrong.
    """
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    rates = np.bincount(group, weights=wrong) / sizes
    taken = np.arange(1, len(wrong) + 1)
    return taken / len(wrong), np.cumsum(np.repeat(rates, sizes)) / taken


def area_under_risk(confidence: Floats, wrong: Booleans) -> float:
    """AURC, 0 to 1: the mean over the coverages of `risk_coverage` (Geifman et al. 2019, eq. 2).

    Raises:
        ZeroDivisionError: no rows.
    """
    return float(risk_coverage(confidence, wrong)[1].sum()) / len(wrong)


def area_under_roc(score: Floats, positive: Booleans) -> float:
    """AUROC, 0 to 1: the chance that a positive row scores above another, a tie counting half.

    From the mean ranks (Mann and Whitney 1947). With uncertainty as score and error as positive it
    says how well errors are found.

    Args:
        score: `(N,)`.
        positive: `(N,)`.

    Raises:
        ZeroDivisionError: no row is positive, or every row is.
    """
    _, group, sizes = np.unique(score, return_inverse=True, return_counts=True)
    ranks = np.cumsum(sizes) - (sizes - 1) / 2
    number = int(positive.sum())
    above = float(ranks[group][positive].sum()) - number * (number + 1) / 2
    return above / (number * (len(positive) - number))
