"""The normal quantile: as exact as doubles are, symmetric, and the same bits wherever it stands."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from dubito.numerics.normal import logarithm, quantile


@given(st.integers(0, 2**52 - 1))
def test_is_pythons_and_scipys(numerator: int) -> None:
    """Every probability the stream can have gives what two other implementations give."""
    share = (numerator + 0.5) / 2**52
    (found,) = quantile(np.array([share]))
    assert math.isclose(found, statistics.NormalDist().inv_cdf(share), rel_tol=2e-15, abs_tol=1e-16)
    assert math.isclose(found, ndtri(share), rel_tol=1e-14, abs_tol=1e-15)


def test_the_ends_are_finite_and_the_middle_is_zero() -> None:
    """The least and the greatest probability of the stream are 8.2 deviations out."""
    shares = np.array([0.5 * 2**-52, 0.5, 1 - 0.5 * 2**-52])
    found = quantile(shares)
    assert found[1] == 0
    assert found[2] == -found[0] == pytest.approx(8.2095, abs=1e-4)


def test_rises() -> None:
    """A greater probability never has a smaller quantile, also where formulas meet."""
    shares = np.concatenate([np.linspace(edge - 1e-9, edge + 1e-9, 1_001) for edge in (0.075, 0.5)])
    assert (np.diff(quantile(shares)) >= 0)[np.diff(shares) > 0].all()


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 64, 1_000])
def test_position_and_layout_change_no_bit(length: int) -> None:
    """A number's quantile does not depend on what stands around it in memory."""
    shares = np.random.default_rng(length).beta(0.3, 0.3, 1_000)
    whole = quantile(shares)
    assert (quantile(shares[-length:]) == whole[-length:]).all()
    assert (quantile(shares[::3]) == whole[::3]).all()
    assert (quantile(shares.reshape(50, 20)) == whole.reshape(50, 20)).all()


@given(st.floats(2**-53, 0.075))
def test_the_logarithm_is_one(value: float) -> None:
    """As the library's, within a few units of the last place."""
    (found,) = logarithm(np.array([value]))
    assert math.isclose(found, math.log(value), rel_tol=4e-16)
