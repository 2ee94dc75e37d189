"""The decision rule: whether a grade may be used without a person, and the reasons if not."""

from collections.abc import Sequence

import numpy as np

from dubito.types import Booleans, Decision, Floats, Notice, Policy, Promise, Summary


def decide(
    policy: Policy,
    calibration_passes: int,
    target: float,
    summary: Summary,
    passes: int,
    notices: Sequence[Sequence[Notice]],
    rule_reasons: Sequence[Sequence[str]],
) -> list[Decision]:
    """Decide about `N` rows; reasons are in the order of `Decision.reasons`' docstring.

    Args:
        policy: thresholds and promises.
        calibration_passes: passes a row with which the policy was calibrated.
        target: error rate to promise, one of the policy's.
        summary: statistics over the rows' passes.
        passes: number of these passes; with fewer than `calibration_passes` every row is referred.
        notices: `N` lists from the guard, one a row.
        rule_reasons: `N` lists from the bundle's rules, one a row.

    Raises:
        KeyError: the policy has no promise for this target.
    """
    promise = promise_of(policy, target)
    enough = passes >= calibration_passes
    doubts = {
        "epistemic": ~(summary.mutual_information <= policy.epistemic),
        "ambiguous": _ambiguous(promise, summary.mean),
        "unlikely": ~is_likely(policy.likelihood, summary.mean),
        "few_passes": np.full(len(summary.mean), not enough),
    }
    decisions = []
    for row, fixed in enumerate(fixed_reasons(notices, rule_reasons)):
        reasons = (*fixed, *(reason for reason, holds in doubts.items() if holds[row]))
        decisions.append(Decision("refer" if reasons else "automate", reasons, enough))
    return decisions


REFERRING = frozenset({"out_of_range", "missing"})
"""Kinds of notices that refer a row."""


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
    return [notice.kind for notice in noticed if notice.kind in REFERRING]


def promise_of(policy: Policy, target: float) -> Promise:
    """Return the policy's promise for a target.

    Raises:
        KeyError: the policy has none.
    """
    return {promise.target: promise for promise in policy.promises}[target]


def runner_up(mean: Floats) -> Floats:
    """Return the second-largest probability `(N,)` of each row of `(N, C)`, `C` at least 2."""
    second: Floats = np.partition(mean, -2, axis=1)[:, -2]
    return second


def is_likely(least: float | None, mean: Floats) -> Booleans:
    """Return `(N,)` whether each row's largest probability is at least `least`; True if None."""
    if least is None:
        return np.ones(len(mean), dtype=np.bool_)
    likely: Booleans = mean.max(axis=1) >= least
    return likely


def _ambiguous(promise: Promise, mean: Floats) -> Booleans:
    """Return `(N,)` whether at least two classes exceed the threshold; True if there is none."""
    if promise.threshold is None:
        return np.ones(len(mean), dtype=np.bool_)
    return ~(runner_up(mean) <= promise.threshold)
