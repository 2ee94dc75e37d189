"""Deadlines: futures that fail when their time is over, whatever keeps them from completing."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import ReferenceType, ref

from app.errors import DeadlinePassed

LOOK_SECONDS = 0.05
"""Interval between checks, seconds; a late request fails at most this long after its deadline."""


class _Watched(NamedTuple):
    future: "ReferenceType[asyncio.Future[Any]]"
    """Weak reference: results kept until the next check would reach the later generations of the
    garbage collector, which makes a request a tenth slower."""
    deadline: float
    error: Callable[[], Exception]

    def waiting(self) -> "asyncio.Future[Any] | None":
        """Return the future if it is neither done nor discarded, else None."""
        future = self.future()
        return None if future is None or future.done() else future


class Deadlines:
    """Watches the deadlines of futures on the event loop.

    All are checked together at intervals: a timer for each would make a small request slower.
    """

    def __init__(self, passed: Callable[[], None] = lambda: None) -> None:
        """Keep a function that is called after a check that found a passed deadline."""
        self._passed = passed
        self._watched: list[_Watched] = []
        self._is_due = False

    def watch(
        self,
        future: "asyncio.Future[Any]",
        deadline: float,
        error: Callable[[], Exception] = DeadlinePassed,
    ) -> None:
        """Make a future fail unless it is done by its deadline.

        Args:
            future: the future; only a weak reference is kept.
            deadline: seconds of the event loop's clock; infinity for none.
            error: creates the error.
        """
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
