"""The statistics of one bundle's answers, by what the bundle predicts."""

from typing import Protocol

from msgspec import structs

from app.count_keys import Counts
from app.monitoring.number_statistics import (
    expected_number_statistics,
    number_outcome_statistics,
    number_statistics,
)
from app.monitoring.report import (
    AnyAnswerStatistics,
    AnyExpectedStatistics,
    AnyOutcomeStatistics,
    AnyStepStatistics,
    NumberStepStatistics,
    StepStatistics,
    TrafficStatistics,
)
from app.monitoring.statistics import answer_statistics, expected_statistics, outcome_statistics
from app.watched_bundle import WatchedBundle
from dubito.targets import ClassTarget, NumberTarget
from dubito.types import AnyCalibration


class TargetStatistics(Protocol):
    """Computes the statistics of a bundle's answers from their counts."""

    def answers(self, counts: Counts) -> AnyAnswerStatistics:
        """Compute the statistics of answers."""

    def step(self, counts: Counts, start: str, service: TrafficStatistics) -> AnyStepStatistics:
        """Compute the statistics of the answers of one step."""

    def outcomes(self, counts: Counts) -> AnyOutcomeStatistics:
        """Compare known outcomes with what was promised."""

    def expected(self, counts: Counts) -> AnyExpectedStatistics:
        """Compute what the answers themselves predict, without any outcome."""


class ClassStatistics:
    """Statistics of a bundle of classes."""

    def __init__(self, target: ClassTarget, calibration: AnyCalibration | None) -> None:
        """Set the classes, and the calibration, if there is one."""
        self._classes = target.classes
        self._policy = None if calibration is None else calibration.policy

    def answers(self, counts: Counts) -> AnyAnswerStatistics:
        """Compute the statistics of answers."""
        return answer_statistics(counts, self._classes)

    def step(self, counts: Counts, start: str, service: TrafficStatistics) -> AnyStepStatistics:
        """Compute the statistics of the answers of one step."""
        found = answer_statistics(counts, self._classes)
        return StepStatistics(**structs.asdict(found), start=start, service=service)

    def outcomes(self, counts: Counts) -> AnyOutcomeStatistics:
        """Compare known outcomes with what was promised."""
        return outcome_statistics(counts, self._policy)

    def expected(self, counts: Counts) -> AnyExpectedStatistics:
        """Compute the accuracy that the probabilities predict, without any outcome."""
        return expected_statistics(counts)


class NumberTargetStatistics:
    """Statistics of a bundle of a number."""

    def __init__(self, target: NumberTarget, calibration: AnyCalibration | None) -> None:
        """Set the number, and the calibration, if there is one."""
        self._target = target
        self._calibration = calibration

    def answers(self, counts: Counts) -> AnyAnswerStatistics:
        """Compute the statistics of answers."""
        return number_statistics(counts, self._target)

    def step(self, counts: Counts, start: str, service: TrafficStatistics) -> AnyStepStatistics:
        """Compute the statistics of the answers of one step."""
        found = number_statistics(counts, self._target)
        return NumberStepStatistics(**structs.asdict(found), start=start, service=service)

    def outcomes(self, counts: Counts) -> AnyOutcomeStatistics:
        """Compare known outcomes with what was promised."""
        return number_outcome_statistics(counts, self._target, self._calibration)

    def expected(self, counts: Counts) -> AnyExpectedStatistics:
        """Compute the error that the deviations predict, without any outcome."""
        return expected_number_statistics(counts, self._target)


def statistics_of(watched: WatchedBundle) -> TargetStatistics:
    """Create the statistics of a bundle."""
    target = watched.signature.target
    if isinstance(target, NumberTarget):
        return NumberTargetStatistics(target, watched.calibration)
    return ClassStatistics(target, watched.calibration)
