"""The conformal test martingale of one stream."""

import itertools
import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dubito.types import Floats
from dubito.uncertainty.bins import Bins, of_reference
from dubito.uncertainty.martingale import (
    AT_ONCE,
    BETS,
    PATIENCE,
    SLOPES,
    SPREADS,
    TAILS,
    Martingale,
    log_factors,
    p_values,
)

Draw = Callable[[np.random.Generator, int], Floats]
SMALL = Bins((0.0, 1.0, 2.0), (0, 6, 3, 1, 2))
STREAM = st.lists(st.integers(0, 4), max_size=30)


def naive_p(reference: tuple[int, ...], places: list[int], uniforms: Floats) -> list[float]:
    """p-values by looking at every value again, row by row."""
    bag = [at for at, count in enumerate(reference) for _ in range(count)]
    found = []
    for place, uniform in zip(places, uniforms, strict=True):
        bag.append(place)
        larger, equal = sum(one > place for one in bag), sum(one == place for one in bag)
        found.append((larger + uniform * equal) / len(bag))
    return found


def naive_factors(p: float) -> list[float]:
    x = 2 * p - 1
    return [
        *(1 + slope * x for slope in SLOPES),
        *(1 + spread * (3 * x * x - 1) / 2 for spread in SPREADS),
        *(1 - share + share * power * p ** (power - 1) for share, power in TAILS),
        *(1 - share + share * power * (1 - p) ** (power - 1) for share, power in TAILS),
    ]


def naive_wealth(p: list[float]) -> float:
    """The mixture written out: each bet begun after each row, and what never begins."""
    rest = [(1 - AT_ONCE) * (1 + at / PATIENCE) ** -0.5 for at in range(len(p) + 1)]
    begun = [AT_ONCE, *(before - after for before, after in itertools.pairwise(rest))]
    factors = [naive_factors(one) for one in p]
    wealth = rest[-1]
    for start, share in enumerate(begun):
        wealth += sum(
            share / BETS * math.prod(row[bet] for row in factors[start:]) for bet in range(BETS)
        )
    return wealth


@given(places=STREAM, seed=st.integers(0, 2**32 - 1))
def test_the_martingale_is_the_mixture_written_out(places: list[int], seed: int) -> None:
    """p-values, wealth and its largest value are those of a loop that looks at every row again."""
    uniforms = np.random.default_rng(seed).uniform(0.01, 0.99, len(places))
    expected = naive_p(SMALL.reference, places, uniforms)
    bag = np.array(SMALL.reference)
    np.testing.assert_allclose(p_values(bag, np.array(places, np.intp), uniforms), expected)
    state = Martingale.begin(SMALL).advance(np.array(places, np.intp), uniforms)
    assert math.exp(state.evidence) == pytest.approx(naive_wealth(expected))
    wealths = [naive_wealth(expected[:at]) for at in range(len(places) + 1)]
    assert math.exp(state.largest) == pytest.approx(max(wealths))


@given(places=STREAM, cut=st.integers(0, 30), seed=st.integers(0, 2**32 - 1))
def test_a_stream_may_come_in_parts(places: list[int], cut: int, seed: int) -> None:
    """Two parts, or one row at a time, through JSON: the same as at once."""
    uniforms = np.random.default_rng(seed).random(len(places))
    rows = np.array(places, np.intp)
    whole = Martingale.begin(SMALL).advance(rows, uniforms)
    halves = Martingale.begin(SMALL).advance(rows[:cut], uniforms[:cut])
    halves = Martingale.from_json(json.loads(json.dumps(halves.to_json())))
    halves = halves.advance(rows[cut:], uniforms[cut:])
    single = Martingale.begin(SMALL)
    for at in range(len(rows)):
        single = single.advance(rows[at : at + 1], uniforms[at : at + 1])
    for state in (halves, single):
        assert (state.bag, state.rows) == (whole.bag, whole.rows)
        np.testing.assert_allclose(state.stakes, whole.stakes)
        assert state.evidence == pytest.approx(whole.evidence)
        assert state.largest == pytest.approx(whole.largest)


def test_p_values_are_uniform_and_independent() -> None:
    """Of rows like the reference, whatever ties they have: by Kolmogorov, and from row to row."""
    random = np.random.default_rng(0)
    law, found = np.array([0.0, 0.5, 0.3, 0.15, 0.05]), []
    for _ in range(2_000):
        places = random.choice(5, 20, p=law)
        found.append(p_values(random.multinomial(30, law), places, random.random(20)))
    rows = np.array(found)
    assert scipy.stats.kstest(rows.ravel(), "uniform").pvalue > 0.01
    assert scipy.stats.kstest(rows[:, -1], "uniform").pvalue > 0.01
    assert scipy.stats.spearmanr(rows[:, :-1].ravel(), rows[:, 1:].ravel()).pvalue > 0.01


@pytest.mark.parametrize("bet", range(BETS))
def test_every_bet_is_a_density(bet: int) -> None:
    """It is never negative, and 1 on average, so that it is fair."""

    def factor(p: float) -> float:
        return float(np.exp(log_factors(np.array([p]))[0, bet]))

    mean = sum(scipy.integrate.quad(factor, *part)[0] for part in ((0, 0.5), (0.5, 1)))
    assert mean == pytest.approx(1, abs=1e-3)
    assert all(0 <= factor(p) < math.inf for p in (0.0, 1e-300, 0.5, 1.0))


def test_the_wealth_grows_by_luck_alone() -> None:
    """Of rows like the reference: at most 1 on average, and in at most 5% of streams ever 20."""
    random = np.random.default_rng(1)
    now, largest = [], []
    for _ in range(4_000):
        bins = of_reference(random.normal(size=100).tolist())
        state = Martingale.begin(bins)
        state = state.advance(bins.indices(random.normal(size=60)), random.random(60))
        now.append(math.exp(state.evidence))
        largest.append(state.largest)
    assert np.mean(now) <= 1 + 3 * np.std(now) / 4_000**0.5
    reached = np.mean(np.array(largest) >= math.log(20))
    assert reached <= 0.05 + 3 * (0.05 * 0.95 / 4_000) ** 0.5


@pytest.mark.parametrize(
    ("changed", "rows"),
    [
        (lambda random, rows: random.normal(0.3, size=rows), 700),
        (lambda random, rows: random.normal(-0.3, size=rows), 700),
        (lambda random, rows: random.normal(scale=1.4, size=rows), 700),
        (lambda random, rows: random.normal(scale=0.7, size=rows), 700),
        (lambda random, rows: random.normal(size=rows) + 9 * (random.random(rows) < 0.05), 300),
        (lambda random, rows: random.normal(size=rows) - 9 * (random.random(rows) < 0.05), 300),
        (lambda random, rows: np.where(random.random(rows) < 0.05, np.nan, 0.0), 100),
    ],
    ids=["larger", "smaller", "wider", "narrower", "high tail", "low tail", "missing"],
)
def test_every_kind_of_change_is_seen(changed: Draw, rows: int) -> None:
    """In so many rows the wealth exceeds 1,000 in 19 of 20 streams."""
    random = np.random.default_rng(2)
    seen = 0
    for _ in range(20):
        bins = of_reference(random.normal(size=7_000).tolist())
        state = Martingale.begin(bins)
        state = state.advance(bins.indices(changed(random, rows)), random.random(rows))
        seen += state.largest >= math.log(1_000)
    assert seen >= 19


def test_a_late_change_is_seen() -> None:
    """After 20,000 rows that were like the reference, 400 rows are enough."""
    random = np.random.default_rng(3)
    bins = of_reference(random.normal(size=7_000).tolist())
    state = Martingale.begin(bins)
    for _ in range(10):
        state = state.advance(bins.indices(random.normal(size=2_000)), random.random(2_000))
    assert state.largest < math.log(1_000)
    state = state.advance(bins.indices(random.normal(0.5, size=400)), random.random(400))
    assert state.largest >= math.log(1_000)


def test_the_largest_wealth_stays() -> None:
    """What was once reached is kept, though the wealth is lost again."""
    random = np.random.default_rng(4)
    bins = of_reference(random.normal(size=1_000).tolist())
    high = Martingale.begin(bins).advance(
        bins.indices(random.normal(3, size=50)), random.random(50)
    )
    after = high
    for _ in range(5):
        after = after.advance(bins.indices(random.normal(size=2_000)), random.random(2_000))
    assert after.evidence < high.evidence
    assert after.largest >= high.largest > math.log(1_000)


def test_nothing_comes_of_nothing() -> None:
    """No rows leave the state as it is, with a wealth of 1 at first."""
    state = Martingale.begin(SMALL)
    assert state.advance(np.array([], np.intp), np.array([])) == state
    assert state.evidence == pytest.approx(0)
    assert state.largest == 0.0


def test_a_bin_that_is_none_is_an_error() -> None:
    with pytest.raises(IndexError):
        Martingale.begin(SMALL).advance(np.array([5]), np.array([0.5]))
