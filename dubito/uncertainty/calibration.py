"""Calibration of confidence: calibration errors, and temperature scaling to reduce them."""

from collections.abc import Callable

import numpy as np

from dubito.types import Floats, Indices
from dubito.uncertainty.decomposition import over_passes

LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.05, 20.0
GRID_POINTS = 25
PRECISION = 1e-4
"""Precision of the logarithm of a temperature."""
GOLDEN = (5**0.5 - 1) / 2


def expected_calibration_error(probabilities: Floats, labels: Indices, bins: int = 15) -> float:
    """Compute the expected calibration error, 0 to 1 (Guo et al. 2017, equation 3).

    It is the mean over rows of |accuracy − mean confidence| in the row's bin, where confidence is
    the probability of the top class (a tie goes to the lower class index).

    Args:
        probabilities: `(N, C)`, at least one row.
        labels: `(N,)`, the class indices that were right.
        bins: number of bins of equal width, each `(a, b]`, that cover 0 to 1.

    Raises:
        ZeroDivisionError: there are no rows or no bins.
    """
    confidence = probabilities.max(axis=1)
    right = np.argmax(probabilities, axis=1) == labels
    edges = np.arange(1, bins) / bins
    place = np.searchsorted(edges, confidence, side="left")
    gaps = np.bincount(place, weights=right - confidence)
    return float(np.abs(gaps).sum()) / len(labels)


def adaptive_calibration_error(probabilities: Floats, labels: Indices, bins: int = 15) -> float:
    """Compute the calibration error over bins of equal mass, 0 to 1 (Nguyen & O'Connor 2015).

    The row of rank r among `N`, from 0 and by confidence, is in bin ⌊r · bins / N⌋. Rows of equal
    confidence have the rank of the first of them, so that the order of rows does not matter.

    Args:
        probabilities: `(N, C)`, at least one row.
        labels: `(N,)`, the class indices that were right.
        bins: number of bins.

    Raises:
        ZeroDivisionError: there are no rows.
    """
    confidence = probabilities.max(axis=1)
    right = np.argmax(probabilities, axis=1) == labels
    ranks = np.searchsorted(np.sort(confidence), confidence, side="left")
    place = ranks * bins // max(len(labels), 1)
    gaps = np.bincount(place, weights=right - confidence)
    return float(np.abs(gaps).sum()) / len(labels)


def temper(draws: Floats, temperature: float) -> Floats:
    """Scale every pass by a temperature: softmax(log p / temperature), `(T, N, C)`.

    Temperature scaling (Guo et al. 2017, equation 9) of each pass; a probability of 0 stays 0.

    Args:
        draws: `(T, N, C)`, or any other leading axes.
        temperature: above 0; below 1 it sharpens, above 1 it softens.
    """
    with np.errstate(divide="ignore"):
        logarithms = np.log(draws)
    powers = np.exp((logarithms - logarithms.max(axis=-1, keepdims=True)) / temperature)
    tempered: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return tempered


def best_temperature(draws: Floats, labels: Indices) -> float:
    """Find the temperature of least negative log-likelihood of the mean over passes, 0.05 to 20.

    It searches a grid over log-temperature, then by golden sections between the best point's
    neighbours, to a relative 1e-4.

    Args:
        draws: `(T, N, C)`.
        labels: `(N,)`, the class indices that were right.
    """
    grid = np.linspace(np.log(LEAST_TEMPERATURE), np.log(MOST_TEMPERATURE), GRID_POINTS)
    best = int(np.argmin([_loss(draws, labels, point) for point in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return float(np.exp(_minimum(lambda point: _loss(draws, labels, point), low, high)))


def cautious_temperature(draws: Floats, labels: Indices) -> float:
    """Find the temperature nearest to 1 that these rows do not distinguish from the best one.

    Its negative log-likelihood is within one standard error, paired over the rows, of the least one
    (the one-standard-error rule, Breiman et al. 1984, section 3.4.3), so that few rows are not
    overfitted. With many rows, or a badly calibrated network, the result approaches the best
    temperature.

    Args:
        draws: `(T, N, C)`, at least two rows.
        labels: `(N,)`, the class indices that were right.
    """
    best = float(np.log(best_temperature(draws, labels)))
    least = _losses(draws, labels, best)

    def alike(log_temperature: float) -> bool:
        excess = _losses(draws, labels, log_temperature) - least
        return bool(excess.mean() <= excess.std(ddof=1) / len(labels) ** 0.5)

    near, far = best, 0.0
    if alike(far):
        return 1.0
    while abs(near - far) > PRECISION:
        middle = (near + far) / 2
        near, far = (middle, far) if alike(middle) else (near, middle)
    return float(np.exp(near))


def _loss(draws: Floats, labels: Indices, log_temperature: float) -> float:
    return float(_losses(draws, labels, log_temperature).mean())


def _losses(draws: Floats, labels: Indices, log_temperature: float) -> Floats:
    """Compute negative log-likelihoods `(N,)` of the mean over tempered passes, nats."""
    mean = over_passes(temper(draws, float(np.exp(log_temperature)))) / len(draws)
    likelihoods = np.take_along_axis(mean, labels[:, None], axis=1)[:, 0]
    losses: Floats = -np.log(np.maximum(likelihoods, np.finfo(np.float64).tiny))
    return losses


def _minimum(loss: Callable[[float], float], low: float, high: float) -> float:
    """Find the minimum of a unimodal function by golden sections (Kiefer 1953)."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > PRECISION:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2
