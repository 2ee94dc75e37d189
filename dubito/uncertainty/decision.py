"""The decision rule: whether an answer may be used without a person, and the reasons if not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dubito.types import Booleans, Decision, Floats, Indices, Notice, Policy, Promise, Summary

BUILT_IN = (
    *("out_of_range", "missing", "unknown_category"),
    *("epistemic", "ambiguous", "unlikely", "wide", "few_passes"),
)
"""Reasons that no bundle's rule may use: a notice's kind, the passes disagree, a second class is
too probable for the promise, the predicted one is less probable than the policy allows, the
interval of a number is too wide for the promise, and there were fewer passes than the promise was
calibrated with. A decision lists a notice's kinds first, then the rules' reasons, then the others
in this order."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a row must keep to be automated, whatever the target; else it is not eligible."""

    epistemic: float
    """Largest mutual information, nats."""
    likelihood: float | None
    """Least probability of the predicted class; None for no limit."""

    @classmethod
    def of(cls, policy: Policy) -> "Limits":
        """Return a policy's limits."""
        return cls(policy.epistemic, policy.likelihood)

    def doubts(self, mean: Floats, mutual_information: Floats) -> dict[str, Booleans]:
        """Return each reason and `(N,)`, whether it refers the row.

        Args:
            mean: `(N, C)` mean probabilities over the passes.
            mutual_information: `(N,)`, nats; NaN is above every limit.
        """
        found = {"epistemic": ~(mutual_information <= self.epistemic)}
        if self.likelihood is not None:
            found["unlikely"] = ~(mean.max(axis=1) >= self.likelihood)
        return found

    def exceeded(self, mean: Floats, mutual_information: Floats) -> Booleans:
        """Return `(N,)`, whether a row is not eligible; arguments as of `doubts`."""
        found: Booleans = np.any(list(self.doubts(mean, mutual_information).values()), axis=0)
        return found


def decide(
    policy: Policy,
    calibration_passes: int,
    target: float,
    summary: Summary,
    passes: int | Indices,
    notices: Sequence[Sequence[Notice]],
    rule_reasons: Sequence[Sequence[str]],
) -> list[Decision]:
    """Decide about `N` rows; reasons are in the order of `Decision.reasons`' docstring.

    Args:
        policy: thresholds and promises.
        calibration_passes: passes a row with which the policy was calibrated.
        target: error rate to promise, one of the policy's.
        summary: statistics over the rows' passes.
        passes: number of these passes, of all rows or `(N,)` of each; a row with fewer than
            `calibration_passes` is referred.
        notices: `N` lists from the guard, one a row.
        rule_reasons: `N` lists from the bundle's rules, one a row.

    Raises:
        KeyError: the policy has no promise for this target.
    """
    promise = promise_of(policy, target)
    enough = np.full(len(summary.mean), passes) >= calibration_passes
    doubts = Limits.of(policy).doubts(summary.mean, summary.mutual_information)
    doubts["ambiguous"] = ambiguous(promise, summary.mean)
    return _decisions(doubts, enough, notices, rule_reasons)


def decide_number(
    policy: Policy,
    calibration_passes: int,
    target: float,
    std: Floats,
    width: Floats,
    passes: int | Indices,
    notices: Sequence[Sequence[Notice]],
    rule_reasons: Sequence[Sequence[str]],
) -> list[Decision]:
    """Decide about `N` rows of a number, in the order of reasons that `decide` has.

    Args:
        policy: thresholds of widths, and promises.
        calibration_passes: passes a row with which the policy was calibrated.
        target: error rate to promise, one of the policy's.
        std: `(N,)` standard deviations over the passes, in the number's unit.
        width: `(N,)` widths of the intervals at the calibration's own coverage and method.
        passes: number of these passes.
        notices: `N` lists from the guard, one a row.
        rule_reasons: `N` lists from the bundle's rules, one a row.

    Raises:
        KeyError: the policy has no promise for this target.
    """
    threshold = promise_of(policy, target).threshold
    doubts = {
        "epistemic": ~(std <= policy.epistemic),
        "wide": ~(width <= (-np.inf if threshold is None else threshold)),
    }
    enough = np.full(len(std), passes) >= calibration_passes
    return _decisions(doubts, enough, notices, rule_reasons)


def _decisions(
    doubts: Mapping[str, Booleans],
    enough: Booleans,
    notices: Sequence[Sequence[Notice]],
    rule_reasons: Sequence[Sequence[str]],
) -> list[Decision]:
    """Refer the rows `(N,)` that a fixed reason or a doubt refers, or that had too few passes."""
    every = {**doubts, "few_passes": ~enough}
    ordered = [(reason, every[reason].tolist()) for reason in BUILT_IN if reason in every]
    decisions = []
    fixed = fixed_reasons(notices, rule_reasons)
    for row, (before, is_enough) in enumerate(zip(fixed, enough.tolist(), strict=True)):
        reasons = (*before, *(reason for reason, holds in ordered if holds[row]))
        decisions.append(Decision("refer" if reasons else "automate", reasons, is_enough))
    return decisions


def fixed_reasons(
    notices: Sequence[Sequence[Notice]], rule_reasons: Sequence[Sequence[str]]
) -> list[tuple[str, ...]]:
    """Collect the reasons of `N` rows that do not depend on the network's output, each once.

    Args:
        notices: `N` lists from the guard, one a row.
        rule_reasons: `N` lists from the bundle's rules, one a row.
    """
    return [
        tuple(dict.fromkeys([*sorted(_kinds(noticed), reverse=True), *ruled]))
        for noticed, ruled in zip(notices, rule_reasons, strict=True)
    ]


def _kinds(noticed: Sequence[Notice]) -> list[str]:
    return [notice.kind for notice in noticed if notice.refers]


def promise_of(policy: Policy, target: float) -> Promise:
    """Return the policy's promise for a target.

    Raises:
        KeyError: the policy has none.
    """
    for promise in policy.promises:
        if promise.target == target:
            return promise
    raise KeyError(target)


def runner_up(mean: Floats) -> Floats:
    """Return the second-largest probability `(N,)` of each row of `(N, C)`, `C` at least 2."""
    second: Floats = np.partition(mean, -2, axis=1)[:, -2]
    return second


def ambiguous(promise: Promise, mean: Floats) -> Booleans:
    """Return `(N,)` whether at least two classes exceed the threshold; True if there is none."""
    if promise.threshold is None:
        return np.ones(len(mean), dtype=np.bool_)
    return ~(runner_up(mean) <= promise.threshold)
