"""A small thread pool for reading the records, with a limit on every wait.

A database that hangs blocks its callers for an unknown time. Here it blocks only these threads, and
callers get an error within the limit.
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
"""Longest wait for a read, seconds, including the time in the queue."""
MOST_WAITING = 256
"""Most reads that may wait or run at a time."""

Found = TypeVar("Found")
_Work = tuple[Future[Any], Callable[[], Any]]


class Desk:
    """Reads in daemon threads, which do not keep the process from ending."""

    def __init__(self, seconds: float = READ_SECONDS) -> None:
        """Set the longest wait for a read, seconds."""
        self._seconds = seconds
        self._work = SimpleQueue[_Work | None]()
        self._threads: list[Thread] = []
        self._waiting = 0
        self._since: dict[int, float] = {}
        """Thread identifier to the start of its current read, seconds of the monotonic clock."""

    async def read(self, what: Callable[[], Found]) -> Found:
        """Call a function in a thread of the pool.

        Raises:
            RecordsUnavailable: the read takes too long, or too many reads are waiting.
        """
        if self._waiting >= MOST_WAITING:
            raise RecordsUnavailable("too many reads are waiting")
        if self._stands_still():
            raise RecordsUnavailable(f"no read has finished for {self._seconds:g} s")
        if self._waiting >= len(self._threads) < THREADS:
            self._threads.append(Thread(target=self._work_off, name="dubito-reads", daemon=True))
            self._threads[-1].start()
        self._waiting += 1
        future = Future[Found]()
        self._work.put((future, what))
        try:
            # A read whose caller has left before its turn is cancelled and never runs.
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise RecordsUnavailable(f"the read took more than {self._seconds:g} s") from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads, each after its current read."""
        for _ in self._threads:
            self._work.put(None)

    def _stands_still(self) -> bool:
        """Whether every thread has been reading for longer than the limit."""
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
            except BaseException as error:  # noqa: BLE001 - the future raises it in the caller
                future.set_exception(error)
            finally:
                del self._since[get_ident()]
