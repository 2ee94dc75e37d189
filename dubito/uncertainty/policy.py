"""Applies a bundle's calibration and rules: sets or intervals, and decisions, from statistics."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import UNSET, Struct, UnsetType

from dubito.errors import UsageError
from dubito.targets import number_target
from dubito.types import (
    AnyCalibration,
    Calibration,
    Decision,
    DomainRule,
    Floats,
    Notice,
    NumberCalibration,
    PredictionSets,
    Signature,
)
from dubito.uncertainty.adaptive_passes import RowStatistics
from dubito.uncertainty.conformal import SetTables
from dubito.uncertainty.decision import decide, decide_number
from dubito.uncertainty.intervals import Intervals, IntervalTables, NumberEstimate
from dubito.uncertainty.rules import RuleTable

METHOD = "lac"
"""Default method of prediction sets, which gives the smallest sets."""


class PolicyOptions(Struct, frozen=True, kw_only=True):
    """The set or interval and the promise that a request selects."""

    coverage: float
    method: str
    class_conditional: bool | UnsetType = UNSET
    """Whether the coverage holds among the rows of each class; unset for a number."""
    target: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """Prediction sets or intervals, and decisions, of `N` rows."""

    options: PolicyOptions
    found: PredictionSets | Intervals
    enough: list[bool]
    """`N` flags, whether a row had at least the calibration's passes; else nothing is promised."""
    decisions: list[Decision]
    """`N` decisions, one a row."""
    case_limit: float | None
    """Upper bound promised for P(wrong | in the band), a rate over many rows; None if the policy
    has no band."""

    @property
    def sets(self) -> PredictionSets:
        """The prediction sets of classes.

        Raises:
            UsageError: the bundle predicts a number.
        """
        if isinstance(self.found, Intervals):
            raise UsageError("a number has no prediction set but an interval")
        return self.found

    @property
    def intervals(self) -> Intervals:
        """The intervals of a number.

        Raises:
            UsageError: the bundle predicts classes.
        """
        if isinstance(self.found, PredictionSets):
            raise UsageError("classes have no interval but a prediction set")
        return self.found

    @classmethod
    def joined(cls, parts: "Sequence[Judgement]") -> "Judgement":
        """Concatenate the results of one request's parts, which have the same options."""
        first = parts[0]
        if len(parts) == 1:
            return first
        found: PredictionSets | Intervals
        if isinstance(first.found, Intervals):
            found = Intervals.joined([part.intervals for part in parts])
        else:
            found = PredictionSets.joined([part.sets for part in parts])
        return cls(
            first.options,
            found,
            [enough for part in parts for enough in part.enough],
            [decision for part in parts for decision in part.decisions],
            first.case_limit,
        )

    def where(self, rows: slice) -> "Judgement":
        """Select some rows."""
        enough, decisions = self.enough[rows], self.decisions[rows]
        return Judgement(self.options, self.found.where(rows), enough, decisions, self.case_limit)


class Judge(ABC):
    """Computes sets or intervals, and decisions, by one bundle's calibration and rules."""

    def __init__(
        self, calibration: AnyCalibration, rules: Sequence[DomainRule], signature: Signature
    ) -> None:
        """Take the bundle's calibration, rules and signature."""
        self.usual = usual(calibration)
        """Default options of a request."""
        self.passes = calibration.passes
        """Passes a row below which nothing is promised."""
        self._policy = calibration.policy
        self._rules = RuleTable(signature, rules)

    @property
    def is_of_cases(self) -> bool:
        """Whether the policy has a band, see `dubito.types.Policy.is_of_cases`."""
        return self._policy.is_of_cases

    def judge(
        self,
        rows: Floats,
        estimate: RowStatistics,
        notices: Sequence[Sequence[Notice]],
        options: PolicyOptions,
    ) -> Judgement:
        """Judge rows `(N, F)`; a decision does not depend on the set or interval requested."""
        ruled = self._rules.reasons(rows)
        decisions = self._decisions(estimate, options.target, notices, ruled)
        enough = [decision.guaranteed for decision in decisions]
        found = self._found(estimate, options)
        return Judgement(options, found, enough, decisions, self._policy.case_limit)

    @abstractmethod
    def _found(self, estimate: RowStatistics, options: PolicyOptions) -> PredictionSets | Intervals:
        """Compute the requested sets or intervals."""

    @abstractmethod
    def _decisions(
        self,
        estimate: RowStatistics,
        target: float,
        notices: Sequence[Sequence[Notice]],
        ruled: Sequence[Sequence[str]],
    ) -> list[Decision]:
        """Decide about each row, see `dubito.uncertainty.decision`."""


class ClassJudge(Judge):
    """Computes the sets and decisions of a bundle of classes."""

    def __init__(
        self, calibration: Calibration, rules: Sequence[DomainRule], signature: Signature
    ) -> None:
        """Take the bundle's calibration, rules and signature."""
        super().__init__(calibration, rules, signature)
        self._tables = SetTables(calibration, len(signature.classes))

    def _found(self, estimate: RowStatistics, options: PolicyOptions) -> PredictionSets:
        mean, is_conditional = estimate.summary.mean, options.class_conditional is True
        return self._tables.sets(mean, options.method, options.coverage, is_conditional)

    def _decisions(
        self,
        estimate: RowStatistics,
        target: float,
        notices: Sequence[Sequence[Notice]],
        ruled: Sequence[Sequence[str]],
    ) -> list[Decision]:
        summary, passes = estimate.summary, estimate.passes
        return decide(self._policy, self.passes, target, summary, passes, notices, ruled)


class NumberJudge(Judge):
    """Computes the intervals and decisions of a bundle of a number."""

    def __init__(
        self, calibration: NumberCalibration, rules: Sequence[DomainRule], signature: Signature
    ) -> None:
        """Take the bundle's calibration, rules and signature, whose target is a number."""
        super().__init__(calibration, rules, signature)
        self._target = number_target(signature.target)
        self._tables = tables_of(calibration)

    def _found(self, estimate: RowStatistics, options: PolicyOptions) -> Intervals:
        number = NumberEstimate.of(self._target, estimate.summary)
        return self._tables.intervals(number, options.method, options.coverage)

    def _decisions(
        self,
        estimate: RowStatistics,
        target: float,
        notices: Sequence[Sequence[Notice]],
        ruled: Sequence[Sequence[str]],
    ) -> list[Decision]:
        # Never the interval that was requested: the policy was tested on this one.
        width = self._found(estimate, self.usual).width
        std = estimate.summary.std[:, self._target.value_column]
        passes = estimate.passes
        return decide_number(self._policy, self.passes, target, std, width, passes, notices, ruled)


def judge_of(
    calibration: AnyCalibration | None, rules: Sequence[DomainRule], signature: Signature
) -> Judge | None:
    """Create the judge of a bundle; None without a calibration."""
    if calibration is None:
        return None
    if isinstance(calibration, NumberCalibration):
        return NumberJudge(calibration, rules, signature)
    return ClassJudge(calibration, rules, signature)


def tables_of(calibration: NumberCalibration) -> IntervalTables:
    """Sort the scores of a number's calibration."""
    scores = {method: np.array(values) for method, values in calibration.scores.items()}
    return IntervalTables(scores, calibration.least_std)


def usual(calibration: AnyCalibration) -> PolicyOptions:
    """Return the default options: the calibration's coverage and the policy's default target."""
    coverage, target = calibration.coverage, calibration.policy.target
    if isinstance(calibration, NumberCalibration):
        return PolicyOptions(coverage=coverage, method=calibration.method, target=target)
    return PolicyOptions(coverage=coverage, method=METHOD, class_conditional=False, target=target)
