"""A lane: jobs that wait in order, and are taken whole or piece by piece."""

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
"""A job's first part, of about so much work or the least there is, and its rest, if any."""


@dataclass(slots=True, eq=False)
class Waiting(Generic[Job, Result]):
    """A job, what is left of it, and who waits for it."""

    job: Job
    rest: Job | None
    """What was not taken yet."""
    work: int
    """Of the rest."""
    caller: Caller
    answer: "asyncio.Future[Result]"
    parts: list[Result] = field(default_factory=list)
    """The results of pieces so far, in order."""

    def fail(self, error: BaseException) -> None:
        """End it, unless it has ended."""
        if not self.answer.done():
            self.answer.set_exception(copy_of(error))

    def is_wanted(self) -> bool:
        """Whether somebody waits still; if not, it is ended."""
        if self.caller.gone():
            self.fail(Abandoned())
        elif self.caller.deadline < asyncio.get_running_loop().time():
            self.fail(DeadlinePassed())
        return not self.answer.done()


@dataclass(frozen=True, slots=True)
class Piece(Generic[Job, Result]):
    """What is taken of a job at a time."""

    owner: Waiting[Job, Result]
    job: Job
    work: int
    is_last: bool


class Lane(Generic[Job, Result]):
    """Jobs in order, and their work."""

    def __init__(self, work: Callable[[Job], int], cut: Cut[Job]) -> None:
        """Take the jobs' measure and how one is cut."""
        self._work_of = work
        self._cut = cut
        self._waiting: deque[Waiting[Job, Result]] = deque()
        self.work = 0
        """Of all that waits."""

    def append(self, one: Waiting[Job, Result]) -> None:
        """Queue a job."""
        self._waiting.append(one)
        self.work += one.work

    def take(self, most: int) -> Iterator[Piece[Job, Result]]:
        """Yield pieces of so much work together, or one that is more; none nobody waits for."""
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
        """Let go of what nobody waits for."""
        self._waiting = deque(one for one in self._waiting if one.is_wanted())
        self.work = sum(one.work for one in self._waiting)


def whole(job: Job, _most: int) -> tuple[Job, Job | None]:
    """The cut of jobs that are never cut."""
    return job, None
