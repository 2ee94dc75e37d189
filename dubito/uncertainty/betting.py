"""The watch for validity: bets that promised rates of failure are exceeded, on known outcomes.

Three promises are tested: that prediction sets, as calibrated, miss the right class in no more than
their share of rows, that no more of the automated grades are wrong than the target says, and, where
the policy has one, that no more of the least sure of these are than its limit for single cases.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

STAKES = tuple(0.005 * 2**power for power in range(8))
"""Shares of the wealth that are bet, 0.005 to 0.64."""


@dataclass(frozen=True, slots=True)
class Trials:
    """How many rows had a promise, and in how many of them it failed."""

    rows: int = 0
    failures: int = 0

    def __add__(self, other: "Trials") -> "Trials":
        return Trials(self.rows + other.rows, self.failures + other.failures)


ByPromise = Mapping[float, Trials]
"""Most probability of a failure that was promised, above 0 and below 1, to its rows."""


def log_wealth(trials: ByPromise) -> float:
    """Logarithm of the wealth of somebody who began with 1 and bet that promises are broken.

    A row with a promise of t at most multiplies a stake by 1 + κ(x/t − 1), x being 1 for a failure
    and 0 otherwise, which is at most 1 on average if the promise is kept; so the product over the
    rows is a test supermartingale (Shafer 2021; Waudby-Smith and Ramdas 2024, section 4). It is the
    ratio of the likelihoods of t + κ(1 − t) and t. The mean over the κ in `STAKES` is one as well,
    and needs to know neither the order of rows nor the rate at which they fail.
    """
    stakes = np.array(STAKES)
    logs = np.zeros(len(stakes))
    for promised, one in trials.items():
        logs += one.failures * np.log1p(stakes * (1 / promised - 1))
        logs += (one.rows - one.failures) * np.log1p(-stakes)
    return float(np.logaddexp.reduce(logs)) - math.log(len(stakes))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What is known of the promises whose outcome is known."""

    misses: dict[float, Trials]
    """Of prediction sets, before anything was added to them: 1 − coverage to its rows."""
    errors: dict[float, Trials]
    """Of automated grades: target to its rows."""
    cases: dict[float, Trials] | None
    """Of those in a band: the limit for single cases to its rows; None where none is promised."""
    largest: float
    """Logarithm of the largest evidence so far."""

    @classmethod
    def begin(cls, *, of_cases: bool = False) -> "Outcomes":
        """Before the first outcome; `of_cases` where something is promised of single cases."""
        return cls({}, {}, {} if of_cases else None, 0.0)

    @property
    def rows(self) -> int:
        """Outcomes that were looked at."""
        return sum(one.rows for one in self.misses.values())

    @property
    def evidence(self) -> float:
        """Logarithm of the evidence now, see `dubito.uncertainty.alarm`: the mean over the wealths.

        Each is a supermartingale in the light of all outcomes, if rows are independent, so that
        their mean is one, though a row may fail in several ways.
        """
        tested = [one for one in (self.misses, self.errors, self.cases) if one is not None]
        wealths = [log_wealth(one) for one in tested]
        return float(np.logaddexp.reduce(wealths)) - math.log(len(wealths))

    def advance(self, misses: ByPromise, errors: ByPromise, cases: ByPromise) -> "Outcomes":
        """After more outcomes; those of `cases` count where something is promised of them."""
        moved = replace(
            self,
            misses=_sum(self.misses, misses),
            errors=_sum(self.errors, errors),
            cases=None if self.cases is None else _sum(self.cases, cases),
        )
        return replace(moved, largest=max(self.largest, moved.evidence))

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "misses": _plain(self.misses),
            "errors": _plain(self.errors),
            "cases": None if self.cases is None else _plain(self.cases),
            "largest": self.largest,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> "Outcomes":
        """From what `to_json` gave, in older versions as well, which knew of no `cases`."""
        cases = state.get("cases")
        return cls(
            _trials(state["misses"]),
            _trials(state["errors"]),
            None if cases is None else _trials(cases),
            state["largest"],
        )


def _sum(before: ByPromise, more: ByPromise) -> dict[float, Trials]:
    return {
        promised: before.get(promised, Trials()) + more.get(promised, Trials())
        for promised in sorted({*before, *more})
    }


def _plain(trials: ByPromise) -> list[list[float]]:
    """Promise, rows and failures of each."""
    return [[promised, one.rows, one.failures] for promised, one in trials.items()]


def _trials(plain: list[Any]) -> dict[float, Trials]:
    return {promised: Trials(rows, failures) for promised, rows, failures in plain}
