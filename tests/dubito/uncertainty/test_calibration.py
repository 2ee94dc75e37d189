"""Calibration errors and temperatures against loops, SciPy and figures worked by hand."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dubito.types import Floats, Indices
from dubito.uncertainty.calibration import (
    adaptive_calibration_error,
    best_temperature,
    cautious_temperature,
    expected_calibration_error,
    temper,
)


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


@given(
    rows=st.integers(1, 60),
    bins=st.integers(1, 80),
    seed=st.integers(0, 2**32 - 1),
)
def test_adaptive_bins_hold_equally_many_rows(rows: int, bins: int, seed: int) -> None:
    """Without ties, rank r is in bin ⌊r · bins / N⌋, and bins differ by a row at most."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(4, 0.4), rows)
    labels = random.integers(0, 4, rows)
    ranked = sorted(
        (max(row), float(list(row).index(max(row)) == label))
        for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True)
    )
    groups = [
        [pair for rank, pair in enumerate(ranked) if rank * bins // rows == place]
        for place in range(bins)
    ]
    sizes = [len(group) for group in groups]
    assert max(sizes) - min(sizes) <= 1
    expected = sum(abs(sum(right - sure for sure, right in group)) for group in groups) / rows
    assert adaptive_calibration_error(probabilities, labels, bins) == pytest.approx(expected)


def test_equal_confidence_shares_a_bin_in_any_order() -> None:
    """Ties are not torn apart, so that the order of rows does not matter."""
    probabilities = np.array([[0.75, 0.25]] * 4 + [[1.0, 0.0]] * 4)
    labels = np.array([0, 1, 0, 0, 0, 0, 0, 1])
    for order in (np.arange(8), np.arange(8)[::-1], np.random.default_rng(0).permutation(8)):
        error = adaptive_calibration_error(probabilities[order], labels[order], bins=4)
        assert error == pytest.approx((0 + 1) / 8)


def test_adaptive_error_of_no_rows_is_an_error() -> None:
    """The mean over no rows is refused."""
    with pytest.raises(ZeroDivisionError):
        adaptive_calibration_error(np.empty((0, 3)), np.empty(0, dtype=np.intp))


@given(temperature=st.floats(0.05, 20), seed=st.integers(0, 2**32 - 1))
def test_tempering_is_the_softmax_of_divided_logarithms(temperature: float, seed: int) -> None:
    """Each pass becomes softmax(log p / temperature), SciPy says."""
    draws = np.random.default_rng(seed).dirichlet(np.full(4, 0.5), (3, 5))
    expected = scipy.special.softmax(np.log(draws) / temperature, axis=-1)
    np.testing.assert_allclose(temper(draws, temperature), expected, rtol=1e-9, atol=1e-300)


def test_tempering_keeps_zeros_and_grades() -> None:
    """A probability of 0 stays 0, 1 stays 1, temperature 1 changes nothing, and order is kept."""
    draws = np.array([[[0.0, 1.0, 0.0], [0.5, 0.3, 0.2], [1e-320, 0.4, 0.6]]])
    for temperature in (0.05, 1.0, 20.0):
        found = temper(draws, temperature)
        assert np.isfinite(found).all()
        assert found[0, 0].tolist() == [0, 1, 0]
        assert (found.argsort(axis=-1) == draws.argsort(axis=-1)).all()
    np.testing.assert_allclose(temper(draws, 1.0), draws, rtol=1e-12)


@pytest.mark.parametrize("distortion", [0.3, 1.0, 2.5])
def test_the_best_temperature_undoes_a_distortion(distortion: float) -> None:
    """Probabilities that were sharpened or softened get their own temperature back."""
    random = np.random.default_rng(1)
    honest = random.dirichlet(np.full(4, 0.8), 20_000)
    labels = np.minimum((random.random((20_000, 1)) > honest.cumsum(axis=1)).sum(axis=1), 3)
    found = best_temperature(temper(honest, distortion)[None], labels)
    assert found == pytest.approx(1 / distortion, rel=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_the_best_temperature_is_scipys(seed: int) -> None:
    """It is where SciPy finds the least negative log-likelihood of the mean over passes."""
    random = np.random.default_rng(seed)
    draws = random.dirichlet(np.array([2.0, 1.0, 0.5]), (7, 300))
    labels = np.minimum((random.random((300, 1)) > draws[0].cumsum(axis=1)).sum(axis=1), 2)

    def loss(log_temperature: float) -> float:
        powers = scipy.special.softmax(np.log(draws) / np.exp(log_temperature), axis=-1)
        return -float(np.log(powers.mean(axis=0)[np.arange(300), labels]).mean())

    expected = scipy.optimize.minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    assert best_temperature(draws, labels) == pytest.approx(float(np.exp(expected.x)), rel=1e-3)


@pytest.mark.parametrize(("labels", "end"), [([0, 1], 0.05), ([1, 0], 20.0)])
def test_the_best_temperature_has_bounds(labels: list[int], end: float) -> None:
    """Rows all right want no doubt at all, rows all wrong nothing but: both end at a bound."""
    draws = np.array([[[0.9, 0.1], [0.1, 0.9]]])
    assert best_temperature(draws, np.array(labels)) == pytest.approx(end, rel=1e-3)


def honest(rows: int, seed: int) -> tuple[Floats, Indices]:
    """Draws `(1, N, 4)` that are right as often as they say, and labels."""
    random = np.random.default_rng(seed)
    draws = random.dirichlet(np.full(4, 0.8), rows)
    labels = (random.random((rows, 1)) > draws.cumsum(axis=1)).sum(axis=1)
    return draws[None], np.minimum(labels, 3)


@pytest.mark.parametrize("distortion", [0.3, 0.8, 1.5, 2.5])
def test_a_temperature_that_rows_demand_is_taken(distortion: float) -> None:
    """Many rows of a distorted network: nearly the best, on the side of 1, one error from it."""
    draws, labels = honest(20_000, 1)
    draws = temper(draws, distortion)
    best, found = best_temperature(draws, labels), cautious_temperature(draws, labels)

    def losses(temperature: float) -> Floats:
        likelihoods: Floats = temper(draws, temperature)[0][np.arange(len(labels)), labels]
        return -np.log(likelihoods)

    excess = losses(found) - losses(best)
    assert found == pytest.approx(best, rel=0.05)
    assert abs(np.log(found)) < abs(np.log(best))
    assert excess.mean() == pytest.approx(scipy.stats.sem(excess), rel=0.01)


def test_a_temperature_that_may_be_luck_is_not_taken() -> None:
    """Few rows of a network that needs none: mostly 1 itself, though the best one scatters."""
    given = [honest(100, seed) for seed in range(30)]
    best = [best_temperature(*rows) for rows in given]
    found = [cautious_temperature(*rows) for rows in given]

    assert np.mean(np.array(found) == 1.0) > 0.6
    assert np.square(np.log(found)).mean() < 0.5 * np.square(np.log(best)).mean()
