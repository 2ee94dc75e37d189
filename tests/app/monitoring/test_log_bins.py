"""Bins of nats, and the quantiles that are read from counts of them."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.monitoring.log_bins import BINS, EDGES, LEAST, LEVELS, MOST, bounds, place, quantiles

NATS = math.log(7)
VALUES = st.lists(
    st.one_of(st.floats(0, NATS), st.floats(0, 1e-4), st.sampled_from([0.0, 0.3, NATS])),
    min_size=1,
    max_size=120,
)


@given(VALUES)
def test_quantiles_are_right_within_a_bin(values: list[float]) -> None:
    """Each lies between the ends of the bin that holds NumPy's, whatever the values are."""
    found = quantiles(Counter(map(place, values)), NATS)
    for level in LEVELS:
        exact = float(np.quantile(values, level, method="inverted_cdf"))
        low, high = bounds(place(exact), NATS)
        told = found[str(level)]
        assert told is not None
        assert low <= told <= high
        assert 0 <= told <= NATS


@given(VALUES, VALUES)
def test_quantiles_do_not_cross(first: list[float], second: list[float]) -> None:
    """A higher level has no lower quantile, and more rows of other bins none that is outside."""
    both = Counter(map(place, first)) + Counter(map(place, second))
    told = [quantiles(both, NATS)[str(level)] or 0.0 for level in LEVELS]
    assert sorted(told) == told
    assert bounds(min(both), NATS)[0] <= told[0]
    assert told[-1] <= bounds(max(both), NATS)[1]


def test_of_nothing_there_are_none() -> None:
    assert dict.fromkeys(map(str, LEVELS), None) == quantiles({}, NATS)


def test_many_rows_are_as_exact_as_a_bin_is_wide() -> None:
    """Of 100,000 rows each quantile is within 8% of NumPy's, half of a bin's 15%."""
    values = np.random.default_rng(0).beta(0.4, 2.0, 100_000) * NATS
    found = quantiles(Counter(map(place, values.tolist())), NATS)
    for level, exact in zip(LEVELS, np.quantile(values, LEVELS), strict=True):
        assert exact == pytest.approx(found[str(level)], rel=0.08)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-1e-17, 0), (0.0, 0), (LEAST, 1), (9.99, BINS), (10.1, BINS + 1), (math.inf, BINS + 1)],
)
def test_every_value_has_a_bin(value: float, expected: int) -> None:
    """What rounding puts below 0 is with what is below the scale."""
    assert expected == place(value)


def test_bins_grow_by_a_constant_factor() -> None:
    """From 10⁻⁵ to 10 nats, each 15% wider than the one before."""
    assert (LEAST, pytest.approx(MOST)) == (EDGES[0], EDGES[-1])
    ratios = np.diff(np.log(EDGES))
    assert ratios == pytest.approx(np.full(BINS, np.log(1.1548)), rel=1e-3)


def test_no_bin_reaches_beyond_the_largest_value() -> None:
    """With a largest value of 1 nat, a row above it is told as 1."""
    assert (1.0, 1.0) == bounds(place(1.5), 1.0)
    assert {1.0} == set(quantiles({place(1.5): 3}, 1.0).values())
