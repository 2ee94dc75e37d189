"""Counts answers of classes, and their outcomes; see `answer_counter`."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from app.count_keys import Family, key
from app.monitoring.answer_counter import (
    MILLION,
    AnswerCounter,
    CountsByKey,
    Pair,
    count_members,
)
from app.monitoring.log_bins import every_place, place
from app.record_events import Tally
from app.recorded_prediction import Body
from app.watched_bundle import WatchedBundle
from dubito.answer import AnyResult, MonteCarloAnyResult, MonteCarloResult, PlainResult
from dubito.types import Calibration
from dubito.uncertainty.conformal import SCORE_TOLERANCE, score_threshold
from dubito.uncertainty.decision import promise_of

CONFIDENCE_BINS = 15
"""Number of confidence bins of equal width, as in the study's calibration error."""
CONFIDENCE_EDGES = tuple(index / CONFIDENCE_BINS for index in range(1, CONFIDENCE_BINS))
"""Upper ends of the confidence bins but the last; each bin includes its upper end."""
COVERAGE = 0.99
"""Coverage of the raw prediction sets whose misses are counted."""
EXPECTED_ROWS = key(Family.EXPECTED, "rows")
EXPECTED_RIGHT = key(Family.EXPECTED, "right")
EXPECTED_WRONG = key(Family.EXPECTED, "automated_wrong")


class ClassCounter(AnswerCounter):
    """Counts the answers of one bundle of classes."""

    of_bundle: ClassVar = (f"{Family.RAW}.", f"{Family.BAND}.")
    has_classes: ClassVar = True

    def __init__(self, watched: WatchedBundle) -> None:
        """Set the bundle, whose signature and calibration supply reference bins and policy."""
        super().__init__(watched)
        calibration = watched.calibration
        self._most_score: float | None = None
        if isinstance(calibration, Calibration):
            self._most_score = _raw_threshold(calibration)

    def came_out(self, body: Body, truth: str | float) -> Tally:
        """Count the true class of a recorded prediction."""
        return Tally(body.model.digest, dict(self._of_outcome(body, truth)))

    def _count_answers(self, counts: CountsByKey, results: Sequence[AnyResult]) -> None:
        count_members(counts, Family.GRADE, Counter(one.predicted for one in results))  # type: ignore[union-attr]

    def _count_results(self, counts: CountsByKey, results: Sequence[MonteCarloAnyResult]) -> None:
        _count_results(counts, results)  # type: ignore[arg-type]

    def _epistemic_of(self, result: MonteCarloAnyResult) -> float:
        return result.uncertainty.mutual_information  # type: ignore[union-attr]

    def _of_outcome(self, body: Body, true_class: str | float) -> Iterator[Pair]:
        result = body.answer
        if not isinstance(result, PlainResult | MonteCarloResult):
            # A prediction of a number, by a bundle that was served before.
            return
        is_right = result.predicted == true_class
        yield key(Family.KNOWN, "rows"), 1
        yield key(Family.KNOWN, "right"), int(is_right)
        if isinstance(result, PlainResult):
            return
        wrong = int(not is_right)
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
            score = 1 - result.mean[str(true_class)]
            yield key(Family.RAW, "rows"), 1
            yield key(Family.RAW, "missed"), int(score - self._most_score > SCORE_TOLERANCE)

    def _is_in_band(self, result: MonteCarloResult, target: float) -> bool:
        """Whether an automated row is among the least certain, about which a promise is made."""
        if self._policy is None or self._policy.case_limit is None:
            return False
        band = promise_of(self._policy, target).band
        return band is not None and sorted(result.mean.values())[-2] >= band.bound


def _count_results(counts: CountsByKey, results: Sequence[MonteCarloResult]) -> None:
    entropies = [one.uncertainty.predictive_entropy for one in results]
    information = [one.uncertainty.mutual_information for one in results]
    count_members(counts, Family.ENTROPY, Counter(every_place(entropies)))
    count_members(counts, Family.INFORMATION, Counter(every_place(information)))
    sets = [one.prediction_set for one in results if one.prediction_set is not None]
    count_members(counts, Family.SET, Counter(len(found.classes) for found in sets))
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
