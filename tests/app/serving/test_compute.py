"""Where batches are computed: small lone jobs at hand, all others beyond."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from app.serving.compute import Nearby
from app.serving.jobs import Draws, Job, Plain, Statistics, results
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

    def close(self) -> None:
        """Nothing is to be let go of."""


def handed_on(*batches: list[Job]) -> list[bool]:
    """Whether each of some batches, one after the other, was computed beyond."""

    async def run() -> list[bool]:
        beyond = Beyond()
        nearby = Nearby(Noisy(), beyond, MOST)
        for jobs in batches:
            await nearby.submit(jobs)
        return [any(jobs is seen for seen in beyond.seen) for jobs in batches]

    return asyncio.run(run())


@pytest.mark.parametrize("job", [SMALL, Plain(ROW), Draws(Query(ROW, 9, 4))])
def test_a_small_job_alone_is_computed_at_hand(job: Job) -> None:
    """Whatever its kind, and at once: nobody else has a turn before it is done."""

    async def run() -> None:
        future = Nearby(Noisy(), Beyond(), MOST).submit([job])
        assert future.done()

    asyncio.run(run())


def test_what_is_large_or_not_alone_is_handed_on() -> None:
    """A large job, several jobs, and the one after them: where several came, more will."""
    several: list[Job] = [SMALL, SMALL]
    assert [False, True, False] == handed_on([SMALL], [LARGE], [SMALL])
    assert [True, True, False] == handed_on(several, [SMALL], [SMALL])


def test_what_fails_at_hand_is_raised_where_it_is_awaited() -> None:
    """As it would be beyond."""

    async def run() -> None:
        future = Nearby(Noisy(), Beyond(), MOST).submit([Plain(np.array([["no number"]]))])
        with pytest.raises(TypeError):
            await future

    asyncio.run(run())
