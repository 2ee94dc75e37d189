"""Prediction sets and decisions, which a calibrated bundle adds to its statistics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dubito.types import Calibration, Decision, Floats, Notice, PredictionSets, Rule, Signature
from dubito.uncertainty.adaptive_passes import Estimate
from dubito.uncertainty.conformal import prediction_sets
from dubito.uncertainty.decision import decide
from dubito.uncertainty.rules import rule_reasons

METHOD = "lac"
"""The method of sets that are asked for without naming one: the smallest sets."""


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """What sets and which promise a request asks for."""

    coverage: float
    method: str
    class_conditional: bool
    target: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """Sets and decisions for `N` rows."""

    options: PolicyOptions
    found: PredictionSets
    enough: list[bool]
    """Whether each row had as many passes as the calibration; else nothing is promised."""
    decisions: list[Decision]
    """For each row."""
    case_limit: float | None
    """What the policy promises of the least sure ones, if it does."""

    @classmethod
    def joined(cls, parts: "Sequence[Judgement]") -> "Judgement":
        """What one request's rows were found to be, part by part."""
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


class Judge:
    """Judges rows by one bundle's calibration and rules."""

    def __init__(
        self, calibration: Calibration, rules: Sequence[Rule], signature: Signature
    ) -> None:
        """Take what held-out rows showed, and the bundle's domain facts."""
        self._calibration = calibration
        self._rules = rules
        self._signature = signature

    @property
    def passes(self) -> int:
        """The passes below which nothing is promised."""
        return self._calibration.passes

    @property
    def is_of_cases(self) -> bool:
        """See `dubito.types.Policy.is_of_cases`."""
        return self._calibration.policy.is_of_cases

    @property
    def usual(self) -> PolicyOptions:
        """What is asked where a request asks for nothing."""
        return usual(self._calibration)

    def judge(
        self,
        rows: Floats,
        estimate: Estimate,
        notices: Sequence[Sequence[Notice]],
        options: PolicyOptions,
    ) -> Judgement:
        """Sets and decisions for rows `(N, F)`; a decision does not depend on the set."""
        found = prediction_sets(
            self._calibration,
            estimate.summary.mean,
            options.method,
            options.coverage,
            options.class_conditional,
        )
        enough = (estimate.passes >= self._calibration.passes).tolist()
        decisions = self._decide(rows, estimate, notices, options.target)
        return Judgement(options, found, enough, decisions, self._calibration.policy.case_limit)

    def _decide(
        self, rows: Floats, estimate: Estimate, notices: Sequence[Sequence[Notice]], target: float
    ) -> list[Decision]:
        """The decisions, those of one number of passes together."""
        facts = rule_reasons(rows, self._signature, self._rules)
        decisions: dict[int, Decision] = {}
        for passes in np.unique(estimate.passes).tolist():
            at = np.flatnonzero(estimate.passes == passes).tolist()
            decided = decide(
                self._calibration.policy,
                self._calibration.passes,
                target,
                estimate.where(np.array(at)).summary,
                passes,
                [notices[row] for row in at],
                [facts[row] for row in at],
            )
            decisions.update(zip(at, decided, strict=True))
        return [decisions[row] for row in range(len(rows))]


def usual(calibration: Calibration) -> PolicyOptions:
    """The sets of the calibration's coverage and the policy's own promise."""
    return PolicyOptions(
        coverage=calibration.coverage,
        method=METHOD,
        class_conditional=False,
        target=calibration.policy.target,
    )
