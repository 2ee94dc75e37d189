"""Counts answers of a number, and their outcomes; see `answer_counter`.

Deviations, widths and errors are counted relative to the standard deviation of the number's values
in training, so that their bins suit every unit.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from msgspec import UNSET

from app.count_keys import Family, key
from app.monitoring.answer_counter import (
    MILLION,
    AnswerCounter,
    CountsByKey,
    Pair,
    count_members,
)
from app.monitoring.log_bins import every_place
from app.record_events import Tally
from app.recorded_prediction import Body
from app.watched_bundle import WatchedBundle
from dubito.answer import AnyResult, MonteCarloAnyResult, MonteCarloNumber, PlainNumber
from dubito.targets import number_target
from dubito.types import Floats, NumberCalibration
from dubito.uncertainty.decision import promise_of
from dubito.uncertainty.intervals import (
    Intervals,
    IntervalTables,
    NumberEstimate,
    log_densities,
)
from dubito.uncertainty.policy import tables_of

EXPECTED_ROWS = key(Family.EXPECTED, "rows")
EXPECTED_SQUARES = key(Family.EXPECTED, "squares")
MOST_SQUARE = 1e6
"""Largest squared error of a row that is counted, relative to the number's variance: a row entered
wrongly would otherwise hide all others."""


class NumberCounter(AnswerCounter):
    """Counts the answers of one bundle of a number."""

    of_bundle: ClassVar = (f"{Family.RAW}.", f"{Family.BAND}.", f"{Family.AUTOMATED}.")
    has_classes: ClassVar = False

    def __init__(self, watched: WatchedBundle) -> None:
        """Set the bundle, whose signature and calibration supply reference bins and policy."""
        super().__init__(watched)
        target, calibration = number_target(watched.signature.target), watched.calibration
        self._scale = target.std
        self._edges = np.array(target.seen.histogram_edges)
        self._calibration = calibration if isinstance(calibration, NumberCalibration) else None
        self._tables: IntervalTables | None = None
        if self._calibration is not None:
            self._tables = tables_of(self._calibration)

    def came_out(self, body: Body, truth: str | float) -> Tally:
        """Count the true number of a recorded prediction."""
        return Tally(body.model.digest, dict(self._of_outcome(body, truth)))

    def _count_answers(self, counts: CountsByKey, results: Sequence[AnyResult]) -> None:
        values = [_value(one) for one in results]
        places = np.searchsorted(self._edges, values, side="right").tolist()
        count_members(counts, Family.VALUE, Counter[int](places))

    def _count_results(self, counts: CountsByKey, results: Sequence[MonteCarloAnyResult]) -> None:
        numbers = [one for one in results if isinstance(one, MonteCarloNumber)]
        stds = [one.std / self._scale for one in numbers]
        count_members(counts, Family.SPREAD, Counter(every_place(stds)))
        widths = [width / self._scale for one in numbers if (width := self._width(one)) is not None]
        count_members(counts, Family.WIDTH, Counter(every_place(widths)))
        counts[EXPECTED_ROWS] += len(numbers)
        squares = ((_total_std(one) / self._scale) ** 2 for one in numbers)
        counts[EXPECTED_SQUARES] += sum(_millionths(square) for square in squares)

    def _epistemic_of(self, result: MonteCarloAnyResult) -> float:
        return result.std  # type: ignore[return-value]

    def _width(self, result: MonteCarloNumber) -> float | None:
        """Return the width of an interval at the calibration's own coverage and method."""
        interval, calibration = result.interval, self._calibration
        if interval is None or calibration is None:
            return None
        if (interval.coverage, interval.method) != (calibration.coverage, calibration.method):
            return None
        if interval.lower is None or interval.upper is None:
            return None
        return interval.upper - interval.lower

    def _of_outcome(self, body: Body, truth: str | float) -> Iterator[Pair]:
        result = body.answer
        if isinstance(truth, str) or not isinstance(result, PlainNumber | MonteCarloNumber):
            # A prediction of classes, by a bundle that was served before.
            return
        error = (_value(result) - truth) / self._scale
        yield key(Family.KNOWN, "rows"), 1
        yield key(Family.KNOWN, "squares"), _millionths(error * error)
        yield key(Family.KNOWN, "absolute"), _millionths(abs(error))
        if not isinstance(result, MonteCarloNumber):
            return
        estimate = _estimate(result)
        if estimate.aleatoric_std is not None:
            (density,) = log_densities(estimate, np.array([truth])).tolist()
            yield key(Family.KNOWN, "densities"), 1
            yield key(Family.KNOWN, "log_density"), round(MILLION * max(density, -MOST_SQUARE))
        if body.model.digest == self.digest:
            yield from self._of_interval(result, estimate, truth)

    def _of_interval(
        self, result: MonteCarloNumber, estimate: NumberEstimate, truth: float
    ) -> Iterator[Pair]:
        """Yield the counts of the interval that the decision was about, and of the decision."""
        decision, calibration = result.decision, self._calibration
        if self._tables is None or calibration is None:
            return
        if decision is None or not decision.guaranteed:
            return
        intervals = self._tables.intervals(estimate, calibration.method, calibration.coverage)
        missed = int(intervals.misses(np.array([truth]))[0])
        yield key(Family.RAW, "rows"), 1
        yield key(Family.RAW, "missed"), missed
        if decision.action != "automate":
            return
        yield key(Family.AUTOMATED, decision.target, "rows"), 1
        yield key(Family.AUTOMATED, decision.target, "wrong"), missed
        if self._is_in_band(intervals, decision.target):
            yield key(Family.BAND, decision.case_limit, "rows"), 1
            yield key(Family.BAND, decision.case_limit, "wrong"), missed

    def _is_in_band(self, intervals: Intervals, target: float) -> bool:
        """Whether an automated row is among the widest, about which a promise is made."""
        assert self._policy is not None  # noqa: S101 - it is there where a decision is
        band = promise_of(self._policy, target).band
        return band is not None and bool(intervals.width[0] >= band.bound)


def _value(result: AnyResult) -> float:
    """Return the predicted number."""
    return result.mean if isinstance(result, MonteCarloNumber) else result.value  # type: ignore[union-attr]


def _total_std(result: MonteCarloNumber) -> float:
    return result.std if result.total_std is UNSET else result.total_std


def _estimate(result: MonteCarloNumber) -> NumberEstimate:
    """Return a recorded result as the estimate `(1,)` that it was made of."""
    outer: tuple[Floats | None, Floats | None] = (None, None)
    if result.quantiles is not UNSET:
        lower, _, upper = result.quantiles.values()
        outer = np.array([lower]), np.array([upper])
    noise = None if result.aleatoric_std is UNSET else np.array([result.aleatoric_std])
    return NumberEstimate(np.array([result.mean]), np.array([result.std]), noise, *outer)


def _millionths(square: float) -> int:
    return round(MILLION * min(square, MOST_SQUARE))
