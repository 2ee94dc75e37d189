"""Consistency checks of a stored calibration: everything that its scores imply is recomputed.

The four scores of a calibration row are functions of its probabilities, so they bound one another.
With p the probability of the right class (1 − its `lac`), the row was graded correctly exactly if
its `aps` and its `adjacent` equal p; otherwise both include the grade's probability as well, which
is at least p and at least 1/C. This determines the accuracy and bounds how many rows a threshold
can automate. The rows of a promise must pass the test that would have selected it.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dubito.types import Band, Booleans, Calibration, Floats, Policy, Promise
from dubito.uncertainty.conformal import LEAST_COVERAGE, MOST_COVERAGE
from dubito.uncertainty.scores import offered
from dubito.uncertainty.selection import binomial_tail

EXACT = 1e-9
"""Tolerance between two sums of the same probabilities."""
LOOSE = 1e-4
"""Tolerance of the sum of a row's probabilities, which a softmax in float32 does not meet
exactly."""
CHECKED = ("lac", "aps", "raps", "adjacent")
"""Methods whose scores bound one another; every calibration of ordered classes has them."""
MOST_PASSES = 1_000_000
MOST_PENALTY = 1.0
"""Largest λ of RAPS, at which one more class counts as much as all probability."""
MOST_PROMISES = 100
LEAST_CONFIDENCE = 0.5
"""Least confidence of a promise, below which it would be meaningless."""


def calibration_faults(
    calibration: Calibration, classes: int, *, ordered: bool = True
) -> Iterator[str]:
    """Yield contradictions, as parts of a sentence that begin with the member's name.

    Only the first is reliable: later checks assume that the earlier ones passed.
    """
    yield from _number_faults(calibration, classes)
    yield from _row_faults(calibration, classes, offered(ordered=ordered))
    rows = _Rows(calibration, classes)
    yield from rows.faults()
    yield from _policy_faults(calibration.policy, classes)
    for number, promise in enumerate(calibration.policy.promises):
        place = f"policy.promises.{number}"
        yield from _promise_faults(place, promise, calibration.policy, rows)
        if calibration.policy.case_limit is not None:
            yield from band_faults(place, promise, calibration.policy, rows.count)
    yield from order_faults(calibration.policy, len(calibration.labels))


def use_faults(passes: int, coverage: float) -> Iterator[str]:
    """Yield faults of the calibration's number of passes and default coverage."""
    if not 1 <= passes <= MOST_PASSES:
        yield f"passes is not from 1 to {MOST_PASSES}"
    if not LEAST_COVERAGE <= coverage <= MOST_COVERAGE:
        yield f"coverage is not from {LEAST_COVERAGE} to {MOST_COVERAGE}"


def _number_faults(calibration: Calibration, classes: int) -> Iterator[str]:
    yield from use_faults(calibration.passes, calibration.coverage)
    if not 0 <= calibration.penalty <= MOST_PENALTY:
        yield f"penalty is not from 0 to {MOST_PENALTY:g}"
    if not 0 <= calibration.free <= classes:
        yield f"free is not from 0 to the {classes} classes"


def _row_faults(calibration: Calibration, classes: int, methods: Sequence[str]) -> Iterator[str]:
    """Yield missing, surplus or invalid rows and scores."""
    count, scores = len(calibration.labels), calibration.scores
    if not count:
        yield "labels has no row"
    if (label := _first([not 0 <= label < classes for label in calibration.labels])) is not None:
        yield f"labels.{label} is not one of the {classes} classes, which count from 0"
    if missing := [method for method in CHECKED if method in methods and method not in scores]:
        yield f"scores has no {missing[0]}"
    if any(method not in methods for method in scores):
        yield f"scores has more than {', '.join(methods)}"
    for method in scores:
        if len(scores[method]) != count:
            yield f"scores.{method} has {len(scores[method])} rows, but labels has {count}"
    if len(calibration.mutual_information) not in (0, count):
        rows = len(calibration.mutual_information)
        yield f"mutual_information has {rows} rows, but labels has {count}"


class _Rows:
    """Conclusions from the scores about the `N` calibration rows."""

    def __init__(self, calibration: Calibration, classes: int) -> None:
        self._calibration = calibration
        self._classes = classes
        found = {
            method: np.array(calibration.scores[method])
            for method in CHECKED
            if method in calibration.scores
        }
        self._lac, self._aps, self._raps = found["lac"], found["aps"], found["raps"]
        self._masses = {method: found[method] for method in ("aps", "adjacent") if method in found}
        self._right_class: Floats = 1 - self._lac
        """`(N,)` probability of the right class."""
        self._least_grade = np.maximum(self._right_class, (1 - LOOSE) / classes)
        """`(N,)` lower bound of the grade's probability."""
        self.right: Booleans = _equal(self._aps, self._right_class)
        """`(N,)`, whether the grade was right."""
        self.count = len(found["lac"])

    def faults(self) -> Iterator[str]:
        """Yield scores that are impossible together with the row's other scores."""
        yield from self._range_faults()
        for method, scores in self._masses.items():
            yield from self._mass_faults(method, scores)
        yield from self._rank_faults()
        accuracy, counted = self._calibration.accuracy, float(self.right.mean())
        if abs(accuracy - counted) > EXACT:
            yield f"accuracy is not {counted:.6g}, the share of rows that the scores say are right"
        if self._calibration.mutual_information:
            yield from self._information_faults()

    def automatable(self, threshold: float) -> Booleans:
        """Return which rows `(N,)` a threshold for the second-largest probability can automate.

        In a correctly graded row the other classes share the remaining probability; in a wrong one
        the right class has p. Rows that a rule referred are included, because rules' results are
        not stored.
        """
        rest = (1 - LOOSE - self._right_class) / (self._classes - 1)
        least_second = np.where(self.right, rest, self._right_class)
        information = self._calibration.mutual_information
        eligible = np.array(information or [0.0]) <= self._calibration.policy.epistemic
        possible: Booleans = eligible & (least_second <= threshold + EXACT)
        return possible

    def _range_faults(self) -> Iterator[str]:
        """Yield scores outside 0 to 1, or for `raps` above 1 plus its largest penalty."""
        added = self._calibration.penalty * self._classes
        limits = {"lac": 1.0, "aps": 1 + LOOSE, "adjacent": 1 + LOOSE, "raps": 1 + LOOSE + added}
        for method, most in limits.items():
            scores = np.array(self._calibration.scores.get(method, ()))
            yield from self._named(
                method, f"is not from 0 to {most:.6g}", (scores < 0) | (scores > most)
            )

    def _mass_faults(self, method: str, mass: Floats) -> Iterator[str]:
        """Yield masses that are too small to contain both the right class and the grade."""
        right = _equal(mass, self._right_class)
        yield from self._named(method, "and aps do not agree on the grade", right != self.right)
        least = self._right_class + np.where(right, 0, self._least_grade)
        fits = mass >= least - EXACT
        fits &= ~right | (self._right_class >= self._least_grade - EXACT)
        yield from self._named(method, "is impossible for a row with its lac", ~fits)
        if self._classes == 2:
            yield from self._named(method, "is not its aps", ~_equal(mass, self._aps))

    def _rank_faults(self) -> Iterator[str]:
        """Yield ranks of the right class in `raps` that contradict the row's other scores.

        `raps` is `aps` plus λ for every rank beyond the first k. The classes ranked before the
        right one have at least p each, those after it at most p each.
        """
        penalty, free = self._calibration.penalty, self._calibration.free
        added = self._raps - self._aps
        beyond = np.rint(added / penalty) if penalty > EXACT else np.zeros(self.count)
        least = np.where(self.right, 1, 2)
        most = np.where(self.right, 1, self._classes)
        place = np.where(beyond > 0, beyond + free, least)
        fits = _equal(added, penalty * beyond) & (beyond >= 0) & (place >= least) & (place <= most)
        if penalty > EXACT:
            fits &= (beyond > 0) | (free >= least)
        fits &= place * self._right_class <= self._aps + EXACT
        fits &= 1 - self._aps <= (self._classes - place) * self._right_class + LOOSE
        yield from self._named("raps", "is impossible for a row with its aps and lac", ~fits)

    def _information_faults(self) -> Iterator[str]:
        """Yield mutual information above a row's largest entropy, given p of its right class."""
        found = np.array(self._calibration.mutual_information)
        p = np.clip(self._right_class, np.finfo(np.float64).tiny, 1 - np.finfo(np.float64).eps)
        others = math.log(max(self._classes - 1, 1))
        most = -p * np.log(p) - (1 - p) * np.log1p(-p) + (1 - p) * others
        row = _first((found < 0) | (found > most + 10 * LOOSE))
        if row is not None:
            yield f"mutual_information.{row} is impossible for a row with its lac"

    def _named(self, method: str, fault: str, wrong: Booleans) -> Iterator[str]:
        row = _first(wrong)
        if row is not None:
            yield f"scores.{method}.{row} {fault}"


def _policy_faults(policy: Policy, classes: int) -> Iterator[str]:
    if not 0 <= policy.epistemic <= math.log(classes) + EXACT:
        yield f"policy.epistemic is not from 0 to the logarithm of the {classes} classes"
    yield from _case_faults(policy)
    yield from shared_policy_faults(policy)
    for number, promise in enumerate(policy.promises):
        threshold = promise.threshold
        if threshold is not None and not 0 <= threshold <= (1 + LOOSE) / 2:
            yield f"policy.promises.{number}.threshold is not from 0 to 0.5"


def shared_policy_faults(policy: Policy) -> Iterator[str]:
    """Yield faults of a policy's confidence and targets."""
    targets = [promise.target for promise in policy.promises]
    if not LEAST_CONFIDENCE <= policy.confidence < 1:
        yield f"policy.confidence is not from {LEAST_CONFIDENCE} to below 1"
    if not 1 <= len(targets) <= MOST_PROMISES:
        yield f"policy.promises does not have 1 to {MOST_PROMISES} promises"
    if (at := _first([not 0 < target < 1 for target in targets])) is not None:
        yield f"policy.promises.{at}.target is not between 0 and 1"
    if any(first >= second for first, second in pairwise(targets)):
        yield "policy.promises is not in the order of its targets, each once"
    if policy.target not in targets:
        yield "policy.target is not one of the promised targets"


def _case_faults(policy: Policy) -> Iterator[str]:
    if (policy.case_limit is None) != (policy.likelihood is None):
        yield "policy.case_limit and policy.likelihood are not given together"
    if policy.case_limit is not None and not 0 < policy.case_limit < 1:
        yield "policy.case_limit is not between 0 and 1"
    if policy.likelihood is not None and not 0 <= policy.likelihood <= 1:
        yield "policy.likelihood is not from 0 to 1"


def _promise_faults(place: str, promise: Promise, policy: Policy, rows: _Rows) -> Iterator[str]:
    """Yield shares that the calibration rows cannot have at a promise's threshold."""
    counts = _counts(promise, rows.count)
    if promise.threshold is not None and counts is not None:
        possible = rows.automatable(promise.threshold)
        if (
            counts.right > (possible & rows.right).sum()
            or counts.wrong > (possible & ~rows.right).sum()
        ):
            yield f"{place} automates more rows than the scores allow at its threshold"
    yield from promise_count_faults(place, promise, policy, rows.count)


def promise_count_faults(place: str, promise: Promise, policy: Policy, count: int) -> Iterator[str]:
    """Yield shares of `count` rows that are not of whole rows, or that fail the promise's test."""
    if promise.threshold is None:
        if promise.automated or promise.wrong:
            yield f"{place} automates rows without a threshold"
        return
    counts = _counts(promise, count)
    if counts is None:
        yield f"{place} has shares that are not of whole rows, of {count}"
    elif not _is_kept(counts, promise.target, policy):
        yield f"{place} is not kept by its rows at the confidence of the policy"


def band_faults(place: str, promise: Promise, policy: Policy, count: int) -> Iterator[str]:
    """Yield faults of a band, relative to the rows that its promise automates."""
    band = promise.band
    if promise.wanting is None or promise.wanting < 0:
        yield f"{place}.wanting is not a number of rows"
    if (band is None) != (promise.threshold is None):
        yield f"{place}.band is needed exactly where there is a threshold"
    if band is None or promise.threshold is None:
        return
    if promise.wanting:
        yield f"{place} automates rows although its wanting is above 0"
    if not 0 <= band.bound <= promise.threshold:
        yield f"{place}.band.bound is not from 0 to the threshold"
    if not 0 < band.share <= 1:
        yield f"{place}.band.share is not above 0 and at most 1"
    yield from _band_count_faults(f"{place}.band", promise, band, policy, count)


def _band_count_faults(
    place: str, promise: Promise, band: Band, policy: Policy, count: int
) -> Iterator[str]:
    """Yield counts of rows that are impossible in a band."""
    all_rows, counts = _counts(promise, count), _counts(band, count)
    if counts is None:
        yield f"{place} has shares that are not of whole rows, of {count}"
    elif all_rows is not None and (counts.right > all_rows.right or counts.wrong > all_rows.wrong):
        yield f"{place} has rows that are not automated"
    elif policy.case_limit is not None and not _is_kept(counts, policy.case_limit, policy):
        yield f"{place} is not kept by its rows at the confidence of the policy"


def order_faults(policy: Policy, count: int) -> Iterator[str]:
    """Yield pairs of thresholds of which the larger automates fewer rows, right or wrong."""
    found = [
        (promise.threshold, counts)
        for promise in policy.promises
        if promise.threshold is not None and (counts := _counts(promise, count)) is not None
    ]
    for (low, fewer), (high, more) in pairwise(sorted(found)):
        same = low == high and fewer != more
        if same or fewer.right > more.right or fewer.wrong > more.wrong:
            yield "policy.promises automates fewer rows at a larger threshold or others at the same"


class _Counts(NamedTuple):
    """Numbers of automated calibration rows, graded right and wrong."""

    right: int
    wrong: int


def _is_kept(counts: _Counts, rate: float, policy: Policy) -> bool:
    """Return whether rows pass the test that would have selected the promise."""
    return binomial_tail(counts.wrong, counts.right + counts.wrong, rate) <= 1 - policy.confidence


def _counts(promise: Promise | Band, count: int) -> _Counts | None:
    """Convert shares to counts of rows; None if they are not whole numbers or there is no row."""
    rows = _whole(promise.automated * count)
    wrong = None if rows is None else _whole(promise.wrong * rows)
    if rows is None or wrong is None or not 0 <= wrong <= rows <= count or rows < 1:
        return None
    return _Counts(rows - wrong, wrong)


def _whole(number: float) -> int | None:
    return round(number) if abs(number) < 2**53 and abs(number - round(number)) < LOOSE else None


def _equal(first: Floats, second: Floats) -> Booleans:
    equal: Booleans = np.abs(first - second) <= EXACT
    return equal


def _first(wrong: Booleans | list[bool]) -> int | None:
    """Return the position of the first True; None if there is none."""
    found = np.flatnonzero(wrong)
    return int(found[0]) if found.size else None
