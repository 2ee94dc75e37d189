"""The batcher: gathers what is waiting while one batch computes, and never waits when idle.

Small jobs stand in one lane and pieces of large ones in another. A batch takes from both, so that a
large request costs the small ones beside it no more than its piece.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from app.errors import Abandoned, DeadlinePassed, Late, Overloaded

Job = TypeVar("Job")
Result = TypeVar("Result")

LONGEST_RETRY = 60
"""Seconds; a client is never told to stay away for longer."""
LEAST_SHARE = 16
"""However slow it goes, a batch may have this part of its most."""
MARGIN = 0.7
"""Share of the time to a deadline that may be planned with: an answer that comes too late has cost
as much as one in time, and under overload every queue is as long as may be planned."""
MEMORY = 0.2
"""Weight of the last batch in the measured rate."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a batcher takes."""

    batch: int
    """Most work of a batch; one job alone may exceed it."""
    queue: int
    """Most work waiting; a job beyond it is refused."""
    seconds: float = math.inf
    """About how long a batch may take, at the measured rate."""


def staying() -> bool:
    """Whether a client has gone that cannot go."""
    return False


@dataclass(frozen=True, slots=True)
class Client:
    """Who waits for an answer."""

    deadline: float = math.inf
    """When the answer is of no use any more, by the event loop's clock."""
    gone: Callable[[], bool] = staying
    """Asked by the event loop's thread: whether nobody waits any more."""


PATIENT = Client()
"""Waits for ever."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Job, Result]):
    job: Job
    work: int
    client: Client
    answer: "asyncio.Future[Result]"

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Lane(Generic[Job, Result]):
    """Jobs in order, and their work."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiting[Job, Result]] = deque()
        self.work = 0

    def append(self, one: _Waiting[Job, Result]) -> None:
        self.waiting.append(one)
        self.work += one.work

    def take(self, most: int) -> Iterator[_Waiting[Job, Result]]:
        """Yield jobs of so much work together, or one that is more; none nobody waits for."""
        total = 0
        while self.waiting and (not total or total + self.waiting[0].work <= most):
            one = self.waiting.popleft()
            self.work -= one.work
            if _is_wanted(one):
                total += one.work
                yield one

    def sweep(self) -> None:
        """Let go of what nobody waits for."""
        self.waiting = deque(one for one in self.waiting if _is_wanted(one))
        self.work = sum(one.work for one in self.waiting)


def _is_wanted(one: _Waiting[Job, Result]) -> bool:
    """Whether somebody waits still; if not, what waits is ended."""
    if one.client.gone():
        one.fail(Abandoned())
    elif one.client.deadline < asyncio.get_running_loop().time():
        one.fail(DeadlinePassed())
    return not one.answer.done()


class Batcher(Generic[Job, Result]):
    """Hands over one batch of jobs after the other; it lives on the event loop."""

    def __init__(
        self,
        run: "Callable[[Sequence[Job]], asyncio.Future[Any]]",
        work: Callable[[Job], int],
        limits: Limits,
    ) -> None:
        """Take the jobs' runner and their measure.

        Args:
            run: begins a batch, whose results come in the jobs' order.
            work: rows × passes of a job.
            limits: how much at a time.
        """
        self._run = run
        self._work = work
        self._limits = limits
        self._small = _Lane[Job, Result]()
        self._large = _Lane[Job, Result]()
        self._rate = 0.0
        self._computing = 0
        self._since = 0.0

    async def submit(
        self,
        job: Job,
        client: Client = PATIENT,
        *,
        accepted: bool = False,
    ) -> Result:
        """Queue a job and wait for its result.

        Args:
            job: what is to be computed.
            client: who waits for it.
            accepted: whether it goes on with a request that was admitted, and so is never refused.

        Raises:
            Overloaded: as much work waits as the queue may hold; nothing was computed.
            Late: the deadline cannot be met; nothing was computed.
            DeadlinePassed: the deadline has passed since.
            Abandoned: the client has gone, and nothing was computed.
        """
        if not accepted:
            self.admit(self._work(job), client)
        return await self.put(job, client)

    def put(
        self, job: Job, client: Client = PATIENT, *, large: bool = False
    ) -> "asyncio.Future[Result]":
        """Queue a job of an admitted request; `large` says that it is a piece of a large one."""
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Job, Result] = _Waiting(
            job, self._work(job), client, loop.create_future()
        )
        (self._large if large else self._small).append(waiting)
        if not self._computing:
            self._start()
        return waiting.answer

    def admit(self, work: int, client: Client, *, large: bool = False) -> None:
        """Refuse what the queue cannot hold, or what could not be ready in time.

        Raises:
            Overloaded: as much work waits as the queue may hold.
            Late: the deadline cannot be met.
        """
        if self.backlog and self.backlog + work > self._limits.queue:
            self._small.sweep()
            self._large.sweep()
            if self.backlog and self.backlog + work > self._limits.queue:
                raise Overloaded(self._retry_after())
        if work > self.affordable(client, large=large):
            raise Late(self._retry_after())

    def affordable(self, client: Client, *, large: bool = False) -> float:
        """Work that is safely done by the client's deadline, at the measured rate."""
        if not self._rate or client.deadline == math.inf:
            return math.inf
        now = asyncio.get_running_loop().time()
        under_way = self._computing - (time.perf_counter() - self._since) * self._rate
        ahead = max(0.0, under_way) if self._computing else 0.0
        # Beside large requests, small ones have half of every batch.
        ahead += self.backlog if large else self._small.work
        share = 2 if self._large.work and not large else 1
        return MARGIN * (client.deadline - now) * self._rate / share - ahead

    @property
    def backlog(self) -> int:
        """Work that waits."""
        return self._small.work + self._large.work

    @property
    def _budget(self) -> int:
        """Work of a batch."""
        most, seconds = self._limits.batch, self._limits.seconds
        return most if seconds == math.inf else self._in(seconds, most)

    def _in(self, seconds: float, most: int) -> int:
        return int(min(most, max(self._rate * seconds, most / LEAST_SHARE)))

    def _start(self) -> None:
        batch = self._take()
        self._computing = sum(one.work for one in batch)
        if batch:
            self._since = time.perf_counter()
            self._run([one.job for one in batch]).add_done_callback(partial(self._finish, batch))

    def _take(self) -> list[_Waiting[Job, Result]]:
        """The next batch, without those nobody waits for."""
        budget = self._budget
        batch = list(self._large.take(budget // 2 if self._small.waiting else budget))
        if self._small.waiting:
            batch += self._small.take(budget // 2 if batch else budget)
        return batch

    def _finish(
        self, batch: list[_Waiting[Job, Result]], done: "asyncio.Future[Sequence[Result]]"
    ) -> None:
        """Hand over what came of a batch."""
        rate = self._computing / max(time.perf_counter() - self._since, 1e-9)
        self._rate += (rate - self._rate) * (MEMORY if self._rate else 1.0)
        # First of all the worker gets its next batch: it need not wait while answers are sent.
        self._start()
        error = _error_of(done, len(batch))
        late = asyncio.get_running_loop().time()
        for at, one in enumerate(batch):
            if error is not None:
                one.fail(error)
            elif one.client.deadline < late:
                one.fail(DeadlinePassed())
            elif not one.answer.done():
                one.answer.set_result(done.result()[at])

    def _retry_after(self) -> int:
        """Seconds until what waits is done, at the measured rate."""
        work = self.backlog + self._computing
        seconds = work / self._rate if self._rate else 1.0
        return min(LONGEST_RETRY, max(1, math.ceil(seconds)))


def _error_of(done: "asyncio.Future[Sequence[Any]]", jobs: int) -> BaseException | None:
    """Why there are no results, if there are none."""
    if done.cancelled():
        return Abandoned()
    if done.exception() is not None:
        return done.exception()
    found = len(done.result())
    return None if found == jobs else RuntimeError(f"{found} results for {jobs} jobs")
