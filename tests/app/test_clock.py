"""The clock: that it was set is told, and by how much."""

import pytest

from app.clock import LEAST_SECONDS, Clock, describe_step
from tests.app.monitoring.toy import Clock as Time


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    monkeypatch.setattr("app.clock.time", time := Time())
    return time


def test_every_step_is_told_once(time: Time) -> None:
    """However long it takes until somebody asks; what is less than a second is none."""
    clock = Clock()
    for step in (0, 9 * 3_600, -9 * 3_600, LEAST_SECONDS, LEAST_SECONDS / 2, -86_400):
        time.now += 1_000
        time.ahead += step
        assert (step if abs(step) >= LEAST_SECONDS else 0) == pytest.approx(clock.step(), abs=0.51)
        time.now += 0.1
        assert 0 == clock.step()


def test_small_steps_add_up(time: Time) -> None:
    clock = Clock()
    steps = []
    for _ in range(10):
        time.ahead += LEAST_SECONDS / 4
        steps.append(clock.step())
    assert [0, 0, 0, 1, 0, 0, 0, 1, 0, 0] == steps


def test_steady_time_goes_on_whatever_is_set(time: Time) -> None:
    """From the time of its making."""
    clock, start = Clock(), time.time()
    for step in (86_400, -3 * 86_400):
        time.now += 10
        time.ahead += step
        assert time.now - start == clock.steady() - start


def test_the_log_says_in_which_direction() -> None:
    assert "the clock was set back by 32,400 s" == describe_step(-32_400.2)
    assert "the clock was set ahead by 86,400 s" == describe_step(86_400.0)
