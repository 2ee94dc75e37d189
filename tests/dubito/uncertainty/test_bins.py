"""Bins: where values of a stream go."""

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.features import (
    BooleanFeature,
    Category,
    CategoryFeature,
    NumberFeature,
    ValueCounts,
)
from dubito.training.feature_stats import number_stats
from dubito.types import Calibration, Floats
from dubito.uncertainty.bins import (
    MUTUAL_INFORMATION,
    PARTS,
    Bins,
    bins_of,
    of_feature,
    of_reference,
)
from tests.service import ROOT

VALUES = st.lists(
    st.one_of(st.integers(0, 5).map(float), st.floats(-1e6, 1e6)), min_size=1, max_size=200
)


def feature(column: Floats, *, integer: bool = False) -> NumberFeature:
    """A feature of which training saw this column."""
    kind: Literal["integer", "float"] = "integer" if integer else "float"
    of = number_stats(column, kind)
    return NumberFeature(
        "x", "X", (), kind, "", nullable=True, imputed=0.0, minimum=-1e9, maximum=1e9, seen=of
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-math.inf, 0),
        (0.999, 0),
        (1.0, 1),
        (1.999, 1),
        (2.0, 2),
        (3.0, 2),
        (np.nextafter(3.0, 4.0), 3),
        (math.inf, 3),
        (math.nan, 4),
        (2, 2),
    ],
)
def test_every_value_has_a_bin(value: float, expected: int) -> None:
    """Below, the parts that were seen, above, missing; the maximum is still seen."""
    bins = of_feature(feature(np.array([1.0, 1.5, 2.0, 3.0, np.nan])))
    bins = replace(bins, edges=(1.0, 2.0, bins.edges[-1]))
    assert bins.index(value) == expected
    assert bins.indices(np.array([value])).tolist() == [expected]
    assert (bins.size, bins.missing) == (5, 4)


def test_what_is_above_begins_behind_the_maximum() -> None:
    """Where only 0 was seen the histogram ends at 1, but a 1 is something new."""
    column = np.zeros(30)
    of = feature(column, integer=True)
    assert of.seen.histogram_edges == (0.0, 1.0)
    bins = of_feature(of)
    assert bins.reference == (0, 30, 0, 0)
    assert [bins.index(value) for value in (-1, 0, 1)] == [0, 1, 2]


@given(values=VALUES, others=VALUES, gaps=st.integers(0, 3))
def test_a_features_reference_is_what_training_saw(
    values: list[float], others: list[float], gaps: int
) -> None:
    """Training's own column falls into the bins as the reference says; `index` is `indices`."""
    column = np.array([*values, *[math.nan] * gaps])
    bins = of_feature(feature(column))
    assert len(bins.reference) == bins.size
    found = np.bincount(bins.indices(column), minlength=bins.size)
    assert found.tolist() == list(bins.reference)
    assert [bins.index(value) for value in others] == bins.indices(np.array(others)).tolist()


@given(values=VALUES)
def test_a_reference_has_bins_of_its_own(values: list[float]) -> None:
    """About twenty at most, none of them empty but those beyond the extremes."""
    bins = of_reference(values)
    assert bins.size <= PARTS + 3
    assert sum(bins.reference) == len(values)
    assert (bins.reference[0], bins.reference[-2], bins.reference[-1]) == (0, 0, 0)
    assert min(bins.reference[1:-2]) > 0
    assert bins.index(max(values)) == bins.size - 3
    assert bins == of_reference(values[::-1])


def test_a_reference_of_many_values_is_cut_evenly() -> None:
    """A thousand different values: fifty in each of twenty bins."""
    values = np.random.default_rng(0).permutation(1_000).astype(float)
    assert of_reference(values.tolist()).reference == (0, *[50] * PARTS, 0, 0)


def test_a_reference_without_values_is_an_error() -> None:
    with pytest.raises(IndexError):
        of_reference([])


def test_the_streams_of_a_bundle() -> None:
    """Every feature and mutual information, which an older bundle lacks."""
    manifest = inspect(find_version(ROOT / "models", "loan-grade")).manifest
    calibration = manifest.calibration
    assert isinstance(calibration, Calibration)
    streams = bins_of(manifest.signature, calibration)
    assert list(streams) == [*manifest.signature.names, MUTUAL_INFORMATION]
    assert sum(streams[MUTUAL_INFORMATION].reference) == len(calibration.labels)
    assert sum(streams["debt_to_income"].reference) == sum(streams["loan_amount"].reference)
    for older in (None, replace(calibration, mutual_information=())):
        assert list(bins_of(manifest.signature, older)) == list(manifest.signature.names)


def test_counts_become_an_array() -> None:
    bins = Bins((0.0, 1.0), (0, 5, 0, 0))
    assert bins.dense({1: 4, 3: 2}).tolist() == [0, 4, 0, 2]
    assert bins.dense({}).tolist() == [0, 0, 0, 0]
    with pytest.raises(IndexError):
        bins.dense({4: 1})


def test_a_list_of_values_has_a_bin_each() -> None:
    """What is in no list is above; a gap is missing, as for numbers."""
    seen = ValueCounts((5, 0, 7), 2, 3)
    names = tuple(Category(name, ()) for name in "abc")
    listed = CategoryFeature("x", "X", (), "category", names, True, True, 4.0, seen)  # noqa: FBT003
    bins = of_feature(listed)
    assert not bins.is_ordered
    assert bins.reference == (0, 5, 0, 7, 2, 3)
    assert [bins.index(value) for value in (0.0, 1.0, 2.0, 3.0, math.nan)] == [1, 2, 3, 4, 5]
    truth = BooleanFeature("y", "Y", (), "boolean", False, None, ValueCounts((6, 4), 0, 0))  # noqa: FBT003
    assert of_feature(truth).reference == (0, 6, 4, 0, 0)
