"""Total, aleatoric and epistemic uncertainty of a set of passes.

H[mean] = expected H[pass] + mutual information: Depeweg et al. 2018 (eq. 1–3), after BALD
(Houlsby et al. 2011, eq. 2). Sums over passes are float64 and of one order, see `over_passes`.
"""

import numpy as np

from dubito.types import Floats, Summary

OVERFLOWING = np.errstate(over="ignore", invalid="ignore")
"""Lets numbers overflow without a warning: whoever answers a row looks at what came of it."""


@OVERFLOWING
def summarise(draws: Floats) -> Summary:
    """Statistics over the passes of `draws` `(T, N, C)`, each pass' classes summing to 1.

    Those of a row with a pass that is no number are none either, and its mean shows it.
    """
    # Classes before rows: NumPy is slow along the few classes of one pass after the other.
    by_class = np.ascontiguousarray(np.swapaxes(draws, 1, 2), dtype=np.float64)
    passes = len(by_class)
    # One sum of probabilities and entropies: its many additions cost more by number than by size.
    sums = over_passes(np.concatenate([by_class, _nats(by_class)[:, None]], axis=1)) / passes
    mean, expected = sums[:-1], sums[-1]
    variance = over_passes(np.square(by_class - mean)) / passes
    predictive = _nats(mean[None])[0]
    return Summary(
        mean=np.ascontiguousarray(mean.T),
        std=np.ascontiguousarray(np.sqrt(variance).T),
        predictive_entropy=predictive,
        expected_entropy=expected,
        mutual_information=np.maximum(predictive - expected, 0.0),
        variation_ratio=_variation_ratio(by_class),
    )


def over_passes(values: Floats) -> Floats:
    """The sum over the first axis `T`, pairwise, in an order that `T` alone decides.

    Made of elementwise additions of halves. `np.sum` would choose its order by the memory layout:
    one row alone is summed in another order than the same row among others.
    """
    while len(values) > 1:
        half = len(values) // 2
        paired = values[:half] + values[half : 2 * half]
        if len(values) % 2:
            paired[0] += values[-1]
        values = paired
    total: Floats = values[0]
    return total


def entropy(probabilities: Floats) -> Floats:
    """Shannon entropy in nats along the last axis; 0 · log 0 is 0."""
    leading = probabilities.shape[:-1]
    return _nats(probabilities.reshape(-1, probabilities.shape[-1], 1)).reshape(leading)


def _nats(probabilities: Floats) -> Floats:
    """Shannon entropies `(T, N)` of `(T, C, N)`, summed from the first class on."""
    logarithms = np.log(np.where(probabilities > 0, probabilities, 1.0))
    logarithms *= probabilities
    total = logarithms[:, 0].copy()
    for one in range(1, logarithms.shape[1]):
        total += logarithms[:, one]
    nats: Floats = np.maximum(-total, 0.0)
    return nats


def variation_ratio(draws: Floats) -> Floats:
    """1 − share of passes that vote for the most-voted class (Freeman 1965); `(T, N, C)` → `(N,)`.

    A pass votes for its argmax, a tie for the lower class index.
    """
    return _variation_ratio(np.swapaxes(draws, 1, 2))


def _variation_ratio(by_class: Floats) -> Floats:
    """Of `(T, C, N)`: a class gets the votes of passes in which it is the first of the largest."""
    votes = by_class == by_class.max(axis=1, keepdims=True)
    counted = np.add.reduce(votes, axis=0, dtype=np.intp)
    if (counted.sum(axis=0) > len(by_class)).any():
        # Ties: only the first of the largest has the vote.
        votes &= np.add.accumulate(votes, axis=1, dtype=np.intp) == 1
        counted = np.add.reduce(votes, axis=0, dtype=np.intp)
    share: Floats = 1.0 - counted.max(axis=0) / len(by_class)
    return share
