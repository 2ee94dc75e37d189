"""How inputs are encoded: which numbers enter as logarithms, and how many slots a category has."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from dubito.features import Category
from dubito.layout import Column
from dubito.numerics.encoding import PIECE
from dubito.training.encoding import PIECES, encoding_of
from dubito.training.feature_stats import imputed_number, seen
from dubito.types import Floats

LOGNORMAL = np.random.default_rng(0).lognormal(8, 1, 500)
EVEN = np.linspace(50, 90, 501)
AREAS = tuple(Category(name, ()) for name in ("north", "south", "west"))


def layer_of(columns: list[Column], rows: Floats) -> Any:
    """The layer for rows `(N, F)` of columns, whose features are made of the same rows."""
    features = [
        column.feature(seen(values, column), imputed_number(column, values))
        for column, values in zip(columns, rows.T, strict=True)
    ]
    return encoding_of(features, rows)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (LOGNORMAL, "log"),
        (np.append(LOGNORMAL, np.zeros(50)), "log"),
        (np.append(LOGNORMAL, [math.nan] * 50), "log"),
        (EVEN, "number"),
        (20_000 - np.minimum(LOGNORMAL, 19_000), "number"),
        (np.append(LOGNORMAL, -1.0), "number"),
        (LOGNORMAL - LOGNORMAL.mean(), "number"),
        (np.full(50, 7.0), "number"),
    ],
)
def test_skewed_amounts_enter_as_logarithms(values: Floats, expected: str) -> None:
    """Amounts with a long tail do; symmetric, left-skewed, negative or constant ones do not."""
    column = Column(name="amount", nullable=True)
    layer = layer_of([column], values[:, None])
    assert layer.kinds == [expected]
    assert layer.slots == [0]


@given(values=st.lists(st.integers(-2, 1_000) | st.integers(0, 10**6), min_size=3, max_size=60))
def test_the_less_skewed_form_is_chosen(values: list[int]) -> None:
    """A logarithm enters where SciPy finds it less skewed, and nowhere below 0."""
    rows = np.array(values, np.float64)
    expected = "number"
    if len(set(values)) > 1 and min(values) >= 0:
        plain, logs = (abs(float(stats.skew(form))) for form in (rows, np.log1p(rows)))
        assume(abs(plain - logs) > 1e-6)
        expected = "log" if logs < plain else "number"
    assert layer_of([Column(name="amount", kind="integer")], rows[:, None]).kinds == [expected]


@pytest.mark.parametrize("takes_unknown", [False, True])
@pytest.mark.parametrize("nullable", [False, True])
def test_a_category_has_a_slot_for_all_it_may_be(takes_unknown: bool, nullable: bool) -> None:
    """The listed ones have a slot each, then unknown ones, then missing ones, if there may be any.

    Each is encoded as a single 1.
    """
    column = Column(
        name="area",
        kind="category",
        categories=AREAS,
        takes_unknown=takes_unknown,
        nullable=nullable,
    )
    texts = len(AREAS) + takes_unknown
    rows = np.array([*range(texts), *([math.nan] if nullable else [])])[:, None]
    layer = layer_of([column], rows)
    assert (layer.kinds, layer.slots) == (["category"], [len(AREAS) + takes_unknown + nullable])
    np.testing.assert_array_equal(layer(rows.astype(np.float32)), np.eye(len(rows)))


def test_a_gap_can_be_a_listed_category() -> None:
    """Where a description replaces a gap by a category there is no slot of its own."""
    column = Column(name="area", kind="category", categories=AREAS, nullable=True, imputed=1.0)
    rows = np.array([[0.0], [2.0], [math.nan]])
    layer = layer_of([column], rows)
    assert layer.slots == [3]
    assert np.asarray(layer(rows.astype(np.float32)))[2].tolist() == [0, 1, 0]


def test_a_gap_is_replaced_and_told() -> None:
    """A number's gap is the median and a 1, a truth's the more common one and a 1."""
    columns = [
        Column(name="space", nullable=True),
        Column(name="lift", kind="boolean", nullable=True),
        Column(name="furnished", kind="boolean"),
    ]
    rows = np.array(
        [[10, 1, 0], [20, 1, 1], [30, 0, 1], [40, 1, 0], [math.nan, math.nan, 0]], np.float64
    )
    layer = layer_of(columns, rows)
    assert layer.kinds == ["number"] * 3
    assert layer.values == [25.0, 1.0, None]
    found = np.delete(np.asarray(layer(rows.astype(np.float32))), layer.formula.modes == PIECE, 1)
    assert found[0].tolist() == [10, 0, 1, 0, 0]
    assert found[-1].tolist() == [25, 1, 1, 1, 0]


@given(values=st.lists(st.integers(-50, 50) | st.floats(-1e6, 1e6, width=32), min_size=3))
def test_numbers_enter_in_pieces_of_their_quantiles(values: list[float]) -> None:
    """At most sixteen, with no edge twice; none for a column of one or two values."""
    rows = np.array(values, np.float64)[:, None]
    (edges,) = layer_of([Column(name="amount")], rows).edges
    expected = np.unique(np.quantile(rows, np.linspace(0, 1, PIECES + 1)).astype(np.float32))
    assert edges == (expected.tolist() if len(expected) > 2 else [])
    assert not edges or (edges[0], edges[-1]) == (rows.min(), rows.max())
