"""The decomposition against SciPy, NumPy and naive loops, and its order of sums."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dubito.types import MEASURES, Floats
from dubito.uncertainty.decomposition import entropy, over_passes, summarise, variation_ratio


def drawn(seed: int, passes: int, number: int, classes: int, spread: float = 0.5) -> Floats:
    """Draws `(T, N, C)`."""
    random = np.random.default_rng(seed)
    return random.dirichlet(np.full(classes, spread), (passes, number))


DRAWS = st.builds(
    drawn,
    seed=st.integers(0, 2**32 - 1),
    passes=st.integers(1, 130),
    number=st.integers(1, 9),
    classes=st.integers(2, 12),
    spread=st.sampled_from([0.05, 0.5, 5.0]),
)


@given(draws=DRAWS)
def test_mean_and_std_are_numpys(draws: Floats) -> None:
    """Mean and population std over the passes agree with NumPy's."""
    found = summarise(draws)
    np.testing.assert_allclose(found.mean, draws.mean(axis=0), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(found.std, draws.std(axis=0), rtol=1e-9, atol=1e-15)


@given(draws=DRAWS)
def test_entropies_are_scipys(draws: Floats) -> None:
    """Total is the entropy of the mean, aleatoric the mean entropy, epistemic their difference."""
    found = summarise(draws)
    total = scipy.stats.entropy(draws.mean(axis=0), axis=-1)
    expected = scipy.stats.entropy(draws, axis=-1).mean(axis=0)
    np.testing.assert_allclose(found.predictive_entropy, total, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.expected_entropy, expected, rtol=1e-9, atol=1e-12)
    difference = np.maximum(total - expected, 0)
    np.testing.assert_allclose(found.mutual_information, difference, rtol=1e-6, atol=1e-12)


@given(draws=DRAWS)
def test_mutual_information_is_between_0_and_the_total(draws: Floats) -> None:
    """Epistemic uncertainty is never negative, nor more than the total, nor than log C."""
    found = summarise(draws)
    assert (found.mutual_information >= 0).all()
    assert (found.mutual_information <= found.predictive_entropy).all()
    assert (found.predictive_entropy <= np.log(draws.shape[-1]) + 1e-12).all()


@given(draws=DRAWS)
def test_variation_ratio_is_freemans(draws: Floats) -> None:
    """1 − the share of the most-voted class, counted by a loop; ties vote low."""
    passes = len(draws)
    for at, ratio in enumerate(variation_ratio(draws)):
        votes = Counter(list(row).index(max(row)) for row in draws[:, at].tolist())
        assert ratio == pytest.approx(1 - votes.most_common(1)[0][1] / passes, abs=1e-15)


@given(
    values=arrays(
        np.float64,
        array_shapes(min_dims=1, max_dims=3, max_side=40),
        elements=st.floats(-1e6, 1e6),
    )
)
def test_the_sum_over_passes_is_the_sum(values: Any) -> None:
    """The pairwise sum is the sum, and leaves its argument as it was."""
    before = values.copy()
    np.testing.assert_allclose(over_passes(values), values.sum(axis=0), rtol=1e-9, atol=1e-6)
    np.testing.assert_array_equal(values, before)


@given(draws=DRAWS, data=st.data())
def test_a_row_has_its_bits_in_any_company(draws: Floats, data: st.DataObject) -> None:
    """Every statistic of a row is bit-equal alone, among others, and in another order."""
    order = data.draw(st.permutations(range(draws.shape[1])))
    whole, shuffled = summarise(draws), summarise(draws[:, order])
    for place, at in enumerate(order):
        single = summarise(draws[:, at : at + 1])
        for name in STATISTICS:
            expected = np.ascontiguousarray(getattr(whole, name)[at]).tobytes()
            assert np.ascontiguousarray(getattr(single, name)[0]).tobytes() == expected
            assert np.ascontiguousarray(getattr(shuffled, name)[place]).tobytes() == expected


STATISTICS = ("mean", "std", *MEASURES)


@given(draws=DRAWS)
def test_the_memory_layout_changes_no_bit(draws: Floats) -> None:
    """Draws stored by columns, or as float64 views of others, give the same bits."""
    expected = summarise(draws)
    for same in (np.asfortranarray(draws), np.repeat(draws, 2, axis=1)[:, ::2]):
        found = summarise(same)
        for name in STATISTICS:
            assert (getattr(found, name) == getattr(expected, name)).all()


@pytest.mark.parametrize("passes", [1, 2, 3, 49, 50, 51, 100, 300])
def test_the_order_of_the_sum_is_one(passes: int) -> None:
    """The sum over passes of one column is the same alone and beside 63 others."""
    values = np.random.default_rng(passes).normal(size=(passes, 64, 7)) * 1e3
    whole = over_passes(values)
    for at in range(64):
        assert over_passes(values[:, at : at + 1]).tobytes() == whole[at : at + 1].tobytes()
    assert over_passes(np.asfortranarray(values)).tolist() == whole.tolist()


def test_certain_draws_have_no_uncertainty() -> None:
    """One class in every pass: everything is 0, and nothing is −0."""
    found = summarise(np.tile([0.0, 1.0, 0.0], (10, 2, 1)))
    for name in STATISTICS[1:]:
        values = getattr(found, name)
        assert (values == 0).all()
        assert not np.signbit(values).any()


def test_passes_that_disagree_are_epistemic() -> None:
    """Each pass certain of another class: total log 2, aleatoric 0, epistemic log 2."""
    found = summarise(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    assert found.predictive_entropy[0] == pytest.approx(np.log(2))
    assert found.expected_entropy[0] == 0
    assert found.mutual_information[0] == pytest.approx(np.log(2))
    assert found.variation_ratio[0] == 0.5


def test_one_pass_has_no_deviation() -> None:
    """A single pass has std 0 and no epistemic part."""
    found = summarise(drawn(3, 1, 4, 5))
    assert (found.std == 0).all()
    assert (found.mutual_information == 0).all()
    assert (found.variation_ratio == 0).all()


def test_grades_are_the_argmax_and_ties_go_low() -> None:
    """The grade is the argmax of the mean, a tie the lower class."""
    found = summarise(np.array([[[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]]]))
    assert found.predicted.tolist() == [0, 2]


def test_single_precision_is_summed_in_double() -> None:
    """float32 draws are widened before anything is summed."""
    draws: Any = drawn(1, 100, 3, 7).astype(np.float32)
    assert summarise(draws).mean.dtype == np.float64
    assert (summarise(draws).mean == summarise(draws.astype(np.float64)).mean).all()


def test_entropy_of_nothing_is_nothing() -> None:
    """0 · log 0 is 0."""
    assert entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).tolist() == [0.0, np.log(2)]
