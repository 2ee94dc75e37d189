"""The five figures against sums written out row by row."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from dubito.training.evaluation.probability_metrics import score
from dubito.types import Floats, Indices
from dubito.uncertainty.calibration import expected_calibration_error

CLASSES = ("A", "B", "C", "D")


def sample(rows: int, seed: int) -> tuple[Floats, Indices]:
    random = np.random.default_rng(seed)
    return random.dirichlet(np.ones(len(CLASSES)), rows), random.integers(0, 4, rows)


@given(rows=st.integers(1, 30), seed=st.integers(0, 2**32 - 1))
def test_agrees_with_sums_written_out(rows: int, seed: int) -> None:
    """Accuracy, NLL and Brier are the textbook's means over the rows."""
    probabilities, labels = sample(rows, seed)
    pairs = list(zip(probabilities.tolist(), labels.tolist(), strict=True))
    brier = [sum((p - (c == label)) ** 2 for c, p in enumerate(row)) for row, label in pairs]
    figures = score(probabilities, labels, CLASSES)
    assert figures["accuracy"] == pytest.approx(
        sum(row.index(max(row)) == label for row, label in pairs) / rows
    )
    assert figures["nll"] == pytest.approx(-sum(math.log(row[at]) for row, at in pairs) / rows)
    assert figures["brier"] == pytest.approx(sum(brier) / rows)
    assert figures["ece"] == expected_calibration_error(probabilities, labels, 15)


def naive_f1(top: list[int], labels: list[int]) -> float:
    """The mean of 2·hits / (predicted + true) over the classes that occur."""
    occurring = set(top) | set(labels)
    hits = [sum(t == label == c for t, label in zip(top, labels, strict=True)) for c in occurring]
    sizes = [top.count(c) + labels.count(c) for c in occurring]
    return sum(2 * hit / size for hit, size in zip(hits, sizes, strict=True)) / len(occurring)


@given(rows=st.integers(1, 30), seed=st.integers(0, 2**32 - 1))
def test_macro_f1_is_over_the_classes_that_occur(rows: int, seed: int) -> None:
    """A class neither true nor predicted does not count; one that is either counts."""
    probabilities, labels = sample(rows, seed)
    top = probabilities.argmax(axis=1)
    expected = naive_f1(top.tolist(), labels.tolist())
    assert score(probabilities, labels, CLASSES)["macro_f1"] == pytest.approx(expected)


def test_macro_f1_is_scikit_learns_over_all_labels_where_all_occur() -> None:
    """With every class among the labels the mean is over all of them."""
    probabilities, labels = sample(200, 0)
    top = probabilities.argmax(axis=1)
    expected = f1_score(labels, top, labels=range(4), average="macro", zero_division=0)
    assert score(probabilities, labels, CLASSES)["macro_f1"] == expected


@pytest.mark.parametrize("count", [2, 3, 7])
def test_brier_runs_to_two_whatever_the_number_of_classes(count: int) -> None:
    """Certain and wrong is 2, also with two classes, where others halve it."""
    certain = np.eye(count)[[0, 0]]
    wrong = score(certain, np.array([1, 1]), [str(c) for c in range(count)])
    right = score(certain, np.array([0, 0]), [str(c) for c in range(count)])
    assert (wrong["brier"], wrong["accuracy"], wrong["macro_f1"], wrong["ece"]) == (2, 0, 0, 1)
    assert (right["brier"], right["accuracy"], right["macro_f1"], right["ece"]) == (0, 1, 1, 0)
    assert math.isfinite(wrong["nll"])


def test_a_tie_goes_to_the_lower_class() -> None:
    """Even probabilities are a vote for the first class."""
    even = np.full((2, 4), 0.25)
    assert score(even, np.array([0, 1]), CLASSES)["accuracy"] == 0.5


def test_probabilities_made_in_float32_do_not_warn() -> None:
    """A softmax in float32 sums to 1 within 1e-7, and warnings are errors here."""
    probabilities, labels = sample(500, 1)
    rounded = probabilities.astype(np.float32).astype(np.float64)
    assert np.abs(rounded.sum(axis=1) - 1).max() > 1.5e-8
    assert score(rounded, labels, CLASSES) == pytest.approx(
        score(probabilities, labels, CLASSES), abs=1e-6
    )


def test_figures_are_plain_numbers_for_json() -> None:
    """The figures go into `bundle.json` as they are."""
    figures = score(*sample(20, 2), CLASSES)
    assert json.loads(json.dumps(figures)) == figures
    assert {type(figure) for figure in figures.values()} == {float}
    assert list(figures) == ["accuracy", "macro_f1", "nll", "brier", "ece"]


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        (np.array([[2.0, 1.0, 0.5, -0.5]]), [0]),
        (np.array([[1.5, 0.0, 0.0, -0.5]]), [0]),
        (np.array([[np.nan, 0.5, 0.25, 0.25]]), [0]),
        (np.array([[0.25, 0.25, 0.25, 0.25]]), [0, 1]),
        (np.array([[0.5, 0.5]]), [0]),
        (np.array([[0.25, 0.25, 0.25, 0.25]]), [4]),
        (np.empty((0, 4)), []),
    ],
    ids=["logits", "negative", "nan", "fewer rows", "fewer classes", "no such class", "no rows"],
)
def test_refuses_what_are_no_probabilities_of_these_rows(
    probabilities: Floats, labels: list[int]
) -> None:
    """Nothing is scored that is not one distribution over the classes for each label."""
    with pytest.raises(ValueError, match=r"."):
        score(probabilities, np.array(labels, dtype=np.intp), CLASSES)
