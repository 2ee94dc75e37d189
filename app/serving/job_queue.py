"""One queue of jobs, in order of arrival; the batcher has one for small jobs, one for large."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.errors import Abandoned, DeadlinePassed, copy_of
from app.serving.caller import Caller

Job = TypeVar("Job")
Result = TypeVar("Result")

Cut = Callable[[Job, int], tuple[Job, Job | None]]
"""Function that splits a job: the first part, of about so much work or the least possible, and the
rest, if any."""


@dataclass(slots=True, eq=False)
class Waiting(Generic[Job, Result]):
    """A queued job, its remaining part, and its caller."""

    job: Job
    rest: Job | None
    """Part of the job not taken yet; None if all was taken."""
    work: int
    """Work left over, rows × passes."""
    caller: Caller
    answer: "asyncio.Future[Result]"
    parts: list[Result] = field(default_factory=list)
    """Results of the pieces computed so far, in order."""

    def fail(self, error: BaseException) -> None:
        """Fail the job, unless it is done."""
        if not self.answer.done():
            self.answer.set_exception(copy_of(error))

    def is_wanted(self) -> bool:
        """Whether the caller still waits; if not, the job fails."""
        if self.caller.gone():
            self.fail(Abandoned())
        elif self.caller.deadline < asyncio.get_running_loop().time():
            self.fail(DeadlinePassed())
        return not self.answer.done()


@dataclass(frozen=True, slots=True)
class Piece(Generic[Job, Result]):
    """A piece of a job that one batch computes."""

    owner: Waiting[Job, Result]
    job: Job
    work: int
    is_last: bool


class Lane(Generic[Job, Result]):
    """Queue of jobs, and their total work."""

    def __init__(self, work: Callable[[Job], int], cut: Cut[Job]) -> None:
        """Keep the functions that measure the work of a job and split it."""
        self._work_of = work
        self._cut = cut
        self._waiting: deque[Waiting[Job, Result]] = deque()
        self.work = 0
        """Work of all queued jobs, rows × passes."""

    def append(self, one: Waiting[Job, Result]) -> None:
        """Append a job to the queue."""
        self._waiting.append(one)
        self.work += one.work

    def take(self, most: int) -> Iterator[Piece[Job, Result]]:
        """Yield pieces of at most `most` work in all, or one larger one; skips abandoned jobs."""
        total = 0
        while self._waiting and (not total or total < most):
            one = self._waiting[0]
            if not one.is_wanted() or one.rest is None:
                self._waiting.popleft()
                self.work -= one.work
                continue
            job, rest = self._cut(one.rest, most - total)
            left = 0 if rest is None else self._work_of(rest)
            work = one.work - left
            if total and total + work > most:
                return
            total += work
            self.work -= work
            one.rest, one.work = rest, left
            if rest is None:
                self._waiting.popleft()
            yield Piece(one, job, work, rest is None)

    def sweep(self) -> None:
        """Drop the jobs whose callers have disconnected or whose deadlines have passed."""
        self._waiting = deque(one for one in self._waiting if one.is_wanted())
        self.work = sum(one.work for one in self._waiting)


def whole_job(job: Job, _most: int) -> tuple[Job, Job | None]:
    """Return the whole job: the split function of jobs that are never split."""
    return job, None
