"""Counts answers, and their outcomes, into the tallies that statistics are computed from.

All counts are integers that are added up, so that any number of processes gives the same result as
one. Sums of probabilities are in millionths.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from app.count_keys import CountKey, Family, key
from app.monitoring.log_bins import every_place, place
from app.record_events import MonteCarloPart, PlainPart, Tally
from app.recorded_prediction import Body, MonteCarloBody
from app.watched_bundle import WatchedBundle
from dubito.answer import MonteCarloResult, kind_of
from dubito.types import Calibration, Floats
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
        streams = {
            name: (bins, [key(Family.STREAM, stream, index) for index in range(bins.size)])
            for stream, (name, bins) in enumerate(watched.streams.items())
        }
        self._features = [
            (np.array(streams[name][0].edges), streams[name][1]) for name in watched.signature.names
        ]
        """Edges of each feature's bins, and the keys of their counts."""
        self._information = streams.get(information_stream(watched.signature))
        calibration = watched.calibration
        self._passes = 0 if calibration is None else calibration.passes
        self._policy = None if calibration is None else calibration.policy
        self._most_score = None if calibration is None else _raw_threshold(calibration)

    def answered(self, parts: Sequence[PlainPart | MonteCarloPart], rows: Floats) -> Tally:
        """Count the answers of parts; `rows` `(N, F)` are the features of all their rows.

        The mutual information of a part's first row is watched for drift if its seed was drawn for
        it: further rows of a request have the same seed, and seeds chosen by callers may be shared
        with other requests.
        """
        answers = [one for part in parts for one in part.answers]
        counts = Counter[CountKey]({ROWS: len(answers)})
        grades = Counter(one.result.predicted for one in answers)
        warnings = Counter(kind_of(one) for answer in answers for one in answer.warnings)
        _count(counts, Family.GRADE, grades)
        _count(counts, Family.WARNING, warnings)
        self._count_features(counts, rows)
        doubtful = [part for part in parts if isinstance(part, MonteCarloPart)]
        if doubtful:
            _count_results(counts, [one.result for part in doubtful for one in part.answers])
            counts.update(self._information_keys(doubtful))
        return Tally(self.digest, counts)

    def _count_features(self, counts: Counter[CountKey], rows: Floats) -> None:
        for (edges, keys), column in zip(self._features, rows.T, strict=True):
            found = np.bincount(edges.searchsorted(column, "right"), minlength=len(keys))
            # NaN sorts after all edges: it is missing, not above them.
            missing = np.count_nonzero(np.isnan(column))
            found[-2:] = found[-2] - missing, missing
            counts.update(Counter({keys[at]: int(found[at]) for at in found.nonzero()[0]}))

    def _information_keys(self, parts: Sequence[MonteCarloPart]) -> Iterator[CountKey]:
        """Yield the bins of mutual information of each part's first row, where it is watched.

        Mutual information is comparable with the calibration rows' only at their number of passes.
        """
        if self._information is None:
            return
        bins, keys = self._information
        for part in parts:
            first = part.answers[0].result
            if part.is_drawn and first.passes == self._passes:
                yield keys[bins.index(first.uncertainty.mutual_information)]

    def came_out(self, body: Body, true_class: str) -> Tally:
        """Count the true class of a recorded prediction."""
        return Tally(body.model.digest, dict(self._of_outcome(body, true_class)))

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


def _count(counts: Counter[CountKey], family: Family, found: Counter[str] | Counter[int]) -> None:
    """Add counts by member of a family."""
    counts.update({key(family, name): more for name, more in found.items()})


def _count_results(counts: Counter[CountKey], results: Sequence[MonteCarloResult]) -> None:
    """Add the counts that only Monte-Carlo results have."""
    entropies = [one.uncertainty.predictive_entropy for one in results]
    information = [one.uncertainty.mutual_information for one in results]
    _count(counts, Family.ENTROPY, Counter(every_place(entropies)))
    _count(counts, Family.INFORMATION, Counter(every_place(information)))
    judged = [
        (one.prediction_set, one.decision)
        for one in results
        if one.prediction_set is not None and one.decision is not None
    ]
    _count(counts, Family.SET, Counter(len(found.classes) for found, _ in judged))
    _count(counts, Family.ACTION, Counter[str](decision.action for _, decision in judged))
    reasons = Counter(reason for _, decision in judged for reason in decision.reasons)
    _count(counts, Family.REASON, reasons)
    counts[key(Family.PASSES)] += sum(one.passes for one in results)
    counts[EXPECTED_ROWS] += len(results)
    counts[EXPECTED_RIGHT] += sum(round(MILLION * _top(one)) for one in results)
    automated = [
        one for one in results if one.decision is not None and one.decision.action == "automate"
    ]
    if automated:
        counts[EXPECTED_WRONG] += sum(round(MILLION * (1 - _top(one))) for one in automated)


def _top(result: MonteCarloResult) -> float:
    return result.mean[result.predicted]


def _of_confidence(result: MonteCarloResult, wrong: int) -> Iterator[Pair]:
    confidence = result.mean[result.predicted]
    index = bisect_left(CONFIDENCE_EDGES, confidence)
    yield key(Family.CONFIDENCE, index, "rows"), 1
    yield key(Family.CONFIDENCE, index, "right"), 1 - wrong
    yield key(Family.CONFIDENCE, index, "sum"), round(MILLION * confidence)
    entropy = place(result.uncertainty.predictive_entropy)
    yield key(Family.RISK, entropy, "rows"), 1
    yield key(Family.RISK, entropy, "wrong"), wrong


def _raw_threshold(calibration: Calibration) -> float | None:
    """Return the score of the true class above which a raw prediction set misses it."""
    scores = calibration.scores.get("lac")
    return None if scores is None else score_threshold(np.array(scores), COVERAGE)
