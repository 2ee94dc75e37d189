"""Models that compute in turn: each has its share, whatever another one is asked."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.serving import fair_queue as module
from app.serving.fair_queue import SAVED_SECONDS, FairQueue, Turn

PATIENCE = 20


class Clock:
    """Time that passes only while a batch computes."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Model:
    """Has batches of a duration, of which one waits or computes at a time."""

    turn: Turn
    seconds: float
    used: float = 0.0
    """Seconds that its batches have computed."""

    def begin(self, started: "list[Model]") -> None:
        """Queue its first batch."""
        self.turn.take(partial(started.append, self))

    def end(self, started: "list[Model]", *, is_last: bool) -> None:
        """End a batch; there always is another, unless it is the last."""
        self.used += self.seconds
        self.turn.end(None if is_last else partial(started.append, self))


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


def compute(clock: Clock, models: list[Model], until: float) -> list[Model]:
    """Compute what is there; returns whose batches were computed, in order."""
    order, started = list[Model](), list[Model]()
    for model in models:
        model.begin(started)
    while started:
        (model,) = started
        started.clear()
        order.append(model)
        clock.now += model.seconds
        model.end(started, is_last=clock.now >= until)
    return order


SECONDS = st.floats(0.001, 0.05)


@given(seconds=st.lists(SECONDS, min_size=2, max_size=5))
def test_those_that_always_have_work_use_as_much(seconds: list[float]) -> None:
    """To within one batch of each, however long the batches of each are."""
    queue = FairQueue(clock := Clock())

    async def use() -> None:
        models = [Model(queue.add(), one) for one in seconds]
        compute(clock, models, 5.0)
        used = [model.used for model in models]
        assert max(used) - min(used) <= 2 * max(seconds) + 1e-9

    run(use())


@given(idle=st.floats(0.0, 100.0), seconds=SECONDS)
def test_idling_saves_up_little(idle: float, seconds: float) -> None:
    """But for a moment: who comes late is the next, and soon has half, no more."""
    queue = FairQueue(clock := Clock())

    async def use() -> None:
        busy, late = Model(queue.add(), 0.01), Model(queue.add(), seconds)
        compute(clock, [busy], idle)
        begun, before = clock.now, busy.used
        order = compute(clock, [busy, late], begun + 5.0)
        assert late in order[:2]
        ahead = late.used - (busy.used - before)
        assert -0.02 <= ahead <= SAVED_SECONDS + 2 * max(0.01, seconds)

    run(use())


def test_one_that_uses_less_than_its_share_never_waits_for_more_than_a_batch() -> None:
    """A batch now and then is the next, beside one that always has another."""
    queue = FairQueue(clock := Clock())

    async def use() -> None:
        flooded, other = queue.add(), queue.add()
        started: list[str] = []
        for at in range(100):
            flooded.take(partial(started.append, "flooded"))
            if at % 3 == 1:
                other.take(partial(started.append, "other"))
            clock.now += 0.01
            flooded.end()
            if at % 3 == 1:
                flooded.take(partial(started.append, "flooded"))
                assert "other" == started[-1]
                clock.now += 0.004
                other.end()
                assert "flooded" == started[-1]
                clock.now += 0.01
                flooded.end()

    run(use())


def test_who_computes_alone_begins_at_once() -> None:
    """Others are counted only while they compute or wait."""

    async def use() -> None:
        queue, started = FairQueue(), list[int]()
        first, second = queue.add(), queue.add()
        assert 0 == first.others
        first.take(lambda: started.append(1))
        assert (0, 1) == (first.others, second.others)
        second.take(lambda: started.append(2))
        assert ([1], 1, 1) == (started, first.others, second.others)
        first.end()
        assert ([1, 2], 1, 0) == (started, first.others, second.others)
        second.end()
        assert (0, 0) == (first.others, second.others)

    run(use())


def test_a_batch_that_never_ends_holds_up_its_model_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while the others compute beside it; when it ends, it is one of them again."""
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.05)

    async def use() -> None:
        queue, started = FairQueue(), list[str]()
        stuck, other, third = queue.add(), queue.add(), queue.add()
        stuck.take(lambda: started.append("stuck"))
        other.take(lambda: started.append("other"))
        third.take(lambda: started.append("third"))
        assert ["stuck"] == started
        await until(lambda: "other" in started)
        await until(lambda: "third" in started)
        stuck.end()
        stuck.take(lambda: started.append("again"))
        third.end()
        assert ["stuck", "other", "third", "again"] == started

    run(use())


async def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)
