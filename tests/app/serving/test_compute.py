"""Where batches are computed: small lone jobs at hand, all others beyond."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from app.serving.compute import PROBE, Nearby
from app.serving.jobs import Draws, Job, Plain, Statistics, results, work_of
from dubito.types import Query
from tests.app.processes.test_channel import Noisy

ROW = np.array([[0.2, 0.3, 0.5]])
SMALL = Statistics(Query(ROW, 60, 1))
LARGE = Statistics(Query(ROW, 200, 1))
MOST = 160


class Beyond:
    """Computes in the background, and knows what it was given."""

    def __init__(self, trouble: str | None = None) -> None:
        self.trouble = trouble
        self.seen: list[Sequence[Job]] = []

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Begin a batch."""
        self.seen.append(jobs)
        return asyncio.ensure_future(asyncio.to_thread(results, Noisy(), jobs))

    near = 0

    def together(self, jobs: Sequence[Job]) -> None:
        """Compute nothing."""

    def at_once(self, job: Job) -> None:
        """Compute nothing."""

    def close(self) -> None:
        """Nothing is to be let go of."""


def nearby() -> tuple[Nearby, Beyond]:
    beyond = Beyond()
    return Nearby(Noisy(), beyond, MOST), beyond


def test_a_small_job_is_computed_at_once() -> None:
    """Whatever its kind; a large one is not."""
    at_hand, _ = nearby()
    for job in (SMALL, Plain(ROW), Draws(Query(ROW, 9, 4))):
        assert at_hand.at_once(job) is not None
    assert at_hand.at_once(LARGE) is None


def test_where_several_come_all_are_handed_on() -> None:
    """A batch of several ends it, until one is alone again."""

    async def run() -> None:
        at_hand, beyond = nearby()
        await at_hand.submit([SMALL, SMALL])
        assert at_hand.at_once(SMALL) is None
        await at_hand.submit([SMALL])
        assert at_hand.at_once(SMALL) is not None
        assert [2, 1] == [len(jobs) for jobs in beyond.seen]

    asyncio.run(run())


def test_now_and_then_one_is_handed_on() -> None:
    """Which shows whether others come while it is computed."""

    async def run() -> None:
        at_hand, _ = nearby()
        for _ in range(2):
            found = [at_hand.at_once(SMALL) for _ in range(PROBE + 1)]
            assert [True] * PROBE + [False] == [one is not None for one in found]
            await at_hand.submit([SMALL])

    asyncio.run(run())


def test_several_small_ones_are_computed_together() -> None:
    """On the loop, up to so much work; whoever is alone is noticed, as where they are handed on."""
    beyond = Beyond()
    at_hand = Nearby(Noisy(), beyond, MOST, 3 * work_of(SMALL))
    found = at_hand.together([SMALL] * 3)
    assert found is not None
    assert 3 == len(found)
    assert at_hand.at_once(SMALL) is None
    assert at_hand.together([SMALL] * 4) is None
    assert at_hand.together([SMALL]) is not None
    assert at_hand.at_once(SMALL) is not None
    assert [] == beyond.seen
    assert nearby()[0].together([SMALL]) is None


def test_what_fails_at_hand_is_raised() -> None:
    """As it would be beyond."""
    at_hand, _ = nearby()
    with pytest.raises(TypeError):
        at_hand.at_once(Plain(np.array([["no number"]])))
