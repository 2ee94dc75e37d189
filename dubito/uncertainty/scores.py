"""Nonconformity scores for conformal prediction: how badly a class fits a row's probabilities."""

from collections.abc import Callable

import numpy as np

from dubito.types import Floats, Indices


def class_scores(method: str, probabilities: Floats, penalty: float, free: int) -> Floats:
    """Compute the score of every class of every row, `(N, C)` → `(N, C)`; small fits well.

    - `lac`: 1 − the class' probability (Sadinle et al. 2019).
    - `aps`: the mass of the classes at least as probable, itself included; not randomised
      (Romano et al. 2020). Classes of equal probability count from the lower index.
    - `raps`: as `aps`, plus `penalty` for every class in that mass beyond the first `free`
      (Angelopoulos et al. 2021).
    - `adjacent`: the mass of the smallest interval of ordered classes that contains the class.
      Intervals grow from the grade, each time by the more probable neighbour, a tie by the lower.

    Args:
        method: one of the names above.
        probabilities: `(N, C)`.
        penalty: λ of `raps`; ignored by the others.
        free: k of `raps`; ignored by the others.

    Raises:
        KeyError: there is no such method.
    """
    return _METHODS[method](probabilities, penalty, free)


def label_scores(
    method: str, probabilities: Floats, labels: Indices, penalty: float, free: int
) -> Floats:
    """Compute the scores `(N,)` of the right classes `labels` `(N,)`, see `class_scores`.

    Raises:
        KeyError: there is no such method.
    """
    scores = class_scores(method, probabilities, penalty, free)
    return np.take_along_axis(scores, labels[:, None], axis=1)[:, 0]


def _lac(probabilities: Floats, _penalty: float, _free: int) -> Floats:
    return 1 - probabilities


def _aps(probabilities: Floats, _penalty: float, _free: int) -> Floats:
    return _raps(probabilities, 0.0, 0)


def _raps(probabilities: Floats, penalty: float, free: int) -> Floats:
    order = np.argsort(-probabilities, axis=1, kind="stable")
    mass = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1)
    place = np.arange(1, probabilities.shape[1] + 1)
    scores = np.empty_like(mass)
    np.put_along_axis(scores, order, mass + penalty * np.maximum(0, place - free), axis=1)
    return scores


def _adjacent(probabilities: Floats, _penalty: float, _free: int) -> Floats:
    rows = np.arange(len(probabilities))
    edged = np.pad(probabilities, ((0, 0), (1, 1)), constant_values=-1)
    scores = np.empty_like(edged)
    left = right = np.argmax(edged, axis=1)
    scores[rows, left] = mass = edged[rows, left]
    for _ in range(probabilities.shape[1] - 1):
        lower = edged[rows, left - 1] >= edged[rows, right + 1]
        left, right = left - lower, right + ~lower
        reached = np.where(lower, left, right)
        scores[rows, reached] = mass = mass + edged[rows, reached]
    return scores[:, 1:-1]


_METHODS: dict[str, Callable[[Floats, float, int], Floats]] = {
    "lac": _lac,
    "aps": _aps,
    "raps": _raps,
    "adjacent": _adjacent,
}

METHODS = tuple(_METHODS)
"""Names of the scores, as `method` takes them."""


def offered(*, ordered: bool) -> tuple[str, ...]:
    """Return the scores that suit classes: those without an order have no neighbours."""
    return METHODS if ordered else tuple(name for name in METHODS if name != "adjacent")
