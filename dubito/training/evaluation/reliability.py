"""Reliability diagrams and calibration error, with the error a calibrated model has by chance."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dubito.types import Booleans, Floats, Indices

BINS = 15
SIMULATIONS = 1000
SEED = 0
"""Seed of the simulations."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Reliability in the `B` bins that contain rows, and the calibration error over them."""

    kind: Literal["equal_width", "equal_mass"]
    rows: tuple[int, ...]
    confidence: tuple[float, ...]
    """Mean probability of the top class, `(B,)`."""
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    """5% quantile `(B,)` of the accuracy of a calibrated model with the same confidences."""
    high: tuple[float, ...]
    """95% quantile `(B,)` of the accuracy of a calibrated model with the same confidences."""
    ece: float
    """Mean over rows of |accuracy − confidence| of their bin, 0 to 1."""
    expected: float
    """95% quantile of `ece` for a calibrated model: a smaller `ece` may be chance."""


def reliability(
    probabilities: Floats, labels: Indices, kind: Literal["equal_width", "equal_mass"]
) -> Reliability:
    """Compare the confidence of probabilities `(N, C)` with labels `(N,)` in 15 bins."""
    confidence = probabilities.max(axis=1)
    right = np.argmax(probabilities, axis=1) == labels
    place = (_by_width if kind == "equal_width" else _by_mass)(confidence)
    _, place, counts = np.unique(place, return_inverse=True, return_counts=True)
    stated = np.bincount(place, confidence) / counts
    simulated = np.array(list(_simulated(confidence, place, counts)))
    low, high = np.quantile(simulated, (0.05, 0.95), axis=0)
    accuracy = np.bincount(place, right) / counts
    weights = counts / len(labels)
    return Reliability(
        kind=kind,
        rows=tuple(counts.tolist()),
        confidence=tuple(stated.tolist()),
        accuracy=tuple(accuracy.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        ece=float(np.abs(accuracy - stated) @ weights),
        expected=float(np.quantile(np.abs(simulated - stated) @ weights, 0.95)),
    )


def _by_width(confidence: Floats) -> Indices:
    """Assign each confidence to a bin `(a, b]` of equal width, as `expected_calibration_error`."""
    return np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left")


def _by_mass(confidence: Floats) -> Indices:
    """Assign each confidence to a bin of equal mass, as `adaptive_calibration_error`."""
    ranks = np.searchsorted(np.sort(confidence), confidence, side="left")
    return ranks * BINS // len(confidence)


def _simulated(confidence: Floats, place: Indices, counts: Indices) -> Iterator[Floats]:
    """Yield simulated accuracies `(B,)` of a model that is right as often as its confidence."""
    random = np.random.default_rng(SEED)
    for _ in range(SIMULATIONS):
        right: Booleans = random.random(len(confidence)) < confidence
        yield np.bincount(place, right) / counts
