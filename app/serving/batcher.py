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

from app.errors import Abandoned, DeadlinePassed, DeadlineUnmeetable, Overloaded
from app.serving.batch_sizing import Average, Pace, Portion
from app.serving.caller import PATIENT, Caller
from app.serving.deadlines import Deadlines
from app.serving.job_queue import Cut, Lane, Piece, Waiting, whole
from app.serving.limits import Limits

Job = TypeVar("Job")
Result = TypeVar("Result")
Seen = Callable[[int, float], None]
"""Takes the work and the seconds of a batch."""

LONGEST_RETRY = 60
"""Seconds; a caller is never told to stay away for longer."""
SOON_SECONDS = 0.004
"""Of a batch that is not worth halving."""
QUIET_AFTER = 0.2
"""Seconds after the last small job."""
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


class Batcher(Generic[Job, Result]):
    """Hands over one batch of jobs after the other; it lives on the event loop."""

    def __init__(
        self,
        run: "Callable[[Sequence[Job]], asyncio.Future[Any]]",
        handling: Handling[Job, Result],
        limits: Limits,
        seen: Seen = lambda *_: None,
    ) -> None:
        """Take what begins a batch, whose results come in the jobs' order, and who hears of it."""
        self._run = run
        self._seen = seen
        self._handling = handling
        self._limits = limits
        self._small = Lane[Job, Result](handling.work, whole)
        self._large = Lane[Job, Result](handling.work, handling.cut)
        self._pace = Pace(limits)
        self._deadlines = Deadlines(self._sweep)
        self._computing = 0
        self._answering = 0
        """Work in small jobs of the last batch."""
        self._small_came = -math.inf
        self._since = 0.0

    async def submit(
        self,
        job: Job,
        caller: Caller = PATIENT,
        *,
        accepted: bool = False,
    ) -> Result:
        """Queue a job and wait for its result.

        Args:
            job: what is to be computed.
            caller: who waits for it.
            accepted: whether it goes on with a request that was admitted, and so is never refused.

        Raises:
            Overloaded: as much work waits as the queue may hold; nothing was computed.
            DeadlineUnmeetable: the deadline cannot be met; nothing was computed.
            DeadlinePassed: the deadline has passed since.
            Abandoned: the caller has gone, and nothing was computed.
        """
        if not accepted:
            self.admit(self._handling.work(job), caller)
        return await self.put(job, caller)

    def put(self, job: Job, caller: Caller = PATIENT) -> "asyncio.Future[Result]":
        """Queue a job of an admitted request; its result comes as `submit` says."""
        work, answer = self._handling.work(job), asyncio.get_running_loop().create_future()
        lane = self._large if self._is_large(work) else self._small
        if lane is self._small:
            self._small_came = time.perf_counter()
        lane.append(Waiting(job, job, work, caller, answer))
        self._deadlines.watch(answer, caller.deadline)
        if not self._computing:
            self._start()
        return answer

    def admit(self, work: int, caller: Caller) -> None:
        """Refuse what the queue cannot hold, or what could not be ready in time.

        Raises:
            Overloaded: as much work waits as the queue may hold.
            DeadlineUnmeetable: the deadline cannot be met.
        """
        if self.backlog and self.backlog + work > self._limits.queue:
            self._sweep()
            if self.backlog and self.backlog + work > self._limits.queue:
                raise Overloaded(self._retry_after())
        if work > self.affordable(work, caller):
            if not self._computing:
                self._rate(work).grow()
            raise DeadlineUnmeetable(self._retry_after())

    def affordable(self, work: int, caller: Caller) -> float:
        """How much of some work is safely done by the caller's deadline, at the measured rate."""
        is_large = self._is_large(work)
        rate = self._rate(work).value
        if not rate or caller.deadline == math.inf:
            return math.inf
        now = asyncio.get_running_loop().time()
        under_way = self._computing - (time.perf_counter() - self._since) * rate
        ahead = max(0.0, under_way) if self._computing else 0.0
        ahead += self.backlog if is_large else self._small.work
        beside = self._large.work and not is_large
        share = 1 + self._pace.slice.work / (self._pace.batch.work / 2) if beside else 1
        return MARGIN * (caller.deadline - now) * rate / share - ahead

    @property
    def backlog(self) -> int:
        """Work that waits."""
        return self._small.work + self._large.work

    @property
    def seconds(self) -> float:
        """How long the batch that is being computed has been, 0 where none is."""
        return time.perf_counter() - self._since if self._computing else 0.0

    def _sweep(self) -> None:
        """Let go of what nobody waits for."""
        self._small.sweep()
        self._large.sweep()

    def _is_large(self, work: int) -> bool:
        """Whether a job is cut."""
        return work > self._pace.slice.work

    def _rate(self, work: int) -> Average:
        """At which a job is done: what a batch of many rows achieves, only such a batch shows."""
        return self._pace.large_rate if self._is_large(work) else self._pace.small_rate

    @property
    def _is_quiet(self) -> bool:
        """Whether no small jobs come, which would wait for a slice."""
        return time.perf_counter() - self._small_came > QUIET_AFTER

    def _start(self) -> None:
        batch = self._take()
        self._computing = batch.large + batch.small
        if batch.pieces:
            self._since = time.perf_counter()
            done = self._run([piece.job for piece in batch.pieces])
            done.add_done_callback(partial(self._finish, batch))

    def _take(self) -> "_Batch[Job, Result]":
        """The next batch, without those nobody waits for."""
        portion = self._pace.part if self._is_quiet else self._pace.slice
        large = list(self._large.take(int(portion.work))) if self._large.work else []
        # Beside a slice as many as may be: whoever is left waits for another slice.
        most = self._pace.batch.work / 2 if large else self._most_small()
        small = list(self._small.take(int(most)))
        self._answering = _work(small)
        return _Batch([*large, *small], _work(large), _work(small), portion)

    def _most_small(self) -> float:
        """Most work in small jobs of the next batch, unless that is soon done anyway.

        Where callers ask again when they are answered, one batch of all leaves nothing to compute
        while its answers are written, and nothing to write while the next is computed. Half of what
        waits and what is being answered keeps both at work.
        """
        soon = self._pace.small_rate.value * SOON_SECONDS or math.inf
        half = (self._small.work + self._answering) / 2
        return min(self._pace.batch.work, max(soon, half))

    def _finish(
        self, batch: "_Batch[Job, Result]", done: "asyncio.Future[Sequence[Result]]"
    ) -> None:
        """Hand over what came of a batch."""
        seconds = time.perf_counter() - self._since
        self._pace.saw(batch.large, batch.small, seconds, batch.portion)
        # First of all the worker gets its next batch: it need not wait while answers are sent.
        self._start()
        self._seen(batch.large + batch.small, seconds)
        error = _error_of(done, len(batch.pieces))
        now = asyncio.get_running_loop().time()
        for at, piece in enumerate(batch.pieces):
            if error is not None:
                piece.owner.fail(error)
            elif piece.owner.caller.deadline < now:
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
        rate = self._pace.small_rate.value or self._pace.large_rate.value
        seconds = work / rate if rate else 1.0
        return min(LONGEST_RETRY, max(1, math.ceil(seconds)))


@dataclass(frozen=True, slots=True)
class _Batch(Generic[Job, Result]):
    """What is computed at a time."""

    pieces: list[Piece[Job, Result]]
    large: int
    """Work of large jobs, whose portion it was."""
    small: int
    portion: Portion


def _work(pieces: list[Piece[Any, Any]]) -> int:
    return sum(piece.work for piece in pieces)


def _error_of(done: "asyncio.Future[Sequence[Any]]", jobs: int) -> BaseException | None:
    """Why there are no results, if there are none."""
    if done.cancelled():
        return Abandoned()
    if done.exception() is not None:
        return done.exception()
    found = len(done.result())
    return None if found == jobs else RuntimeError(f"{found} results for {jobs} jobs")
