"""Figures of drift: population stability, and Kolmogorov and Smirnov's statistic."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dubito.types import Floats
from dubito.uncertainty.bins import BinCounts, Bins, of_reference
from dubito.uncertainty.drift import (
    LEAST_EXPECTED,
    LEAST_ROWS,
    alike,
    chance,
    chi_squared_tail,
    drift,
    exact_tail,
    exceeding,
    largest_gap,
    stability,
    variation,
)

REFERENCE = np.random.default_rng(0).normal(size=2_000)
BINS = of_reference(REFERENCE.tolist())


def counts(values: Floats, bins: Bins = BINS) -> BinCounts:
    return dict(enumerate(np.bincount(bins.indices(values), minlength=bins.size).tolist()))


@given(
    pairs=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=25),
)
def test_stability_is_the_divergence_of_the_smoothed_shares(pairs: list[tuple[int, int]]) -> None:
    """Both relative entropies together, as SciPy has them, of the bins that are not empty."""
    reference, came = np.transpose(pairs)
    known, found = np.transpose([pair for pair in pairs if any(pair)] or [(0, 0)])
    bins = len(known)
    known = (known + 0.5) / (known.sum() + bins / 2)
    found = (found + known * bins / 2) / (found.sum() + bins / 2)
    both = scipy.special.rel_entr(known, found) + scipy.special.rel_entr(found, known)
    assert stability(reference, came) == pytest.approx(both.sum(), abs=1e-12)
    assert stability(reference, came) >= 0


def test_bins_that_are_empty_do_not_count() -> None:
    """Room for what is below, above or missing changes nothing until something is there."""
    reference, came = np.full(20, 350), np.r_[np.full(10, 2), np.full(10, 4)]
    plain = stability(reference, came)
    assert stability(np.r_[0, reference, 0, 0], np.r_[0, came, 0, 0]) == plain > 0
    assert stability(np.r_[0, reference, 0, 0], np.r_[0, came, 20, 0]) > plain + 0.5


def test_stability_is_what_is_expected_without_drift() -> None:
    """At most (B − 1) · (1/n + 1/N) on average, and near it with many rows."""
    random = np.random.default_rng(1)
    for rows, nearly in ((60, 0.5), (2_000, 0.8)):
        found = [drift(BINS, counts(random.normal(size=rows))).psi or 0.0 for _ in range(300)]
        most = (BINS.size - 2) * (1 / rows + 1 / len(REFERENCE))
        assert nearly * most < np.mean(found) < most


@pytest.mark.parametrize("limit", [*np.linspace(0.0, 3.0, 301), 5.0, 1.1799999, 1.18])
def test_kolmogorovs_distribution_is_scipys(limit: float) -> None:
    assert exceeding(limit) == pytest.approx(scipy.stats.kstwobign.sf(limit), rel=1e-9, abs=1e-15)


@given(
    reference=st.lists(st.integers(0, 5), min_size=1, max_size=300),
    came=st.lists(st.integers(0, 5), min_size=1, max_size=300),
)
def test_the_statistic_of_few_values_is_scipys(reference: list[int], came: list[int]) -> None:
    """Where every value has a bin to itself nothing is lost."""
    found = largest_gap(np.bincount(reference, minlength=6), np.bincount(came, minlength=6))
    shares = [scipy.stats.ecdf(sample).cdf.evaluate(np.arange(6)) for sample in (reference, came)]
    assert found == pytest.approx(np.abs(shares[0] - shares[1]).max(), abs=1e-12)
    limit = np.sqrt(len(reference) * len(came) / (len(reference) + len(came))) * found
    expected = scipy.stats.kstwobign.sf(limit)
    assert chance(found, len(reference), len(came)) == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_between_the_bins_no_more_is_seen_than_there_is() -> None:
    """The statistic is at most that of the values themselves, and the p-value no smaller."""
    random = np.random.default_rng(2)
    for shift in (0.0, 0.1, 0.3, 1.0):
        came = random.normal(shift, size=700)
        found, whole = drift(BINS, counts(came)), scipy.stats.ks_2samp(REFERENCE, came)
        assert found.statistic is not None
        assert found.p_value is not None
        assert whole.statistic - 0.05 <= found.statistic <= whole.statistic + 1e-12
        assert found.p_value >= chance(whole.statistic, len(REFERENCE), len(came)) - 1e-12


def test_p_values_hold_their_level_without_drift() -> None:
    """Of 1,000 windows without drift at most 5%, and 3 standard errors, are below 5%."""
    random = np.random.default_rng(3)
    found = []
    for _ in range(1_000):
        bins = of_reference(random.normal(size=1_000).tolist())
        found.append(drift(bins, counts(random.normal(size=300), bins)).p_value)
    assert np.mean(np.array(found) < 0.05) <= 0.05 + 3 * (0.05 * 0.95 / 1_000) ** 0.5


def test_few_rows_say_nothing() -> None:
    """Below fifty rows there are no figures, and none of a distribution that has fewer values."""
    few = drift(BINS, {3: LEAST_ROWS - 1})
    assert (few.rows, few.missing) == (LEAST_ROWS - 1, 0)
    assert (few.psi, few.statistic, few.p_value) == (None, None, None)
    gone = drift(BINS, {3: LEAST_ROWS - 1, BINS.missing: 30})
    assert (gone.rows, gone.missing) == (LEAST_ROWS + 29, 30)
    assert gone.psi is not None
    assert (gone.statistic, gone.p_value) == (None, None)
    enough = drift(BINS, {3: LEAST_ROWS})
    assert None not in (enough.psi, enough.statistic, enough.p_value)
    assert drift(BINS, {}).psi is None


def test_missing_values_are_drift_of_the_shares_alone() -> None:
    """The distribution of the values that are there stays what it is."""
    same = counts(REFERENCE)
    plain, holed = drift(BINS, same), drift(BINS, {**same, BINS.missing: 500})
    assert (holed.statistic, holed.p_value) == (plain.statistic, plain.p_value) == (0.0, 1.0)
    assert plain.psi == pytest.approx(0, abs=1e-6)
    assert holed.psi is not None
    assert holed.psi > 0.5


def test_without_a_reference_nothing_is_compared() -> None:
    """A feature that training saw no value of has no distribution to differ from."""
    found = drift(Bins((0.0, 1.0), (0, 0, 0, 40)), {1: 100})
    assert found.psi is not None
    assert (found.statistic, found.p_value) == (None, None)


def test_a_bin_that_is_none_is_an_error() -> None:
    with pytest.raises(IndexError):
        drift(BINS, {BINS.size: 1})


@given(statistic=st.floats(0, 500), degrees=st.integers(1, 200))
def test_the_chi_squared_tail_is_scipys(statistic: float, degrees: int) -> None:
    expected = scipy.stats.chi2.sf(statistic, degrees)
    assert chi_squared_tail(statistic, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@given(
    counted=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=2, max_size=9)
)
def test_the_test_of_categories_is_scipys(counted: list[tuple[int, int]]) -> None:
    """Where every category is frequent enough; and the order of categories means nothing."""
    reference, came = np.transpose(counted)
    if reference.any() and came.any():
        expected = scipy.stats.contingency.expected_freq(np.stack([reference, came]))
        p = alike(reference, came)
        assert 0 <= p <= 1
        assert p == pytest.approx(alike(reference[::-1], came[::-1]), rel=1e-9)
        if expected.min() >= LEAST_EXPECTED:
            whole = scipy.stats.chi2_contingency(np.stack([reference, came]), correction=False)
            assert p == pytest.approx(whole.pvalue, rel=1e-9, abs=1e-15)


def test_rare_categories_are_taken_together() -> None:
    """Without drift the p-value is about uniform though most categories hardly occur."""
    random = np.random.default_rng(3)
    shares = np.r_[0.6, 0.3, np.full(20, 0.005)]
    found = [
        alike(random.multinomial(5_000, shares), random.multinomial(120, shares))
        for _ in range(2_000)
    ]
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.07
    assert 0.45 < np.mean(found) < 0.55


def test_categories_have_statistics_of_their_own() -> None:
    """Half of the shares' differences, and no order: two that swap their shares are a change."""
    bins = Bins((0.0, 1.0, 2.0, 3.0), (0, 500, 300, 200, 0, 10), is_ordered=False)
    same = drift(bins, {1: 50, 2: 30, 3: 20, 5: 1})
    assert same.statistic == pytest.approx(0.0)
    assert (1, 101) == (same.missing, same.rows)
    assert same.p_value == pytest.approx(1.0)
    other = drift(bins, {1: 20, 2: 30, 3: 50})
    assert other.statistic == pytest.approx(variation(np.array([5, 3, 2]), np.array([2, 3, 5])))
    assert other.p_value is not None
    assert other.p_value < 1e-4


@given(
    table=st.tuples(*[st.integers(0, 60)] * 4).filter(
        lambda cells: cells[0] + cells[1] > 0 < cells[2] + cells[3]
    )
)
def test_the_exact_test_is_scipys(table: tuple[int, int, int, int]) -> None:
    cells = np.array(table).reshape(2, 2)
    expected = scipy.stats.fisher_exact(cells).pvalue
    assert exact_tail(cells) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("reference", "came"),
    [([8_000, 0], [0, 60]), ([7_990, 10], [75, 75]), ([8_000, 0, 0], [0, 60, 0])],
)
def test_two_values_are_not_taken_together(reference: list[int], came: list[int]) -> None:
    """A truth that was always false and is always true is a change, with few rows too."""
    assert alike(np.array(reference), np.array(came)) < 1e-6
    assert alike(np.array(reference), np.array(reference) // 100) > 0.5


def test_one_value_is_no_change() -> None:
    assert alike(np.array([900, 0]), np.array([60, 0])) == 1.0
