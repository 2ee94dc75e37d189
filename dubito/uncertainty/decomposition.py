"""Decomposes the uncertainty of a set of passes into aleatoric and epistemic parts.

H[mean] = expected H[pass] + mutual information: Depeweg et al. 2018 (eq. 1–3), after BALD
(Houlsby et al. 2011, eq. 2). Sums over passes are in float64 and in a fixed order, see
`over_passes`.
"""

import numpy as np

from dubito.types import Floats, Summary

OVERFLOWING = np.errstate(over="ignore", invalid="ignore")
"""Decorator that silences overflow warnings: callers check that results are finite."""


@OVERFLOWING
def summarise(draws: Floats) -> Summary:
    """Compute statistics over the passes of `draws` `(T, N, C)`, whose classes sum to 1.

    If a pass of a row is NaN, the row's mean is NaN too, so that callers can detect it.
    """
    # Classes before rows: NumPy is slow when it reduces the few classes of each pass in turn.
    by_class = np.ascontiguousarray(np.swapaxes(draws, 1, 2), dtype=np.float64)
    passes = len(by_class)
    # One sum of probabilities and entropies together: calls cost more than their array sizes.
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
    """Sum over the first axis `T`, pairwise, in an order that depends on `T` alone.

    It adds halves elementwise. `np.sum` would choose its order by the memory layout, so that one
    row alone is summed in another order than the same row among others.
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
    """Compute Shannon entropy in nats along the last axis; 0 · log 0 is 0."""
    leading = probabilities.shape[:-1]
    return _nats(probabilities.reshape(-1, probabilities.shape[-1], 1)).reshape(leading)


def _nats(probabilities: Floats) -> Floats:
    """Compute Shannon entropies `(T, N)` of `(T, C, N)`, summed in the order of classes."""
    logarithms = np.log(np.where(probabilities > 0, probabilities, 1.0))
    logarithms *= probabilities
    total = logarithms[:, 0].copy()
    for one in range(1, logarithms.shape[1]):
        total += logarithms[:, one]
    nats: Floats = np.maximum(-total, 0.0)
    return nats


def variation_ratio(draws: Floats) -> Floats:
    """Compute 1 − share of passes that vote for the most-voted class (Freeman 1965), `(N,)`.

    A pass of `(T, N, C)` votes for its argmax, in a tie for the lower class index.
    """
    return _variation_ratio(np.swapaxes(draws, 1, 2))


def _variation_ratio(by_class: Floats) -> Floats:
    """Compute the variation ratio `(N,)` of `(T, C, N)`."""
    votes = by_class == by_class.max(axis=1, keepdims=True)
    counted = np.add.reduce(votes, axis=0, dtype=np.intp)
    if (counted.sum(axis=0) > len(by_class)).any():
        # Ties: only the first of the largest classes gets the vote.
        votes &= np.add.accumulate(votes, axis=1, dtype=np.intp) == 1
        counted = np.add.reduce(votes, axis=0, dtype=np.intp)
    share: Floats = 1.0 - counted.max(axis=0) / len(by_class)
    return share
