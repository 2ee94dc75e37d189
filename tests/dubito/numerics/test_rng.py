"""The random stream against Philox4x64-10 written from the paper, and its masks as statistics."""

import itertools
import math
import statistics
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dubito.errors import NetworkError
from dubito.numerics.rng import LEVELS, PassRange, drop_levels, keep_masks, normals
from dubito.types import MAX_SEED

WORD = 2**64
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


def philox4x64(counter: tuple[int, ...], key: tuple[int, ...], rounds: int = 10) -> list[int]:
    """Philox4x64 as in Salmon et al. 2011, §3.3: `(c0, c1, c2, c3)` under `(k0, k1)`."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        high0, low0 = divmod(MULTIPLIERS[0] * c0, WORD)
        high1, low1 = divmod(MULTIPLIERS[1] * c2, WORD)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + WEYL[0]) % WORD, (k1 + WEYL[1]) % WORD
    return [c0, c1, c2, c3]


def words(seed: int, call: int, at: int, units: int, a_block: int) -> list[int]:
    """The words of pass `at`, by the words of the stream's own documentation."""
    width = math.ceil(units / a_block)
    counters = range(at * width + 1, (at + 1) * width + 1)
    return [word for at in counters for word in philox4x64((at, 0, 0, 0), (seed, call))]


def levels(seed: int, call: int, at: int, units: int) -> list[int]:
    """The 16-bit levels of pass `at`."""
    read = words(seed, call, at, units, 16)
    return [word >> shift & 0xFFFF for word in read for shift in (0, 16, 32, 48)][:units]


def bells(seed: int, call: int, at: int, units: int) -> list[float]:
    """The normals of pass `at`, by Python's own quantile."""
    shares = [((word >> 12) + 0.5) / 2**52 for word in words(seed, call, at, units, 4)[:units]]
    return [statistics.NormalDist().inv_cdf(share) for share in shares]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        (
            (0, 0, 0, 0),
            (0, 0),
            (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
        ),
        (
            (WORD - 1,) * 4,
            (WORD - 1,) * 2,
            (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
        ),
        (
            (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
            (0x452821E638D01377, 0xBE5466CF34E90C6C),
            (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_the_oracle_gives_random123s_known_answers(
    counter: tuple[int, ...], key: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    """The plain Philox of this file gives the vectors of Random123's `kat_vectors`."""
    assert philox4x64(counter, key) == list(expected)


@given(
    seed=st.integers(0, MAX_SEED),
    call=st.integers(0, 100),
    passes=st.integers(1, 5),
    units=st.integers(1, 40),
    rate=st.floats(0.01, 0.99),
)
def test_masks_are_what_the_paper_gives(
    seed: int, call: int, passes: int, units: int, rate: float
) -> None:
    """Any seed, call, pass and width has the mask that Philox written in plain Python gives."""
    expected = [
        [level >= round(rate * 65536) for level in levels(seed, call, at, units)]
        for at in range(passes)
    ]
    assert keep_masks([PassRange(seed, 0, passes)], call, (units,), rate).tolist() == expected


@given(
    seed=st.integers(0, MAX_SEED),
    call=st.integers(0, 100),
    passes=st.integers(1, 5),
    units=st.integers(1, 20),
)
def test_normals_are_what_the_paper_gives(seed: int, call: int, passes: int, units: int) -> None:
    """Any seed, call, pass and width has the normals of Philox and Python's quantile."""
    expected = [bells(seed, call, at, units) for at in range(passes)]
    found = normals([PassRange(seed, 0, passes)], call, (units,))
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-14)


def test_the_largest_seed_and_a_late_pass_are_what_the_paper_gives() -> None:
    """Pass 9,999 under the seed 2⁵³ − 1 has the mask of the oracle."""
    expected = [level >= drop_levels(0.4) for level in levels(MAX_SEED, 2, 9_999, 33)]
    assert keep_masks([PassRange(MAX_SEED, 0, 10_000)], 2, (33,), 0.4)[-1].tolist() == expected


@pytest.mark.parametrize("shape", [(1,), (9,), (16,), (17,), (256,), (4, 5), ()])
@pytest.mark.parametrize("fewer", [1, 49, 50, 99])
def test_fewer_passes_are_the_first_of_more(shape: tuple[int, ...], fewer: int) -> None:
    """Pass `t` has the same noise whatever the number of passes, to the last bit."""
    longer, bell = (
        keep_masks([PassRange(11, 0, 100)], 1, shape, 0.3),
        normals([PassRange(11, 0, 100)], 1, shape),
    )
    assert (keep_masks([PassRange(11, 0, fewer)], 1, shape, 0.3) == longer[:fewer]).all()
    assert (normals([PassRange(11, 0, fewer)], 1, shape) == bell[:fewer]).all()


@pytest.mark.parametrize("shape", [(1,), (9,), (3, 4), (1, 6), ()])
def test_a_mask_has_the_shape_asked_for(shape: tuple[int, ...]) -> None:
    """Masks are booleans `(passes, *shape)`."""
    masks = keep_masks([PassRange(0, 0, 3)], 0, shape, 0.5)
    assert masks.shape == (3, *shape)
    assert masks.dtype == np.bool_
    assert normals([PassRange(0, 0, 3)], 0, shape).shape == (3, *shape)


@pytest.mark.claim("masks", test=100_000, proof=10_000_000)
@pytest.mark.parametrize("rate", [0.001, 0.05, 0.2, 0.4, 0.5, 0.75, 0.99])
def test_the_drop_rate_is_right(
    count: int, rate: float, record_property: Callable[[str, object], None]
) -> None:
    """The share of dropped units is the rate within 4.5 binomial standard errors."""
    passes = count // 16
    share = 1 - keep_masks([PassRange(5, 0, passes)], 0, (16,), rate).mean()
    error = math.sqrt(rate * (1 - rate) / (passes * 16))
    record_property("figure", f"{share:.5f}, {abs(share - rate) / error:.1f} errors off")
    assert abs(share - rate) < 4.5 * error + 2**-17


@pytest.mark.claim("masks", test=200_000, proof=10_000_000)
def test_streams_are_uncorrelated(
    count: int, record_property: Callable[[str, object], None]
) -> None:
    """Masks of distinct seeds, calls and passes, neighbours too, correlate no more than chance."""
    passes, units = count // 20, 20
    chosen = [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (MAX_SEED, 0), (MAX_SEED, 9), (2**32, 0)]
    streams = {
        pair: keep_masks([PassRange(pair[0], 0, passes)], pair[1], (units,), 0.5).ravel()
        for pair in chosen
    }
    pairs = list(itertools.combinations(streams.values(), 2))
    first = streams[0, 0]
    shifted = [(first[lag:], first[:-lag]) for lag in (1, 4, 15, 16, units, 2 * units, 50 * units)]
    scores = [abs(2 * (a == b).mean() - 1) * math.sqrt(len(a)) for a, b in pairs + shifted]
    record_property("figure", f"largest of {len(scores)} correlations {max(scores):.1f} errors")
    assert max(scores) < 5


def test_units_of_one_pass_are_independent() -> None:
    """The number of units kept in a pass is binomial: mean and variance within five errors."""
    counts = keep_masks([PassRange(3, 0, 20_000)], 1, (64,), 0.4).sum(axis=1)
    assert abs(counts.mean() - 38.4) < 5 * math.sqrt(15.36 / 20_000)
    assert abs(counts.var() / 15.36 - 1) < 5 * math.sqrt(2 / 20_000)


@pytest.mark.claim("normals", test=100_000, proof=10_000_000)
@pytest.mark.parametrize("key", [(0, 0), (5, 1), (MAX_SEED, 3)])
def test_normals_are_normal(
    count: int, key: tuple[int, int], record_property: Callable[[str, object], None]
) -> None:
    """Kolmogorov–Smirnov finds nothing, and the first four moments are within 4.5 errors."""
    drawn = normals([PassRange(key[0], 0, count // 50)], key[1], (50,)).ravel()
    powers = [(drawn**n).mean() for n in (1, 2, 3, 4)]
    errors = [
        abs(found - true) * math.sqrt(len(drawn) / variance)
        for found, true, variance in zip(powers, (0, 1, 0, 3), (1, 2, 15, 96), strict=True)
    ]
    pvalue = stats.kstest(drawn, "norm").pvalue
    record_property("figure", f"p {pvalue:.3f}, worst moment {max(errors):.1f} errors off")
    assert pvalue > 1e-4
    assert max(errors) < 4.5


def test_normals_of_neighbours_are_uncorrelated() -> None:
    """Neighbouring seeds, calls, passes and units correlate no more than chance."""
    passes, units = 10_000, 20
    drawn = [
        normals([PassRange(pair[0], 0, passes)], pair[1], (units,)).ravel()
        for pair in [(0, 0), (1, 0), (0, 1), (1, 1)]
    ]
    lags = [(drawn[0][lag:], drawn[0][:-lag]) for lag in (1, 3, 4, units, 50 * units)]
    pairs = [*itertools.combinations(drawn, 2), *lags]
    assert max(abs((a * b).mean()) * math.sqrt(len(a)) for a, b in pairs) < 4.5


@pytest.mark.parametrize("rate", [0.0, 1e-9, 1 - 1e-9, 1.0, -0.5, 1.5])
def test_a_rate_that_drops_nothing_or_everything_is_refused(rate: float) -> None:
    """A rate that rounds to no level or to all of them is refused by its sentence."""
    with pytest.raises(NetworkError, match=f"^a Monte-Carlo rate of {rate} drops nothing or ever"):
        drop_levels(rate)


@given(rate=st.floats(2**-16, 1 - 2**-16))
def test_the_rate_is_met_to_half_a_level(rate: float) -> None:
    """The probability of a drop is within 2⁻¹⁷ of the rate."""
    assert abs(drop_levels(rate) / LEVELS - rate) <= 2**-17
