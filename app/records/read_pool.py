"""The reading desk: a few threads that read the records, and nothing else.

A database that stands still holds whoever asks it, for how long nobody knows. Here it holds these
threads and no others; whoever waits for them is told in time.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread, get_ident
from typing import Any, TypeVar

from app.errors import RecordsUnavailable

THREADS = 4
READ_SECONDS = 5.0
"""For which one waits for something to be read, its turn included."""
MOST_WAITING = 256
"""Who may wait at a time."""

Found = TypeVar("Found")
_Work = tuple[Future[Any], Callable[[], Any]]


class Desk:
    """Reads in threads that do not keep a process from ending."""

    def __init__(self, seconds: float = READ_SECONDS) -> None:
        """Take for how long one waits for something to be read."""
        self._seconds = seconds
        self._work = SimpleQueue[_Work | None]()
        self._threads: list[Thread] = []
        self._waiting = 0
        self._since: dict[int, float] = {}
        """Thread to when it began what it reads."""

    async def read(self, what: Callable[[], Found]) -> Found:
        """Call a function in a thread.

        Raises:
            RecordsUnavailable: that takes too long, or too many wait.
        """
        if self._waiting >= MOST_WAITING:
            raise RecordsUnavailable("too many wait")
        if self._stands_still():
            raise RecordsUnavailable(f"nothing was read for {self._seconds:g} s")
        if self._waiting >= len(self._threads) < THREADS:
            self._threads.append(Thread(target=self._work_off, name="dubito-reads", daemon=True))
            self._threads[-1].start()
        self._waiting += 1
        future = Future[Found]()
        self._work.put((future, what))
        try:
            # Whoever goes while the turn has not come is not read for.
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise RecordsUnavailable(f"it was not read within {self._seconds:g} s") from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads, each once it has done with what it reads."""
        for _ in self._threads:
            self._work.put(None)

    def _stands_still(self) -> bool:
        """Whether every thread has been reading for longer than anyone waits."""
        since = list(self._since.values())
        return len(since) == THREADS and time.monotonic() - max(since) > self._seconds

    def _work_off(self) -> None:
        while (work := self._work.get()) is not None:
            future, what = work
            if not future.set_running_or_notify_cancel():
                continue
            self._since[get_ident()] = time.monotonic()
            try:
                future.set_result(what())
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                future.set_exception(error)
            finally:
                del self._since[get_ident()]
