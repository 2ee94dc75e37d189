"""Applies a bundle's calibration and rules: prediction sets and decisions from the statistics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from msgspec import Struct

from dubito.types import (
    Calibration,
    Decision,
    DomainRule,
    Floats,
    Notice,
    PredictionSets,
    Signature,
)
from dubito.uncertainty.adaptive_passes import RowStatistics
from dubito.uncertainty.conformal import SetTables
from dubito.uncertainty.decision import decide
from dubito.uncertainty.rules import RuleTable

METHOD = "lac"
"""Default method of prediction sets, which gives the smallest sets."""


class PolicyOptions(Struct, frozen=True):
    """The sets and the promise that a request selects."""

    coverage: float
    method: str
    class_conditional: bool
    target: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """Prediction sets and decisions of `N` rows."""

    options: PolicyOptions
    found: PredictionSets
    enough: list[bool]
    """`N` flags, whether a row had at least the calibration's passes; else nothing is promised."""
    decisions: list[Decision]
    """`N` decisions, one a row."""
    case_limit: float | None
    """Upper bound promised for P(wrong | in the band), a rate over many rows; None if the policy
    has no band."""

    @classmethod
    def joined(cls, parts: "Sequence[Judgement]") -> "Judgement":
        """Concatenate the results of one request's parts, which have the same options."""
        first = parts[0]
        if len(parts) == 1:
            return first
        return cls(
            first.options,
            replace(first.found, sets=np.concatenate([part.found.sets for part in parts])),
            [enough for part in parts for enough in part.enough],
            [decision for part in parts for decision in part.decisions],
            first.case_limit,
        )

    def where(self, rows: slice) -> "Judgement":
        """Select some rows."""
        found = replace(self.found, sets=self.found.sets[rows])
        enough, decisions = self.enough[rows], self.decisions[rows]
        return Judgement(self.options, found, enough, decisions, self.case_limit)


class Judge:
    """Computes sets and decisions by one bundle's calibration and rules."""

    def __init__(
        self, calibration: Calibration, rules: Sequence[DomainRule], signature: Signature
    ) -> None:
        """Take the bundle's calibration, rules and signature."""
        self._calibration = calibration
        self.usual = usual(calibration)
        """Default options of a request."""
        self._rules = RuleTable(signature, rules)
        self._tables = SetTables(calibration, len(signature.classes))

    @property
    def passes(self) -> int:
        """Passes a row below which nothing is promised."""
        return self._calibration.passes

    @property
    def is_of_cases(self) -> bool:
        """Whether the policy has a band, see `dubito.types.Policy.is_of_cases`."""
        return self._calibration.policy.is_of_cases

    def judge(
        self,
        rows: Floats,
        estimate: RowStatistics,
        notices: Sequence[Sequence[Notice]],
        options: PolicyOptions,
    ) -> Judgement:
        """Compute sets and decisions of rows `(N, F)`; a decision does not depend on the set."""
        found = self._tables.sets(
            estimate.summary.mean, options.method, options.coverage, options.class_conditional
        )
        decisions = decide(
            self._calibration.policy,
            self._calibration.passes,
            options.target,
            estimate.summary,
            estimate.passes,
            notices,
            self._rules.reasons(rows),
        )
        enough = [decision.guaranteed for decision in decisions]
        return Judgement(options, found, enough, decisions, self._calibration.policy.case_limit)


def usual(calibration: Calibration) -> PolicyOptions:
    """Return the default options: the calibration's coverage and the policy's default target."""
    return PolicyOptions(
        coverage=calibration.coverage,
        method=METHOD,
        class_conditional=False,
        target=calibration.policy.target,
    )
