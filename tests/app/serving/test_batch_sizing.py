"""The pace: portions find the size that takes their time, whatever else a batch costs."""

import math

import pytest

from app.serving.batch_sizing import LEAST_SHARE, SLICE_SHARE, Pace, Portion
from app.serving.limits import BatchLimits

MOST = 25_600


def settled(portion: Portion, fixed: float, rate: float, beside: float = 0.0) -> float:
    """Seconds of a batch, once a portion has found its size for a fixed cost and a rate."""
    seconds = 0.0
    for _ in range(60):
        seconds = fixed + beside + portion.work / rate
        portion.saw(portion.work, seconds, beside)
    return seconds


@pytest.mark.parametrize("fixed", [0.0, 0.001, 0.004])
@pytest.mark.parametrize("rate", [4e5, 1e6, 3e6])
@pytest.mark.parametrize("beside", [0.0, 0.003])
def test_a_portion_takes_its_time(fixed: float, rate: float, beside: float) -> None:
    """Within a tenth, for networks of any speed and overhead, from either side."""
    for start in (1.0, 1 / LEAST_SHARE):
        portion = Portion(MOST, 0.008)
        portion.work = MOST * start
        assert 0.008 + beside == pytest.approx(settled(portion, fixed, rate, beside), rel=0.1)


def test_a_portion_has_bounds() -> None:
    """However fast or slow it goes."""
    fast, slow = Portion(MOST, 0.008), Portion(MOST, 0.008)
    settled(fast, 0.0, 1e9)
    settled(slow, 1.0, 1e3)
    assert (MOST, MOST / LEAST_SHARE) == (fast.work, slow.work)


def test_what_was_not_full_says_nothing() -> None:
    """A batch of less than half a portion was small because little waited."""
    portion = Portion(MOST, 0.008)
    portion.saw(MOST / 3, 1.0)
    assert MOST == portion.work


def test_without_a_time_a_portion_stays_the_most() -> None:
    """As where no limit was set."""
    portion = Portion(MOST, math.inf)
    portion.saw(MOST, 9.0)
    assert MOST == portion.work


def test_large_and_small_batches_are_measured_apart() -> None:
    """Rates by what was in a batch; a slice takes longer beside slow small jobs."""
    pace = Pace(BatchLimits(100, 1000, 0.008, 0.016, 50, 0.002))
    pace.saw(0, 100, 0.05, pace.slice)
    pace.saw(50, 0, 0.01, pace.part)
    assert (2_000, 5_000) == pytest.approx((pace.small_rate.value, pace.large_rate.value))
    assert SLICE_SHARE * 0.05 == pytest.approx(pace.slice.seconds)
    pace.saw(50, 10, 0.01, pace.slice)
    assert pytest.approx(50) == pace.slice.work
