"""The batcher: gathers what is waiting while one batch computes, and never waits when idle.

Small jobs stand in one lane and large ones in another. A batch takes a slice of the first large one
and as many small ones as it may, so that a large request costs those beside it one slice.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from app.errors import Abandoned, DeadlinePassed, Late, Overloaded
from app.serving.client import PATIENT, Client
from app.serving.lane import Cut, Lane, Piece, Waiting, whole
from app.serving.pace import Pace, done_in

Job = TypeVar("Job")
Result = TypeVar("Result")

LONGEST_RETRY = 60
"""Seconds; a client is never told to stay away for longer."""
MARGIN = 0.7
"""Share of the time to a deadline that may be planned with: an answer that comes too late has cost
as much as one in time, and under overload every queue is as long as may be planned."""


@dataclass(frozen=True, slots=True)
class Handling(Generic[Job, Result]):
    """What a batcher must know of its jobs."""

    work: Callable[[Job], int]
    """Rows × passes."""
    cut: Cut[Job]
    joined: Callable[[Job, list[Result]], Result]
    """A job's result, from those of the parts it was cut into, in order."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a batcher takes."""

    batch: int
    """Most work of a batch; one job alone may exceed it."""
    queue: int
    """Most work waiting; a job beyond it is refused."""
    seconds: float = math.inf
    """About how long a batch may take, at the measured rate."""
    slice: float = math.inf
    """Most work of a slice; a job of more is large."""
    slice_seconds: float = math.inf
    """About how long a slice may take, at the measured rate, if a batch of small jobs takes less;
    else as long as that."""


class Batcher(Generic[Job, Result]):
    """Hands over one batch of jobs after the other; it lives on the event loop."""

    def __init__(
        self,
        run: "Callable[[Sequence[Job]], asyncio.Future[Any]]",
        handling: Handling[Job, Result],
        limits: Limits,
    ) -> None:
        """Take what begins a batch, whose results come in the jobs' order."""
        self._run = run
        self._handling = handling
        self._limits = limits
        self._small = Lane[Job, Result](handling.work, whole)
        self._large = Lane[Job, Result](handling.work, handling.cut)
        self._pace = Pace()
        self._computing = 0
        self._is_sliced = False
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
            self.admit(self._handling.work(job), client)
        return await self.put(job, client)

    def put(self, job: Job, client: Client = PATIENT) -> "asyncio.Future[Result]":
        """Queue a job of an admitted request; its result comes as `submit` says."""
        work, answer = self._handling.work(job), asyncio.get_running_loop().create_future()
        lane = self._large if work > self._slice else self._small
        lane.append(Waiting(job, job, work, client, answer))
        if not self._computing:
            self._start()
        return answer

    def admit(self, work: int, client: Client) -> None:
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
        if work > self.affordable(work, client):
            raise Late(self._retry_after())

    def affordable(self, work: int, client: Client) -> float:
        """How much of some work is safely done by the client's deadline, at the measured rate."""
        is_large = work > self._slice
        # What a batch of many rows achieves, only such a batch shows.
        rate = self._pace.fast if is_large else self._pace.rate
        if not rate or client.deadline == math.inf:
            return math.inf
        now = asyncio.get_running_loop().time()
        under_way = self._computing - (time.perf_counter() - self._since) * rate
        ahead = max(0.0, under_way) if self._computing else 0.0
        ahead += self.backlog if is_large else self._small.work
        beside = self._large.work and not is_large
        share = 1 + self._slice / (self._budget / 2) if beside else 1
        return MARGIN * (client.deadline - now) * rate / share - ahead

    @property
    def backlog(self) -> int:
        """Work that waits."""
        return self._small.work + self._large.work

    @property
    def _budget(self) -> float:
        """Work of a batch."""
        return done_in(self._limits.seconds, self._pace.rate, self._limits.batch)

    @property
    def _slice(self) -> float:
        """Work of a slice."""
        seconds = max(self._limits.slice_seconds, self._pace.small_seconds)
        return done_in(seconds, self._pace.fast or self._pace.rate, self._limits.slice)

    def _start(self) -> None:
        batch = self._take()
        self._computing = sum(piece.work for piece in batch)
        if batch:
            self._since = time.perf_counter()
            done = self._run([piece.job for piece in batch])
            done.add_done_callback(partial(self._finish, batch))

    def _take(self) -> list[Piece[Job, Result]]:
        """The next batch, without those nobody waits for."""
        large = list(self._large.take(int(self._slice))) if self._large.work else []
        self._is_sliced = bool(large)
        return [*large, *self._small.take(int(self._budget / (2 if large else 1)))]

    def _finish(
        self, batch: list[Piece[Job, Result]], done: "asyncio.Future[Sequence[Result]]"
    ) -> None:
        """Hand over what came of a batch."""
        seconds = time.perf_counter() - self._since
        self._pace.saw(self._computing, seconds, sliced=self._is_sliced)
        # First of all the worker gets its next batch: it need not wait while answers are sent.
        self._start()
        error = _error_of(done, len(batch))
        now = asyncio.get_running_loop().time()
        for at, piece in enumerate(batch):
            if error is not None:
                piece.owner.fail(error)
            elif piece.owner.client.deadline < now:
                piece.owner.fail(DeadlinePassed())
            else:
                self._hand_over(piece, done.result()[at])

    def _hand_over(self, piece: Piece[Job, Result], result: Result) -> None:
        """Keep the result of a piece, or answer with that of the last."""
        one = piece.owner
        if one.parts or not piece.is_last:
            one.parts.append(result)
        if piece.is_last and not one.answer.done():
            parts = one.parts
            one.answer.set_result(self._handling.joined(one.job, parts) if parts else result)

    def _retry_after(self) -> int:
        """Seconds until what waits is done, at the measured rate."""
        work = self.backlog + self._computing
        seconds = work / self._pace.rate if self._pace.rate else 1.0
        return min(LONGEST_RETRY, max(1, math.ceil(seconds)))


def _error_of(done: "asyncio.Future[Sequence[Any]]", jobs: int) -> BaseException | None:
    """Why there are no results, if there are none."""
    if done.cancelled():
        return Abandoned()
    if done.exception() is not None:
        return done.exception()
    found = len(done.result())
    return None if found == jobs else RuntimeError(f"{found} results for {jobs} jobs")
