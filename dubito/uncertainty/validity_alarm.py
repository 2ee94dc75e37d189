"""Alarm for validity: sequential test, on known outcomes, that promised error rates are exceeded.

Three promises are tested: that prediction sets, as calibrated, miss the right class in at most
their share of rows; that at most the target's share of the automated grades is wrong; and, if the
policy has a band of least certain automated rows, that at most its limit of those is wrong.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

STAKES = tuple(0.005 * 2**power for power in range(8))
"""Shares of the wealth that are bet, from 0.005 to 0.64."""


@dataclass(frozen=True, slots=True)
class PromiseTrials:
    """Number of rows with a promise, and number of them in which it failed."""

    rows: int = 0
    failures: int = 0

    def __add__(self, other: "PromiseTrials") -> "PromiseTrials":
        return PromiseTrials(self.rows + other.rows, self.failures + other.failures)


ByPromise = Mapping[float, PromiseTrials]
"""Trials by the promised upper bound of the probability of a failure, above 0 and below 1."""


def log_wealth(trials: ByPromise) -> float:
    """Compute the log wealth of a gambler who starts with 1 and bets that promises are broken.

    A row with a promise of at most t multiplies a stake by 1 + κ(x/t − 1), where x is 1 for a
    failure and 0 otherwise. The factor is at most 1 on average if the promise holds, so the product
    over the rows is a test supermartingale (Shafer 2021; Waudby-Smith and Ramdas 2024, section 4).
    It is the likelihood ratio of t + κ(1 − t) to t. The mean over the κ in `STAKES` is a test
    supermartingale too, and needs to know neither the order of rows nor their rate of failures.
    """
    stakes = np.array(STAKES)
    logs = np.zeros(len(stakes))
    for promised, one in trials.items():
        logs += one.failures * np.log1p(stakes * (1 / promised - 1))
        logs += (one.rows - one.failures) * np.log1p(-stakes)
    return float(np.logaddexp.reduce(logs)) - math.log(len(stakes))


@dataclass(frozen=True, slots=True)
class BettingState:
    """State of the test: trials of each promise so far, and the largest evidence."""

    misses: dict[float, PromiseTrials]
    """Trials of prediction sets as calibrated, before additions, by 1 − coverage."""
    errors: dict[float, PromiseTrials]
    """Trials of automated grades, by target."""
    cases: dict[float, PromiseTrials] | None
    """Trials of automated grades in a band, by its limit; None if the policy has no band."""
    largest: float
    """Logarithm of the largest evidence so far."""

    @classmethod
    def begin(cls, *, of_cases: bool = False) -> "BettingState":
        """Return the state before the first outcome; `of_cases` if the policy has a band."""
        return cls({}, {}, {} if of_cases else None, 0.0)

    @property
    def rows(self) -> int:
        """Number of outcomes counted so far."""
        return sum(one.rows for one in self.misses.values())

    @property
    def evidence(self) -> float:
        """Logarithm of the current evidence, the mean of the wealths (see `alarm_threshold`).

        If rows are independent, each wealth is a supermartingale in the filtration of all outcomes,
        and so is their mean, although one row may break several promises.
        """
        tested = [one for one in (self.misses, self.errors, self.cases) if one is not None]
        wealths = [log_wealth(one) for one in tested]
        return float(np.logaddexp.reduce(wealths)) - math.log(len(wealths))

    def advance(self, misses: ByPromise, errors: ByPromise, cases: ByPromise) -> "BettingState":
        """Return the state after more outcomes; `cases` count only if the policy has a band."""
        moved = replace(
            self,
            misses=_sum(self.misses, misses),
            errors=_sum(self.errors, errors),
            cases=None if self.cases is None else _sum(self.cases, cases),
        )
        return replace(moved, largest=max(self.largest, moved.evidence))

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        return {
            "misses": _plain(self.misses),
            "errors": _plain(self.errors),
            "cases": None if self.cases is None else _plain(self.cases),
            "largest": self.largest,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> "BettingState":
        """Restore from the values of `to_json`, also of older versions, which have no `cases`."""
        cases = state.get("cases")
        return cls(
            _trials(state["misses"]),
            _trials(state["errors"]),
            None if cases is None else _trials(cases),
            state["largest"],
        )


def _sum(before: ByPromise, more: ByPromise) -> dict[float, PromiseTrials]:
    return {
        promised: before.get(promised, PromiseTrials()) + more.get(promised, PromiseTrials())
        for promised in sorted({*before, *more})
    }


def _plain(trials: ByPromise) -> list[list[float]]:
    """Convert trials to lists of promise, rows and failures."""
    return [[promised, one.rows, one.failures] for promised, one in trials.items()]


def _trials(plain: list[Any]) -> dict[float, PromiseTrials]:
    return {promised: PromiseTrials(rows, failures) for promised, rows, failures in plain}
