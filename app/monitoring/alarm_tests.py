"""The test that each alarm is based on: how it begins, and what of a minute's counts it takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args

import numpy as np

from app.count_keys import Counts
from app.monitoring.drift_report import stream_counts
from app.monitoring.statistics import (
    kept_in_bands,
    missed,
    watched_coverage,
    wrong_automated,
)
from app.watched_bundle import WatchedBundle
from dubito.uncertainty.drift_alarm import Watch
from dubito.uncertainty.validity_alarm import BettingState

AlarmName = Literal["drift", "validity"]
ALARMS: tuple[AlarmName, ...] = get_args(AlarmName)


class SequentialTest(Protocol):
    """State of a sequential test after the processed minutes."""

    @property
    def rows(self) -> int:
        """Number of rows tested so far."""
        ...

    @property
    def evidence(self) -> float:
        """Natural logarithm of the current evidence."""
        ...

    @property
    def largest(self) -> float:
        """Natural logarithm of the largest evidence so far."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        ...


State = TypeVar("State", bound=SequentialTest)


@dataclass(frozen=True, slots=True)
class AlarmTest(Generic[State]):
    """The test of one alarm."""

    begin: Callable[[WatchedBundle], State]
    """State before the first minute."""
    advance: Callable[[State, WatchedBundle, Counts, np.random.Generator], State]
    """State after one more minute, given as the counts of all processes."""
    read: Callable[[Mapping[str, Any]], State]
    """Inverse of the state's `to_json`."""
    feature: Callable[[State], str | None] = lambda _: None
    """Feature with the most evidence; None if the test is about no feature."""


def _begin_validity(watched: WatchedBundle) -> BettingState:
    policy = None if watched.calibration is None else watched.calibration.policy
    return BettingState.begin(of_cases=policy is not None and policy.is_of_cases)


def _advance_drift(
    state: Watch, watched: WatchedBundle, counts: Counts, random: np.random.Generator
) -> Watch:
    names = list(watched.streams)
    return state.advance(dict(zip(names, stream_counts(counts, len(names)), strict=True)), random)


def _advance_validity(
    state: BettingState, watched: WatchedBundle, counts: Counts, _: np.random.Generator
) -> BettingState:
    misses = missed(counts, watched_coverage(watched.calibration))
    return state.advance(misses, wrong_automated(counts), kept_in_bands(counts))


TESTS: Mapping[AlarmName, AlarmTest[Any]] = {
    "drift": AlarmTest(
        begin=lambda watched: Watch.begin(watched.streams),
        advance=_advance_drift,
        read=Watch.from_json,
        feature=lambda state: state.foremost,
    ),
    "validity": AlarmTest(
        begin=_begin_validity,
        advance=_advance_validity,
        read=BettingState.from_json,
    ),
}
"""The tests in the order in which reports list the alarms. They share one source of random numbers,
so a new one goes last: those before it draw the same numbers as without it."""
