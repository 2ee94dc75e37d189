"""What is told of a column: figures that can be counted again from the column itself."""

import math
from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubito.errors import DataError
from dubito.features import FeatureStats
from dubito.loans.columns import LAYOUT
from dubito.training.data import read_table
from dubito.training.feature_stats import number_stats, seen

WIDE = st.floats(-1e15, 1e15)
COUNTS = st.integers(0, 60).map(float)
MONEY = st.one_of(st.just(0.0), st.integers(0, 10**8).map(lambda cents: cents / 100))
COLUMNS = st.one_of(*(st.lists(cell, min_size=1, max_size=200) for cell in (WIDE, COUNTS, MONEY)))
KINDS: list[Literal["integer", "float"]] = ["integer", "float"]


def counted(cells: list[float], found: FeatureStats) -> list[int]:
    """Cells in each bin `[a, b)`, the last `[a, b]`, counted one by one."""
    *bins, last = pairwise(found.histogram_edges)
    counts = [sum(a <= cell < b for cell in cells) for a, b in bins]
    return [*counts, sum(last[0] <= cell <= last[1] for cell in cells)]


@pytest.mark.parametrize("kind", KINDS)
@given(cells=COLUMNS, missing=st.integers(0, 3))
def test_histogram_holds_every_value_once(
    kind: Literal["integer", "float"], cells: list[float], missing: int
) -> None:
    """At most 20 bins between increasing edges, and their counts can be counted again."""
    found = number_stats(np.array([math.nan] * missing + cells), kind)
    assert 1 <= len(found.histogram_counts) <= 20
    assert all(a < b for a, b in pairwise(found.histogram_edges))
    assert sum(found.histogram_counts) == len(cells)
    assert list(found.histogram_counts) == counted(cells, found)
    assert all(found.histogram_counts)
    assert found.missing == missing


@given(cells=COLUMNS)
def test_range_and_quantiles_are_the_columns(cells: list[float]) -> None:
    """Quantiles are those NumPy interpolates, under the level as text."""
    found = number_stats(np.array(cells), "float")
    assert (found.minimum, found.maximum) == (min(cells), max(cells))
    assert list(found.quantiles) == ["0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99"]
    for level, quantile in found.quantiles.items():
        assert quantile == np.quantile(cells, float(level))


@given(cells=st.lists(COUNTS, min_size=1, max_size=200))
def test_quantiles_of_counts_are_counts(cells: list[float]) -> None:
    """The quantile is the smallest value that enough of the rows do not exceed."""
    found = number_stats(np.array(cells), "integer")
    for level, quantile in found.quantiles.items():
        enough = [at for at in cells if sum(c <= at for c in cells) >= float(level) * len(cells)]
        assert quantile == min(enough)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 7.0, 0.1, 1e12, -3.0, 1e300])
def test_a_constant_column_is_one_bin(kind: Literal["integer", "float"], value: float) -> None:
    """The one value has one bin that begins with it."""
    found = number_stats(np.full(10, value), kind)
    assert found.histogram_counts == (10,)
    assert found.histogram_edges[0] == value < found.histogram_edges[1]
    assert set(found.quantiles.values()) == {value}


def test_few_counts_have_a_bin_each() -> None:
    """A rare count is not lost in a quantile's bin."""
    found = number_stats(np.array([0.0] * 997 + [1.0, 1.0, 4.0]), "integer")
    assert found.histogram_edges == (0.0, 1.0, 4.0, 5.0)
    assert found.histogram_counts == (997, 2, 1)


def test_no_fees_have_a_bin_to_themselves() -> None:
    """Of money that is mostly zero, the amounts paid are spread over the other bins."""
    paid = np.arange(1.0, 191.0)
    found = number_stats(np.concatenate([np.zeros(9_000), paid]), "float")
    assert found.histogram_counts[0] == 9_000
    assert found.histogram_edges[1] == 1.0
    assert found.histogram_counts[1:] == (10,) * 19


def test_plain_money_is_cut_into_equal_shares() -> None:
    """A minimum that is nothing special begins the first of twenty equal bins."""
    found = number_stats(np.arange(1000.0), "float")
    assert found.histogram_counts == (50,) * 20


def test_loans_can_be_described() -> None:
    """The columns of the real data: missing values are counted, no bin of them is empty."""
    table = read_table(None, LAYOUT)
    for column, feature in zip(table.features.T, LAYOUT.features, strict=True):
        found = seen(column, feature)
        assert isinstance(found, FeatureStats)
        assert found.missing == (24 if feature.name == "debt_to_income" else 0)
        assert sum(found.histogram_counts) + found.missing == 10_000
        assert min(found.histogram_counts) > 0


@pytest.mark.parametrize("cells", [[], [math.nan, math.nan]])
def test_a_column_without_a_value_is_refused(cells: list[float]) -> None:
    """There is no range to tell."""
    with pytest.raises(DataError, match="without a single value"):
        number_stats(np.array(cells), "float")
