"""Split conformal prediction: class sets that contain the right class for a share of many rows.

The guarantee is marginal: the requested share is a probability over the joint draw of calibration
rows and new row (Vovk et al. 2005). It holds on average over rows exchangeable with the calibration
rows, and is never the probability that one given row's set contains its class.
"""

from decimal import ROUND_CEILING, Context, Decimal

import numpy as np

from dubito.types import Booleans, Calibration, Floats, Indices, PredictionSets
from dubito.uncertainty.scores import class_scores

LEAST_COVERAGE = 0.5
MOST_COVERAGE = 0.999
EXACT = Context(prec=60)
"""Decimal arithmetic with more digits than a coverage times a number of rows has."""
SCORE_TOLERANCE = 1e-8
"""Tolerance within which two probabilities or scores are equal, the same as MAPIE's."""


def prediction_sets(
    calibration: Calibration,
    mean: Floats,
    method: str,
    coverage: float,
    class_conditional: bool,
) -> PredictionSets:
    """Compute the prediction sets to serve for mean probabilities `(N, C)`.

    Args:
        calibration: scores and labels of the calibration rows.
        mean: `(N, C)`, over as many passes as the calibration's.
        method: a method for which `calibration` has scores.
        coverage: least share of rows whose set contains the right class, 0.5 to 0.999.
        class_conditional: whether the coverage shall hold among the rows of each class separately.

    Raises:
        KeyError: the calibration has no scores of this method.
        ValueError: the coverage is out of range.
    """
    return SetTables(calibration, mean.shape[1]).sets(mean, method, coverage, class_conditional)


class SetTables:
    """A calibration's scores, sorted once: a threshold is then one look-up."""

    def __init__(self, calibration: Calibration, classes: int) -> None:
        """Sort the scores of every method, of all rows and of those of each class."""
        self._calibration, self._classes = calibration, classes
        labels = np.array(calibration.labels)
        scores = {method: np.array(values) for method, values in calibration.scores.items()}
        self._every = {method: np.sort(values) for method, values in scores.items()}
        self._of_classes = {
            method: [np.sort(values[labels == label]) for label in range(classes)]
            for method, values in scores.items()
        }

    def sets(
        self, mean: Floats, method: str, coverage: float, class_conditional: bool
    ) -> PredictionSets:
        """Compute prediction sets for mean probabilities `(N, C)`, see `prediction_sets`."""
        check_coverage(coverage)
        calibration = self._calibration
        options = calibration.penalty, calibration.free
        if class_conditional:
            thresholds = [ranked(scores, coverage) for scores in self._of_classes[method]]
            sets = conditional_sets(method, mean, np.array(thresholds), *options)
        else:
            threshold = ranked(self._every[method], coverage)
            thresholds = [threshold] * self._classes
            sets = raw_sets(method, mean, threshold, *options)
        return PredictionSets(
            sets=served_sets(method, sets, mean),
            always=tuple(at for at, value in enumerate(thresholds) if value == np.inf),
            below_accuracy=coverage < calibration.accuracy,
        )


def score_threshold(scores: Floats, coverage: float) -> float:
    """Return the ⌈(n + 1) · coverage⌉-th smallest of the `n` scores `(n,)`; ∞ if there are fewer.

    The rank is computed from the decimal number that `coverage` prints as: (99 + 1) · 0.55 is 55,
    although it is slightly more in floating point.
    """
    return ranked(np.sort(scores), coverage)


def check_coverage(coverage: float) -> None:
    """Check that a coverage may be requested.

    Raises:
        ValueError: it is out of range.
    """
    if not LEAST_COVERAGE <= coverage <= MOST_COVERAGE:
        raise ValueError(f"coverage is not between {LEAST_COVERAGE} and {MOST_COVERAGE}")


def ranked(scores: Floats, coverage: float) -> float:
    """Return the threshold of sorted scores, see `score_threshold`."""
    exact = EXACT.multiply(Decimal(str(float(coverage))), len(scores) + 1)
    rank = int(exact.to_integral_value(ROUND_CEILING))
    return float(scores[rank - 1]) if rank <= len(scores) else np.inf


def class_thresholds(scores: Floats, labels: Indices, classes: int, coverage: float) -> Floats:
    """Compute a threshold `(C,)` for every class, from the scores of its own rows (Vovk 2012).

    Args:
        scores: `(n,)`, of the calibration rows' right classes.
        labels: `(n,)`, these classes.
        classes: number of classes, `C`.
        coverage: as in `threshold`.
    """
    return np.array(
        [score_threshold(scores[labels == label], coverage) for label in range(classes)]
    )


def raw_sets(
    method: str, probabilities: Floats, threshold: float, penalty: float, free: int
) -> Booleans:
    """Compute the sets `(N, C)` of one threshold for all classes, before additions.

    `lac` and `adjacent`: the classes whose score is at most the threshold; possibly none.
    `aps` and `raps`: the most probable classes up to and including the first whose score reaches
    the threshold (Romano et al. 2020, equation 5, without u). They equal MAPIE's sets with
    `include_last_label=True`, also with ties and vanishing probabilities: a class with a
    probability below 1e-8 is never included, unless the threshold is ∞ or others are no larger.

    Raises:
        KeyError: there is no such method.
    """
    scores = class_scores(method, probabilities, penalty, free)
    if method in ("aps", "raps") and threshold < np.inf:
        return _reaching(probabilities, scores, threshold)
    return scores - threshold <= SCORE_TOLERANCE


def conditional_sets(
    method: str, probabilities: Floats, thresholds: Floats, penalty: float, free: int
) -> Booleans:
    """Compute the sets `(N, C)` of classes whose score is at most their own threshold `(C,)`.

    Raises:
        KeyError: there is no such method.
    """
    return class_scores(method, probabilities, penalty, free) - thresholds <= SCORE_TOLERANCE


def served_sets(method: str, sets: Booleans, mean: Floats) -> Booleans:
    """Add every row's grade to the sets `(N, C)`, and fill the gaps in those of `adjacent`.

    Nothing is removed, so the coverage does not decrease.
    """
    served = sets.copy()
    served[np.arange(len(mean)), mean.argmax(axis=1)] = True
    return _without_gaps(served) if method == "adjacent" else served


def _reaching(probabilities: Floats, scores: Floats, threshold: float) -> Booleans:
    """Compute the classes at least as probable as the first whose score reaches the threshold.

    The last class reaches it in every row: the threshold is another row's score, which exceeds the
    last class' score by rounding at most.
    """
    limit = np.minimum(threshold, scores.max(axis=1, keepdims=True))
    reached = np.where(scores - limit >= -SCORE_TOLERANCE, scores, np.inf)
    last = np.take_along_axis(probabilities, reached.argmin(axis=1)[:, None], axis=1)
    vanishing = probabilities < SCORE_TOLERANCE
    least = np.where(vanishing, np.inf, probabilities).min(axis=1, keepdims=True)
    sets: Booleans = probabilities - np.maximum(last, least) >= -SCORE_TOLERANCE
    return sets


def _without_gaps(sets: Booleans) -> Booleans:
    """Add every class between two classes of a set."""
    begun = np.logical_or.accumulate(sets, axis=1)
    unended = np.logical_or.accumulate(sets[:, ::-1], axis=1)[:, ::-1]
    filled: Booleans = begun & unended
    return filled
