"""The batcher: gathers what is waiting while one batch computes, and never waits when idle."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import Overloaded

Job = TypeVar("Job")
Result = TypeVar("Result")

LONGEST_RETRY = 60
"""Seconds; a client is never told to stay away for longer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a batcher computes, and how much at a time."""

    thread: ThreadPoolExecutor
    """One worker; batchers that share it take turns."""
    batch: int
    """Most work of a batch; one job alone may exceed it."""
    queue: int
    """Most work waiting; a job beyond it is refused."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Job, Result]):
    job: Job
    work: int
    answer: "asyncio.Future[Result]"


class Batcher(Generic[Job, Result]):
    """Hands batches of jobs to one worker thread; everything else happens on the event loop."""

    def __init__(
        self,
        run: Callable[[Sequence[Job]], Sequence[Result]],
        work: Callable[[Job], int],
        limits: Limits,
    ) -> None:
        """Take the jobs' runner and their measure.

        Args:
            run: computes a batch in the worker thread, results in the jobs' order.
            work: rows × passes of a job.
            limits: where and how much at a time.
        """
        self._run = run
        self._work = work
        self._limits = limits
        self._waiting: deque[_Waiting[Job, Result]] = deque()
        self._backlog = 0
        self._rate = 0.0
        self._busy = False

    async def submit(self, job: Job, *, accepted: bool = False) -> Result:
        """Queue a job and wait for its result.

        Args:
            job: what is to be computed.
            accepted: whether it goes on with a request that was begun, and so is never refused.

        Raises:
            Overloaded: as much work waits as the queue may hold; nothing was computed.
        """
        work = self._work(job)
        if self._waiting and not accepted and self._backlog + work > self._limits.queue:
            raise Overloaded(self._retry_after())
        waiting = _Waiting(job, work, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._backlog += work
        if not self._busy:
            self._start()
        result: Result = await waiting.answer
        return result

    def _start(self) -> None:
        batch = self._take()
        self._busy = bool(batch)
        if batch:
            jobs = [waiting.job for waiting in batch]
            computed = self._limits.thread.submit(self._timed, jobs, sum(one.work for one in batch))
            asyncio.wrap_future(computed).add_done_callback(lambda done: self._finish(batch, done))

    def _take(self) -> list[_Waiting[Job, Result]]:
        """The next batch, without those whose client has gone."""
        batch: list[_Waiting[Job, Result]] = []
        total = 0
        while self._waiting and (not batch or total + self._waiting[0].work <= self._limits.batch):
            waiting = self._waiting.popleft()
            self._backlog -= waiting.work
            if not waiting.answer.cancelled():
                batch.append(waiting)
                total += waiting.work
        return batch

    def _timed(self, jobs: Sequence[Job], work: int) -> Sequence[Result]:
        start = time.perf_counter()
        results = self._run(jobs)
        if len(results) != len(jobs):
            raise RuntimeError(f"{len(results)} results for {len(jobs)} jobs")
        self._rate = work / max(time.perf_counter() - start, 1e-9)
        return results

    def _finish(
        self, batch: list[_Waiting[Job, Result]], done: "asyncio.Future[Sequence[Result]]"
    ) -> None:
        error = done.exception()
        for at, waiting in enumerate(batch):
            if waiting.answer.done():
                continue
            if error is None:
                waiting.answer.set_result(done.result()[at])
            else:
                waiting.answer.set_exception(error)
        self._start()

    def _retry_after(self) -> int:
        """Seconds until the backlog is done, at the rate of the last batch."""
        seconds = self._backlog / self._rate if self._rate else 1.0
        return min(LONGEST_RETRY, max(1, math.ceil(seconds)))
