"""How far stated confidence and observed accuracy lie apart."""

import numpy as np

from app.values import Floats, Indices


def expected_calibration_error(probabilities: Floats, labels: Indices, bins: int = 15) -> float:
    """Expected calibration error, 0 to 1 (Guo et al. 2017, equation 3).

    The mean over rows of |accuracy − mean confidence| in the row's bin, where confidence is the
    probability of the top class (a tie goes to the lower class index).

    Args:
        probabilities: `(N, C)`, at least one row.
        labels: `(N,)`, the class indices that were right.
        bins: how many bins of equal width, each `(a, b]`, cover 0 to 1.

    Raises:
        ZeroDivisionError: no rows, or no bins.
    """
    confidence = probabilities.max(axis=1)
    right = np.argmax(probabilities, axis=1) == labels
    edges = np.arange(1, bins) / bins
    place = np.searchsorted(edges, confidence, side="left")
    gaps = np.bincount(place, weights=right - confidence)
    return float(np.abs(gaps).sum()) / len(labels)
