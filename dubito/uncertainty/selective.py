"""Metrics of selective prediction: error rates when the least confident answers are left out."""

import numpy as np

from dubito.types import Booleans, Floats


def risk_coverage(confidence: Floats, wrong: Booleans) -> tuple[Floats, Floats]:
    """Compute coverages 1/N … 1 and the error rate of the most confident rows at each, both `(N,)`.

    Rows of equal confidence are not ordered: at a coverage that includes only some of them, the
    rate is the expected one if those are drawn at random.

    Args:
        confidence: `(N,)`, larger is more confident.
        wrong: `(N,)`, whether the answer was wrong.
    """
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    rates = np.bincount(group, weights=wrong) / sizes
    taken = np.arange(1, len(wrong) + 1)
    return taken / len(wrong), np.cumsum(np.repeat(rates, sizes)) / taken


def area_under_risk(confidence: Floats, wrong: Booleans) -> float:
    """Compute the AURC, 0 to 1: the mean of `risk_coverage`'s rates (Geifman et al. 2019, eq. 2).

    Raises:
        ZeroDivisionError: there are no rows.
    """
    return float(risk_coverage(confidence, wrong)[1].sum()) / len(wrong)


def area_under_roc(score: Floats, positive: Booleans) -> float:
    """Compute the AUROC, 0 to 1, from mean ranks (Mann and Whitney 1947).

    It is the probability that a positive row scores above a negative one, with ties counting half.
    With uncertainty as score and error as positive it measures how well errors are detected.

    Args:
        score: `(N,)`, larger is more likely positive.
        positive: `(N,)`, whether a row is positive.

    Raises:
        ZeroDivisionError: no row is positive, or every row is.
    """
    _, group, sizes = np.unique(score, return_inverse=True, return_counts=True)
    ranks = np.cumsum(sizes) - (sizes - 1) / 2
    number = int(positive.sum())
    above = float(ranks[group][positive].sum()) - number * (number + 1) / 2
    return above / (number * (len(positive) - number))
