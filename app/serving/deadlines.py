"""Deadlines: futures that fail when their time is over, whatever keeps them from being done."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from app.errors import DeadlinePassed

LOOK_SECONDS = 0.05
"""Between two looks; a request is answered at most so long after its deadline."""


class _Watched(NamedTuple):
    future: "asyncio.Future[Any]"
    deadline: float
    error: Callable[[], Exception]


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
        self._watched.append(_Watched(future, deadline, error))
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._watched = [one for one in self._watched if not one.future.done()]
        late = [one for one in self._watched if one.deadline < loop.time()]
        for one in late:
            one.future.set_exception(one.error())
        self._is_due = bool(self._watched)
        if self._is_due:
            loop.call_later(LOOK_SECONDS, self._look)
        if late:
            self._passed()
