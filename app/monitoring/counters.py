"""Counts answers, and their outcomes, into the tallies that statistics are computed from.

All counts are integers that are added up, so that any number of processes gives the same result as
one. Sums of probabilities are in millionths.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from app.count_keys import CountKey, Family, key
from app.monitoring.log_bins import EDGES, place
from app.record_events import MonteCarloPart, PlainPart, Tally
from app.recorded_prediction import Body, MonteCarloBody
from app.watched_bundle import WatchedBundle
from dubito.answer import AnyAnswer, MonteCarloResult, kind_of
from dubito.types import Calibration
from dubito.uncertainty.bins import information_stream
from dubito.uncertainty.conformal import SCORE_TOLERANCE, score_threshold
from dubito.uncertainty.decision import promise_of

MILLION = 1_000_000
CONFIDENCE_BINS = 15
"""Number of confidence bins of equal width, as in the study's calibration error."""
CONFIDENCE_EDGES = tuple(index / CONFIDENCE_BINS for index in range(1, CONFIDENCE_BINS))
"""Upper ends of the confidence bins but the last; each bin includes its upper end."""
COVERAGE = 0.99
"""Coverage of the raw prediction sets whose misses are counted."""
ENTROPY = tuple(key(Family.ENTROPY, index) for index in range(len(EDGES) + 1))
INFORMATION = tuple(key(Family.INFORMATION, index) for index in range(len(EDGES) + 1))
ROWS, EXPECTED_ROWS = key(Family.ROWS), key(Family.EXPECTED, "rows")
EXPECTED_RIGHT = key(Family.EXPECTED, "right")
EXPECTED_WRONG = key(Family.EXPECTED, "automated_wrong")
OF_BUNDLE = (f"{Family.RAW}.", f"{Family.BAND}.")
"""Prefixes of the counts that only the bundle that made the prediction can compute."""
Pair = tuple[CountKey, int]
"""A count's key, and the number to add to the count."""


class AnswerCounter:
    """Counts the answers of one bundle."""

    def __init__(self, watched: WatchedBundle) -> None:
        """Set the bundle, whose signature and calibration supply reference bins and policy."""
        self.digest = watched.identity.digest
        """Digest of the bundle."""
        places = {
            name: (bins, [key(Family.STREAM, stream, index) for index in range(bins.size)])
            for stream, (name, bins) in enumerate(watched.streams.items())
        }
        self._features = [places[name] for name in watched.signature.names]
        """Bins of each feature, and the keys of their counts."""
        self._information = places.get(information_stream(watched.signature))
        calibration = watched.calibration
        self._passes = 0 if calibration is None else calibration.passes
        self._policy = None if calibration is None else calibration.policy
        self._most_score = None if calibration is None else _raw_threshold(calibration)

    def answered(self, part: PlainPart | MonteCarloPart, rows: Sequence[Sequence[float]]) -> Tally:
        """Count the answers of a part; `rows` `(N, F)` are the features that were answered.

        The mutual information of the first row is watched for drift if its seed was drawn for it:
        further rows of the request have the same seed, and seeds chosen by callers may be shared
        with other requests.
        """
        names = list[CountKey]()
        answers: Sequence[AnyAnswer] = part.answers
        for answer, row in zip(answers, rows, strict=True):
            self._name_row(names, answer, row)
        counts = Counter(names)
        if isinstance(part, MonteCarloPart):
            names = []
            for one in part.answers:
                _name_result(names, one.result)
            first = part.answers[0].result
            # Mutual information is comparable with the calibration rows' only at their number of
            # passes.
            if part.is_drawn and self._information and first.passes == self._passes:
                bins, keys = self._information
                names.append(keys[bins.index(first.uncertainty.mutual_information)])
            counts.update(names)
            for one in part.answers:
                for name, more in _sums(one.result):
                    counts[name] += more
        return Tally(self.digest, counts)

    def came_out(self, body: Body, true_class: str) -> Tally:
        """Count the true class of a recorded prediction."""
        return Tally(body.model.digest, dict(self._of_outcome(body, true_class)))

    def _name_row(self, names: list[CountKey], answer: AnyAnswer, row: Sequence[float]) -> None:
        """Append the keys that an answer of either kind increments; this delays every answer."""
        names += (ROWS, key(Family.GRADE, answer.result.predicted))
        for warning in answer.warnings:
            names.append(key(Family.WARNING, kind_of(warning)))
        names += [
            keys[bins.index(value)] for (bins, keys), value in zip(self._features, row, strict=True)
        ]

    def _of_outcome(self, body: Body, true_class: str) -> Iterator[Pair]:
        is_right = body.answer.predicted == true_class
        yield key(Family.KNOWN, "rows"), 1
        yield key(Family.KNOWN, "right"), int(is_right)
        if not isinstance(body, MonteCarloBody):
            return
        result, wrong = body.answer, int(not is_right)
        yield from _of_confidence(result, wrong)
        decision = result.decision
        if decision is None or not decision.guaranteed:
            return
        is_automated, target = decision.action == "automate", decision.target
        if is_automated:
            yield key(Family.AUTOMATED, target, "rows"), 1
            yield key(Family.AUTOMATED, target, "wrong"), wrong
        if body.model.digest != self.digest:
            return
        if is_automated and self._is_in_band(result, target):
            yield key(Family.BAND, decision.case_limit, "rows"), 1
            yield key(Family.BAND, decision.case_limit, "wrong"), wrong
        if self._most_score is not None:
            score = 1 - result.mean[true_class]
            yield key(Family.RAW, "rows"), 1
            yield key(Family.RAW, "missed"), int(score - self._most_score > SCORE_TOLERANCE)

    def _is_in_band(self, result: MonteCarloResult, target: float) -> bool:
        """Whether an automated row is among the least certain, about which a promise is made."""
        if self._policy is None or self._policy.case_limit is None:
            return False
        band = promise_of(self._policy, target).band
        return band is not None and sorted(result.mean.values())[-2] >= band.bound


def _name_result(names: list[CountKey], result: MonteCarloResult) -> None:
    """Append the further keys that a Monte-Carlo result increments."""
    names += (
        EXPECTED_ROWS,
        ENTROPY[place(result.uncertainty.predictive_entropy)],
        INFORMATION[place(result.uncertainty.mutual_information)],
    )
    if result.decision is not None and result.prediction_set is not None:
        names.append(key(Family.ACTION, result.decision.action))
        names.append(key(Family.SET, len(result.prediction_set.classes)))
        names += [key(Family.REASON, reason) for reason in result.decision.reasons]


def _of_confidence(result: MonteCarloResult, wrong: int) -> Iterator[Pair]:
    confidence = result.mean[result.predicted]
    index = bisect_left(CONFIDENCE_EDGES, confidence)
    yield key(Family.CONFIDENCE, index, "rows"), 1
    yield key(Family.CONFIDENCE, index, "right"), 1 - wrong
    yield key(Family.CONFIDENCE, index, "sum"), round(MILLION * confidence)
    entropy = place(result.uncertainty.predictive_entropy)
    yield key(Family.RISK, entropy, "rows"), 1
    yield key(Family.RISK, entropy, "wrong"), wrong


def _sums(result: MonteCarloResult) -> Iterator[Pair]:
    """Yield what a result adds to counts that grow by more than 1."""
    yield key(Family.PASSES), result.passes
    expected = result.mean[result.predicted]
    yield EXPECTED_RIGHT, round(MILLION * expected)
    if result.decision is not None and result.decision.action == "automate":
        yield EXPECTED_WRONG, round(MILLION * (1 - expected))


def _raw_threshold(calibration: Calibration) -> float | None:
    """Return the score of the true class above which a raw prediction set misses it."""
    scores = calibration.scores.get("lac")
    return None if scores is None else score_threshold(np.array(scores), COVERAGE)
