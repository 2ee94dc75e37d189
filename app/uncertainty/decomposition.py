"""Total, aleatoric and epistemic uncertainty of a set of passes.

H[mean] = expected H[pass] + mutual information: Depeweg et al. 2018 (eq. 1–3), after BALD
(Houlsby et al. 2011, eq. 2). Sums over passes are float64 and of one order, see `over_passes`.
"""

import numpy as np

from app.values import Floats, Summary


def summarise(draws: Floats) -> Summary:
    """Statistics over the passes of `draws` `(T, N, C)`, each pass' classes summing to 1."""
    draws = np.ascontiguousarray(draws, dtype=np.float64)
    passes = len(draws)
    mean = over_passes(draws) / passes
    variance = over_passes(np.square(draws - mean)) / passes
    predictive = entropy(mean)
    expected = over_passes(entropy(draws)) / passes
    return Summary(
        mean=mean,
        std=np.sqrt(variance),
        predictive_entropy=predictive,
        expected_entropy=expected,
        mutual_information=np.maximum(predictive - expected, 0.0),
        variation_ratio=variation_ratio(draws),
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
    logarithms = np.log(np.where(probabilities > 0, probabilities, 1.0))
    nats: Floats = np.maximum(-(probabilities * logarithms).sum(axis=-1), 0.0)
    return nats


def variation_ratio(draws: Floats) -> Floats:
    """1 − share of passes that vote for the most-voted class (Freeman 1965); `(T, N, C)` → `(N,)`.

    A pass votes for its argmax, a tie for the lower class index.
    """
    votes = draws.argmax(axis=-1)
    counts = (votes[..., None] == np.arange(draws.shape[-1])).sum(axis=0)
    share: Floats = 1.0 - counts.max(axis=-1) / len(draws)
    return share
