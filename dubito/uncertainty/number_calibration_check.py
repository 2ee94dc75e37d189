"""Consistency checks of a number's stored calibration.

Scores come from one half of the calibration rows and the policy from the other, so that neither
implies the other. What a promise says of its own rows must pass the test that would have selected
it, and the tables of scores must be able to give the intervals that decisions are about.
"""

import math
from collections.abc import Iterator

from dubito.targets import NumberTarget
from dubito.types import NumberCalibration, Policy
from dubito.uncertainty.calibration_check import (
    band_faults,
    order_faults,
    promise_count_faults,
    shared_policy_faults,
    use_faults,
)
from dubito.uncertainty.intervals import SCORES, methods_of


def number_calibration_faults(
    calibration: NumberCalibration, target: NumberTarget
) -> Iterator[str]:
    """Yield contradictions, as parts of a sentence that begin with the member's name.

    Only the first is reliable: later checks assume that the earlier ones passed.
    """
    policy, tested = calibration.policy, calibration.tested
    yield from use_faults(calibration.passes, calibration.coverage)
    yield from _score_faults(calibration, target)
    yield from _policy_faults(policy)
    if tested < 1:
        yield "tested is not a number of rows"
    for number, promise in enumerate(policy.promises):
        place = f"policy.promises.{number}"
        yield from promise_count_faults(place, promise, policy, tested)
        yield from band_faults(place, promise, policy, tested)
    yield from order_faults(policy, tested)


def _score_faults(calibration: NumberCalibration, target: NumberTarget) -> Iterator[str]:
    offered = methods_of(target)
    if calibration.method not in calibration.scores:
        yield "method is not one that has scores"
    for method, scores in calibration.scores.items():
        if method not in offered:
            yield f"scores has more than {', '.join(offered)}"
        if len(scores) != len(calibration.scores[calibration.method]) or not scores:
            yield f"scores.{method} does not have a row for each of {calibration.method}"
        # Only a score of quantiles may be below 0: of a value between them.
        if method in SCORES and method != "quantile" and min(scores) < 0:
            yield f"scores.{method} has a score below 0"
    if not calibration.least_std > 0:
        yield "least_std is not above 0"
    if len(calibration.stds) != calibration.tested + len(calibration.scores[calibration.method]):
        yield "stds does not have a row for each of the scores and of those tested"
    if min(calibration.stds, default=-1) < 0:
        yield "stds has a standard deviation below 0"


def _policy_faults(policy: Policy) -> Iterator[str]:
    yield from shared_policy_faults(policy)
    if policy.case_limit is None or not 0 < policy.case_limit < 1:
        yield "policy.case_limit is not between 0 and 1"
    if not 0 <= policy.epistemic < math.inf:
        yield "policy.epistemic is below 0"
    for number, promise in enumerate(policy.promises):
        if promise.threshold is not None and promise.threshold < 0:
            yield f"policy.promises.{number}.threshold is below 0"
