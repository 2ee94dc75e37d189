"""Bets on known outcomes."""

import itertools
import json
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dubito.uncertainty.alarm_threshold import ALPHA, raised
from dubito.uncertainty.validity_alarm import (
    STAKES,
    BettingState,
    ByPromise,
    PromiseTrials,
    log_wealth,
)

TALLY = st.tuples(st.integers(0, 200), st.integers(0, 20)).map(
    lambda pair: PromiseTrials(sum(pair), pair[1])
)
TALLIES = st.dictionaries(st.sampled_from([0.005, 0.01, 0.03, 0.1]), TALLY, max_size=4)


def naive(rows: list[tuple[float, bool]]) -> float:
    """The wealth after rows of a promise and whether it failed, one after the other."""
    wealths = [1.0] * len(STAKES)
    for promised, failed in rows:
        for at, stake in enumerate(STAKES):
            wealths[at] *= 1 + stake * (failed / promised - 1)
    return sum(wealths) / len(wealths)


def rates(found: np.ndarray, promised: float) -> ByPromise:
    return {promised: PromiseTrials(len(found), int(found.sum()))}


@given(
    rows=st.lists(st.tuples(st.sampled_from([0.01, 0.03, 0.1]), st.booleans()), max_size=40),
    seed=st.integers(0, 100),
)
def test_counts_say_all_that_rows_say(rows: list[tuple[float, bool]], seed: int) -> None:
    """The wealth is that of betting row by row, in any order."""
    trials: dict[float, PromiseTrials] = {}
    for promised, failed in rows:
        trials[promised] = trials.get(promised, PromiseTrials()) + PromiseTrials(1, int(failed))
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = [rows[at] for at in order]
    assert math.exp(log_wealth(trials)) == pytest.approx(naive(shuffled), rel=1e-9)


@pytest.mark.parametrize("rows", [1, 30, 400])
@pytest.mark.parametrize("promised", [0.005, 0.01, 0.1])
def test_bets_are_fair_where_a_promise_is_just_kept(promised: float, rows: int) -> None:
    """The wealth is 1 on average, over all numbers of failures, and less at a smaller rate."""
    failures = np.arange(rows + 1)
    wealth = [log_wealth({promised: PromiseTrials(rows, at)}) for at in failures.tolist()]

    def mean(rate: float) -> float:
        chances = scipy.stats.binom.logpmf(failures, rows, rate)
        return float(np.exp(scipy.special.logsumexp(chances + wealth)))

    assert mean(promised) == pytest.approx(1)
    assert mean(promised / 2) < 1
    assert mean(promised * 1.01) > 1


@given(parts=st.lists(st.tuples(TALLIES, TALLIES, TALLIES), max_size=5), of_cases=st.booleans())
def test_outcomes_add_up(
    parts: list[tuple[ByPromise, ByPromise, ByPromise]], of_cases: bool
) -> None:
    """However minutes are cut and ordered, the evidence is the same; the largest is kept."""
    forth, back, seen = (
        BettingState.begin(of_cases=of_cases),
        BettingState.begin(of_cases=of_cases),
        [0.0],
    )
    for part in parts:
        forth = forth.advance(*part)
        seen.append(forth.evidence)
    for part in reversed(parts):
        back = back.advance(*part)
    assert forth.evidence == back.evidence
    assert (forth.misses, forth.errors, forth.cases) == (back.misses, back.errors, back.cases)
    assert forth.largest == max(seen)
    assert forth.rows == sum(tally.rows for misses, *_ in parts for tally in misses.values())


@given(misses=TALLIES, errors=TALLIES, cases=TALLIES, of_cases=st.booleans())
def test_outcomes_survive_json(
    misses: ByPromise, errors: ByPromise, cases: ByPromise, of_cases: bool
) -> None:
    state = BettingState.begin(of_cases=of_cases).advance(misses, errors, cases)
    assert BettingState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_outcomes_of_before_know_no_bands() -> None:
    """What was written before bands were watched goes on as it was bet: the mean of two."""
    misses = {0.01: PromiseTrials(100, 30)}
    state = BettingState.begin().advance(misses, {}, {0.1: PromiseTrials(100, 90)})
    plain = state.to_json()
    assert plain.pop("cases") is None
    assert BettingState.from_json(plain) == state
    assert state.evidence == BettingState.begin().advance(misses, {}, {}).evidence


def test_the_least_sure_alone_raise_the_alarm() -> None:
    """Where one in two of a band is wrong, though the average of the automated is kept."""
    cases = {0.1: PromiseTrials(60, 30)}
    state = BettingState.begin(of_cases=True).advance({}, {0.03: PromiseTrials(3_000, 60)}, cases)
    assert raised(state.largest)
    parts = [log_wealth({}), log_wealth({0.03: PromiseTrials(3_000, 60)}), log_wealth(cases)]
    assert math.exp(state.evidence) == pytest.approx(sum(map(math.exp, parts)) / 3)
    without = BettingState.begin().advance({}, {0.03: PromiseTrials(3_000, 60)}, {})
    assert not raised(without.largest)


def test_the_evidence_is_the_mean_of_both() -> None:
    """Sets that miss raise the alarm without a single automated row, at half the evidence."""
    misses = {0.01: PromiseTrials(100, 30)}
    state = BettingState.begin().advance(misses, {}, {})
    expected = (math.exp(log_wealth(misses)) + 1) / 2
    assert math.exp(state.evidence) == pytest.approx(expected)
    assert raised(state.largest)
    assert not raised(BettingState.begin().largest)


def test_the_alarm_is_rare_where_promises_are_just_kept() -> None:
    """Looked at after every row, of 1,000 streams at most 1% and 3 standard errors alarm."""
    random = np.random.default_rng(0)
    streams, rows = 1_000, 1_000
    alarms = 0
    for failed in random.random((streams, rows)) < 0.03:
        wealths = np.cumsum(np.log1p(np.array(STAKES) * (failed[:, None] / 0.03 - 1)), axis=0)
        largest = (np.logaddexp.reduce(wealths, axis=1) - math.log(len(STAKES))).max()
        alarms += raised(float(largest))
    assert alarms / streams <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / streams) ** 0.5


@pytest.mark.parametrize(
    ("promised", "factor", "rows"), [(0.01, 3, 1_500), (0.03, 2, 1_500), (0.1, 2, 500)]
)
def test_a_broken_promise_is_found(promised: float, factor: float, rows: int) -> None:
    """In 95 of 100 streams of so many rows."""
    random = np.random.default_rng(1)
    found = 0
    for _ in range(100):
        state = BettingState.begin()
        for minute in np.split(random.random(rows) < factor * promised, rows // 50):
            state = state.advance({}, rates(minute, promised), {})
        found += raised(state.largest)
    assert found >= 95


def test_a_wealth_that_is_lost_is_no_error() -> None:
    """Millions of kept promises leave a finite logarithm, and evidence of the smallest kind."""
    state = BettingState.begin().advance(
        {0.01: PromiseTrials(10**7, 10)}, {0.03: PromiseTrials(10**7, 10)}, {}
    )
    assert math.isfinite(state.evidence)
    assert state.largest == 0.0
    for misses, errors in itertools.product(({}, {0.01: PromiseTrials()}), repeat=2):
        assert state.advance(misses, errors, {}).evidence == state.evidence
