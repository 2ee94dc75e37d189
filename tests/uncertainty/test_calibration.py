"""Expected calibration error against a naive loop and against figures worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.uncertainty.calibration import expected_calibration_error
from app.values import Floats, Indices


def naive(probabilities: Floats, labels: Indices, bins: int) -> float:
    """Equation 3 as it is printed: a loop over bins, each `(a, b]`."""
    total = 0.0
    for k in range(bins):
        inside = [
            (max(row), float(list(row).index(max(row)) == label))
            for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True)
            if k / bins < max(row) <= (k + 1) / bins
        ]
        if inside:
            confidence, right = np.mean(inside, axis=0)
            total += len(inside) / len(labels) * abs(right - confidence)
    return total


@given(
    rows=st.integers(1, 40),
    classes=st.integers(2, 7),
    bins=st.integers(1, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_agrees_with_a_loop_over_the_bins(rows: int, classes: int, bins: int, seed: int) -> None:
    """Any rows, classes and bins give what the equation's loop gives."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(classes, 0.4), rows)
    labels = random.integers(0, classes, rows)
    expected = naive(probabilities, labels, bins)
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(expected)


@pytest.mark.parametrize(("edge", "neighbour"), [(0.6, 0.55), (0.8, 0.75)])
def test_a_confidence_on_an_edge_belongs_to_the_lower_bin(edge: float, neighbour: float) -> None:
    """In one bin a hit and a miss make up for each other; in two they would not."""
    probabilities = np.array([[edge, 1 - edge], [neighbour, 1 - neighbour]])
    error = expected_calibration_error(probabilities, np.array([0, 1]))
    assert error == pytest.approx(abs(1 - edge - neighbour) / 2)


def test_a_confidence_just_above_an_edge_belongs_to_the_upper_bin() -> None:
    """The pair of the test above falls apart when the edge is passed."""
    edge = np.nextafter(0.6, 1)
    probabilities = np.array([[edge, 1 - edge], [0.55, 0.45]])
    error = expected_calibration_error(probabilities, np.array([0, 1]))
    assert error == pytest.approx((0.4 + 0.55) / 2)


@pytest.mark.parametrize(("labels", "expected"), [([0, 0], 0.0), ([1, 1], 1.0), ([0, 1], 0.5)])
def test_full_confidence_costs_the_share_of_misses(labels: list[int], expected: float) -> None:
    """Confidence 1 lies in the last bin and its error is the error rate."""
    certain = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert expected_calibration_error(certain, np.array(labels)) == expected


def test_a_tie_goes_to_the_lower_class() -> None:
    """Two equal top classes count as a vote for the first of them."""
    both = np.array([[0.25, 0.375, 0.375]])
    assert expected_calibration_error(both, np.array([1])) == 0.625
    assert expected_calibration_error(both, np.array([2])) == 0.375


def test_rows_drawn_from_the_probabilities_are_calibrated() -> None:
    """Labels that follow the probabilities leave only the noise of the sample."""
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(3, 0.5), 50_000)
    labels = (random.random((50_000, 1)) > np.cumsum(probabilities, axis=1)).sum(axis=1)
    assert expected_calibration_error(probabilities, np.minimum(labels, 2)) < 0.01


def test_no_rows_is_an_error_and_not_a_nan() -> None:
    """The mean over no rows is refused."""
    with pytest.raises(ZeroDivisionError):
        expected_calibration_error(np.empty((0, 3)), np.empty(0, dtype=np.intp))
