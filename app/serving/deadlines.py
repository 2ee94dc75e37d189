"""Deadlines: futures that fail when their time is over, whatever keeps them from being done."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import ReferenceType, ref

from app.errors import DeadlinePassed

LOOK_SECONDS = 0.05
"""Between two looks; a request is answered at most so long after its deadline."""


class _Watched(NamedTuple):
    future: "ReferenceType[asyncio.Future[Any]]"
    """Weak: results that were kept until the next look would grow old enough for the collector's
    later generations, which costs a request a tenth more."""
    deadline: float
    error: Callable[[], Exception]

    def waiting(self) -> "asyncio.Future[Any] | None":
        """The future, if somebody still waits for it."""
        future = self.future()
        return None if future is None or future.done() else future


class Deadlines:
    """Watches futures on the event loop.

    All are looked at together now and then: a timer for each would cost a small request more.
    """

    def __init__(self, passed: Callable[[], None] = lambda: None) -> None:
        """Take what is called after a look that found a deadline passed."""
        self._passed = passed
        self._watched: list[_Watched] = []
        self._is_due = False

    def watch(
        self,
        future: "asyncio.Future[Any]",
        deadline: float,
        error: Callable[[], Exception] = DeadlinePassed,
    ) -> None:
        """Fail a future with an error unless it is done by a time of the event loop's clock."""
        if deadline == math.inf:
            return
        self._watched.append(_Watched(ref(future), deadline, error))
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._watched = [one for one in self._watched if one.waiting() is not None]
        late = [one for one in self._watched if one.deadline < loop.time()]
        for one in late:
            if (future := one.waiting()) is not None:
                future.set_exception(one.error())
        self._is_due = bool(self._watched)
        if self._is_due:
            loop.call_later(LOOK_SECONDS, self._look)
        if late:
            self._passed()
