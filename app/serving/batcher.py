"""The batcher: chooses which waiting jobs form the next batch; small ones pass large ones.

While a batch computes, jobs are gathered; when idle, nothing waits. A batch takes a slice of the
first large job and as many small ones as its portion allows, so that a large request delays small
ones by one slice.
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
from app.serving.fair_queue import Turn
from app.serving.job_queue import Cut, Lane, Piece, Waiting, whole_job
from app.serving.limits import BatchLimits

Job = TypeVar("Job")
Result = TypeVar("Result")
BatchObserver = Callable[[int, float], None]
"""Function called with the work (rows × passes) and the seconds of every batch."""

LONGEST_RETRY = 60
"""Maximum `Retry-After`, seconds."""
SOON_SECONDS = 0.004
"""Duration of a batch that is not worth halving, seconds."""
QUIET_AFTER = 0.2
"""Seconds after the last small job until large jobs get longer parts."""
MARGIN = 0.7
"""Share of the time to a deadline that is planned with: an answer that is late has cost as much as
a timely one, and under overload every queue is as long as the plan allows."""


def _as_computed(_: Sequence[Any], found: Sequence[Any]) -> Sequence[Any]:
    return found


@dataclass(frozen=True, slots=True)
class Handling(Generic[Job, Result]):
    """How a batcher measures, splits and joins its jobs."""

    work: Callable[[Job], int]
    """Function that measures the work of a job, rows × passes."""
    cut: Cut[Job]
    joined: Callable[[Job, list[Result]], Result]
    """Function that joins the results of a job's parts, in order, to its result."""


class Batcher(Generic[Job, Result]):
    """Computes queued jobs in one batch after another; used only on the event loop."""

    def __init__(
        self,
        run: "Callable[[Sequence[Job]], asyncio.Future[Any]]",
        handling: Handling[Job, Result],
        limits: BatchLimits,
        seen: BatchObserver = lambda *_: None,
        at_once: Callable[[Job], Result | None] = lambda _: None,
        together: Callable[[Sequence[Job]], Sequence[Result] | None] = lambda _: None,
        refined: Callable[[Sequence[Job], Sequence[Result]], Sequence[Result]] = _as_computed,
        turn: Turn | None = None,
        near: int = 0,
    ) -> None:
        """Keep the function that starts a batch, and build empty queues.

        Args:
            run: starts a batch; its results are in the jobs' order.
            at_once: computes a job on the event loop; None if it would take too long for that.
            handling: measures, splits and joins jobs.
            limits: maximum work and duration.
            together: computes a batch on the event loop; None if it would take too long for that.
            seen: called after every batch.
            refined: turns the results of a batch into those that are delivered, on the event loop.
            turn: place among the batchers that compute in turn; None if there is no other.
            near: maximum work of a batch that `together` computes, for which no turn is needed.
        """
        self._turn = turn
        self._near = near
        self._is_in_line = False
        """Whether a batch starts once it is the batcher's turn, or it is and none has started."""
        self._run = run
        self._at_once = at_once
        self._together = together
        self._seen = seen
        self._refined = refined
        self._handling = handling
        self._limits = limits
        self._small = Lane[Job, Result](handling.work, whole_job)
        self._large = Lane[Job, Result](handling.work, handling.cut)
        self._pace = Pace(limits)
        self._deadlines = Deadlines(self._sweep)
        self._computing = 0
        self._is_due = False
        """Whether a batch starts once all that is ready to run has run."""
        self._answering = 0
        """Work of the small jobs in the latest batch, rows × passes."""
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
            job: the job.
            caller: deadline and disconnection of the caller.
            accepted: whether the job continues an admitted request, and is therefore never refused.

        Raises:
            Overloaded: the queue is full; nothing was computed.
            DeadlineUnmeetable: the deadline cannot be met; nothing was computed.
            DeadlinePassed: the deadline passed after the job was queued.
            Abandoned: the caller has disconnected, and nothing was computed.
        """
        if not accepted:
            self.admit(self._handling.work(job), caller)
        if not self._computing and not self.backlog and self._is_wanted(caller):
            self._since = time.perf_counter()
            found = self._at_once(job)
            if found is not None:
                self._saw_one(self._handling.work(job), is_new=not accepted)
                return self._refined([job], [found])[0]
        return await self.put(job, caller, is_new=not accepted)

    def put(
        self, job: Job, caller: Caller = PATIENT, *, is_new: bool = True
    ) -> "asyncio.Future[Result]":
        """Queue a job of an admitted request; the future fails as `submit` raises.

        Args:
            job: the job.
            caller: deadline and disconnection of the caller.
            is_new: whether the job is a whole request's; parts of large ones are no small requests,
                beside which large ones are cut.
        """
        work, answer = self._handling.work(job), asyncio.get_running_loop().create_future()
        lane = self._large if self._is_large(work) else self._small
        if lane is self._small and is_new:
            self._small_came = time.perf_counter()
        lane.append(Waiting(job, job, work, caller, answer))
        self._deadlines.watch(answer, caller.deadline)
        self._start_soon()
        return answer

    def admit(self, work: int, caller: Caller) -> None:
        """Refuse work that exceeds the queue or would not be ready in time.

        Raises:
            Overloaded: the queue is full.
            DeadlineUnmeetable: the deadline cannot be met.
        """
        if self.backlog and self.backlog + work > self._limits.queue:
            self._sweep()
            if self.backlog and self.backlog + work > self._limits.queue:
                raise Overloaded(self._retry_after())
        if work > self.affordable(work, caller):
            if not (self._computing or self._is_in_line):
                self._rate(work).grow()
            raise DeadlineUnmeetable(self._retry_after())

    def affordable(self, work: int, caller: Caller) -> float:
        """Estimate the work that is safely done by the caller's deadline, at the measured rate.

        Args:
            work: work of the request, rows × passes; whether it is large depends on it.
            caller: caller whose deadline counts.
        """
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
        return MARGIN * (caller.deadline - now) * rate / self._sharing / share - ahead

    @property
    def backlog(self) -> int:
        """Queued work, rows × passes."""
        return self._small.work + self._large.work

    @property
    def seconds(self) -> float:
        """Seconds that the running batch has taken so far; 0 if none runs."""
        return time.perf_counter() - self._since if self._computing else 0.0

    @property
    def portion(self) -> Portion:
        """The portion of large jobs in a batch: larger while no small jobs arrive."""
        return self._pace.part if self._is_quiet else self._pace.slice

    def _sweep(self) -> None:
        """Drop the jobs whose callers have disconnected or whose deadlines have passed."""
        self._small.sweep()
        self._large.sweep()

    def _is_large(self, work: int) -> bool:
        """Whether a job is split."""
        return work > self._pace.slice.work

    def _rate(self, work: int) -> Average:
        """Return the measured rate of such a job: only batches with large jobs show theirs."""
        return self._pace.large_rate if self._is_large(work) else self._pace.small_rate

    @property
    def _sharing(self) -> int:
        """Number of batchers that compute in turn now, this one included."""
        return 1 if self._turn is None else 1 + self._turn.others

    @property
    def _is_quiet(self) -> bool:
        """Whether no small jobs arrive that would wait for a slice."""
        return time.perf_counter() - self._small_came > QUIET_AFTER

    def _start_soon(self) -> None:
        """Start a batch after the jobs that are about to be queued in this turn of the loop."""
        if not (self._computing or self._is_due):
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self, *, is_after_another: bool = False) -> None:
        """Start a batch.

        Args:
            is_after_another: whether another batch is delivered once this has returned.
        """
        self._is_due = False
        if self._computing or self._is_in_line:
            return
        if self._turn is None or self.backlog <= self._near:
            self._start_now(is_after_another=is_after_another)
        elif self.backlog:
            self._is_in_line = True
            self._turn.take(self._start_in_turn)

    def _start_in_turn(self) -> None:
        """Start a batch as it is the batcher's turn."""
        self._start_now(is_after_another=True)
        if self._computing:
            self._is_in_line = False
        else:
            # Requests are served between batches that were computed on the event loop.
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """End the turn after a batch that was computed on the event loop."""
        self._end_turn()
        if self.backlog:
            self._start_soon()

    def _end_turn(self) -> None:
        """Let the next batcher compute, which is this one again if it is its turn."""
        if self._turn is not None:
            self._is_in_line = self.backlog > self._near
            self._turn.end(self._start_in_turn if self._is_in_line else None)

    def _start_now(self, *, is_after_another: bool) -> None:
        batch = self._take()
        if not batch.pieces:
            return
        self._since = time.perf_counter()
        jobs = [piece.job for piece in batch.pieces]
        found = self._found_here(jobs)
        if found is None:
            try:
                running = self._run(jobs)
            except Exception as error:  # noqa: BLE001 - every caller of the batch gets the error
                found = error
            else:
                self._computing = batch.large + batch.small
                running.add_done_callback(partial(self._finish, batch))
                return
        seconds = self._measured(batch)
        if is_after_another:
            # Both may have parts of one job, whose results are joined in the order of delivery.
            asyncio.get_running_loop().call_soon(self._deliver, batch, seconds, found)
        else:
            self._deliver(batch, seconds, found)
        if self.backlog:
            self._start_soon()

    def _found_here(self, jobs: Sequence[Job]) -> Sequence[Result] | BaseException | None:
        """Compute a batch on the event loop, or return None; an error is that of all its jobs."""
        try:
            return self._together(jobs)
        except Exception as error:  # noqa: BLE001 - every caller of the batch gets the error
            return error

    def _measured(self, batch: "_Batch[Job, Result]") -> float:
        """Return the seconds that a batch took, and adapt to them."""
        seconds = time.perf_counter() - self._since
        self._pace.saw(batch.large, batch.small, seconds, batch.portion)
        return seconds

    def _is_wanted(self, caller: Caller) -> bool:
        """Whether a caller still waits; the queue has the errors for one that does not."""
        return not caller.gone() and caller.deadline > asyncio.get_running_loop().time()

    def _saw_one(self, work: int, *, is_new: bool) -> None:
        """Adapt to a job that was computed at once."""
        now = time.perf_counter()
        if is_new and not self._is_large(work):
            self._small_came = now
        self._pace.saw(0, work, now - self._since, self._pace.part)
        self._seen(work, now - self._since)

    def _take(self) -> "_Batch[Job, Result]":
        """Take the next batch from the queues, without abandoned jobs."""
        portion = self.portion
        large = list(self._large.take(int(portion.work))) if self._large.work else []
        # Beside a slice, as many small jobs as possible: those left over wait for another slice.
        most = self._pace.batch.work / 2 if large else self._most_small()
        small = list(self._small.take(int(most)))
        self._answering = _work(small)
        return _Batch([*large, *small], _work(large), _work(small), portion)

    def _most_small(self) -> float:
        """Limit the work in small jobs of the next batch, unless it is soon done anyway.

        Clients that repeat as soon as they are answered would all be in one batch: nothing to
        compute while its answers are written, nothing to write while the next is computed. Half of
        the queued and of the latest small jobs keeps both the engine and the event loop busy.
        """
        soon = self._pace.small_rate.value * SOON_SECONDS or math.inf
        half = (self._small.work + self._answering) / 2
        return min(self._pace.batch.work, max(soon, half))

    def _finish(
        self, batch: "_Batch[Job, Result]", done: "asyncio.Future[Sequence[Result]]"
    ) -> None:
        """Go on after a batch that was computed elsewhere."""
        seconds = self._measured(batch)
        self._computing = 0
        self._end_turn()
        found = _error_of(done, len(batch.pieces)) or done.result()
        # The next batch starts first, so that the engine is busy while answers are sent.
        self._start(is_after_another=True)
        self._deliver(batch, seconds, found)

    def _deliver(
        self,
        batch: "_Batch[Job, Result]",
        seconds: float,
        computed: Sequence[Result] | BaseException,
    ) -> None:
        """Deliver the results of a batch to its jobs."""
        self._seen(batch.large + batch.small, seconds)
        found = self._results(batch, computed)
        now = asyncio.get_running_loop().time()
        for at, piece in enumerate(batch.pieces):
            if isinstance(found, BaseException):
                piece.owner.fail(found)
            elif piece.owner.caller.deadline < now:
                piece.owner.fail(DeadlinePassed())
            else:
                self._hand_over(piece, found[at])

    def _results(
        self, batch: "_Batch[Job, Result]", computed: Sequence[Result] | BaseException
    ) -> Sequence[Result] | BaseException:
        """Return what is delivered of a batch's results, or why it has none."""
        if isinstance(computed, BaseException):
            return computed
        try:
            return self._refined([piece.job for piece in batch.pieces], computed)
        except Exception as failed:  # noqa: BLE001 - every caller of the batch gets the error
            return failed

    def _hand_over(self, piece: Piece[Job, Result], result: Result) -> None:
        """Store the result of a piece, or complete the job with that of its last piece."""
        one = piece.owner
        if one.parts or not piece.is_last:
            one.parts.append(result)
        if piece.is_last and not one.answer.done():
            parts = one.parts
            one.answer.set_result(self._handling.joined(one.job, parts) if parts else result)

    def _retry_after(self) -> int:
        """Estimate the seconds until the queue is empty, at the measured rate."""
        work = self.backlog + self._computing
        rate = self._pace.small_rate.value or self._pace.large_rate.value
        seconds = work * self._sharing / rate if rate else 1.0
        return min(LONGEST_RETRY, max(1, math.ceil(seconds)))


@dataclass(frozen=True, slots=True)
class _Batch(Generic[Job, Result]):
    """The pieces that are computed together."""

    pieces: list[Piece[Job, Result]]
    large: int
    """Work of the large jobs, rows × passes, limited by `portion`."""
    small: int
    portion: Portion


def _work(pieces: list[Piece[Any, Any]]) -> int:
    return sum(piece.work for piece in pieces)


def _error_of(done: "asyncio.Future[Sequence[Any]]", jobs: int) -> BaseException | None:
    """Return why a batch has no results, or None."""
    if done.cancelled():
        return Abandoned()
    if done.exception() is not None:
        return done.exception()
    found = len(done.result())
    return None if found == jobs else RuntimeError(f"{found} results for {jobs} jobs")
