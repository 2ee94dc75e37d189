"""Deadlines: what is not done in time fails in time, and nothing else does."""

import asyncio
import math
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import DeadlinePassed, DeadlinePassedRecording
from app.serving.deadlines import LOOK_SECONDS, Deadlines

SLACK = 0.05
"""Seconds that a busy machine may take longer."""


def note(late: list[float], ends: float, _: object) -> None:
    late.append(asyncio.get_running_loop().time() - ends)


@settings(max_examples=8)
@given(st.lists(st.floats(-0.1, 0.2), min_size=1, max_size=20))
def test_each_fails_soon_after_its_deadline(lengths: list[float]) -> None:
    """Whatever others are watched: not before, and at most one look later."""

    async def run() -> list[float]:
        loop, late = asyncio.get_running_loop(), list[float]()
        deadlines, start = Deadlines(), loop.time()
        futures = [loop.create_future() for _ in lengths]
        for future, length in zip(futures, lengths, strict=True):
            deadlines.watch(future, start + length)
            future.add_done_callback(partial(note, late, start + max(length, 0)))
        found = await asyncio.gather(*futures, return_exceptions=True)
        assert {DeadlinePassed} == {type(one) for one in found}
        return late

    late = asyncio.run(run())
    assert len(lengths) == len(late)
    assert min(late) >= 0
    assert max(late) < LOOK_SECONDS + SLACK


def test_what_is_done_in_time_is_left_alone() -> None:
    """Done before or after others fail; what has no deadline waits on."""

    async def run() -> None:
        loop, told = asyncio.get_running_loop(), list[bool]()
        deadlines = Deadlines(lambda: told.append(True))
        early, late, ever = (loop.create_future() for _ in range(3))
        deadlines.watch(early, loop.time() + 0.1)
        deadlines.watch(late, loop.time() + 0.1, DeadlinePassedRecording)
        deadlines.watch(ever, math.inf)
        early.set_result(1)
        with pytest.raises(DeadlinePassedRecording):
            await late
        assert 1 == await early
        assert [True] == told
        assert not ever.done()

    asyncio.run(run())
