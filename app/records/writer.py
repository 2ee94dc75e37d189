"""The writer: one thread that commits together what has gathered while it committed."""

import asyncio
import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from app.errors import Unrecorded
from app.events import Draft, Entry

MOST_EVENTS = 4_096
"""Of a transaction."""
MOST_WAITING = 65_536
"""Events that may wait to be written; beyond them the answer is that nothing can be recorded."""

log = logging.getLogger("dubito.records")


class Pages(Protocol):
    """What takes entries: all of a group, or none where it raises."""

    def write(self, entries: list[Entry]) -> list[bool]:
        """For each entry whether it was added."""


@dataclass(slots=True)
class _Waiting:
    entry: Entry | Draft
    events: int
    written: "asyncio.Future[bool]"


class Writer:
    """Takes entries on the event loop, writes them in a thread."""

    def __init__(self, pages: Pages, pause: float = 0.0) -> None:
        """Begin the thread.

        Args:
            pages: what takes entries.
            pause: seconds for which entries gather that nobody waits for.
        """
        self._pages = pages
        self._pause = pause
        self._waiting: deque[_Waiting] = deque()
        self._events = 0
        self._failures = 0
        self._changed = threading.Condition()
        self._is_idle = False
        self._is_urgent = False
        self._is_closing = False
        self._is_announced = False
        self._thread = threading.Thread(target=self._work, name="dubito-records", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> int:
        """Events that wait to be written."""
        return self._events

    @property
    def failures(self) -> int:
        """Groups of entries that could not be written."""
        return self._failures

    def put(self, entry: Entry | Draft) -> "asyncio.Future[bool]":
        """Queue an entry; its future says whether it was added, once that is on the disk.

        Raises:
            Unrecorded: too much waits already; the future raises it where the database fails.
        """
        events = entry.rows if isinstance(entry, Draft) else len(entry.events)
        if self._events + events > MOST_WAITING:
            raise Unrecorded
        loop = asyncio.get_running_loop()
        waiting = _Waiting(entry, events, loop.create_future())
        with self._changed:
            self._waiting.append(waiting)
            self._events += events
            self._is_urgent = self._is_urgent or _is_waited_for(entry)
        if not self._is_announced:
            # What others put in the same turn of the loop is to be of the same group.
            self._is_announced = True
            loop.call_soon(self._announce)
        return waiting.written

    def _announce(self) -> None:
        self._is_announced = False
        with self._changed:
            if self._is_idle or self._is_urgent:
                self._changed.notify()

    def close(self) -> None:
        """Write what waits, and end the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while group := self._next():
            outcome: list[bool] | Unrecorded
            try:
                outcome = self._pages.write([_made(one.entry) for one in group])
            except Exception as error:  # noqa: BLE001 - whoever waits is told, and the next are written
                # Its text could hold what was to be written.
                log.error("records cannot be written: %s", type(error).__name__)  # noqa: TRY400
                self._failures += 1
                outcome = Unrecorded()
            _tell(group, outcome)

    def _next(self) -> list[_Waiting]:
        """The next group, once there is one; none when all is written and nothing follows."""
        with self._changed:
            self._is_idle = True
            self._changed.wait_for(lambda: self._waiting or self._is_closing)
            self._is_idle = False
            if self._pause:
                self._changed.wait_for(lambda: self._is_urgent or self._is_closing, self._pause)
            self._is_urgent = False
            group, count = [], 0
            while self._waiting and count < MOST_EVENTS:
                group.append(self._waiting.popleft())
                count += group[-1].events
            self._events -= count
        return group


def _made(entry: Entry | Draft) -> Entry:
    return entry.make() if isinstance(entry, Draft) else entry


def _is_waited_for(entry: Entry | Draft) -> bool:
    """Whether somebody waits for an entry, also where answers do not."""
    if isinstance(entry, Draft):
        return entry.is_urgent
    return any((entry.reply, entry.claim, entry.mark, entry.forget is not None))


def _tell(group: list[_Waiting], outcome: "list[bool] | Unrecorded") -> None:
    """Settle futures on the loop they belong to, all at once."""

    def settle() -> None:
        for at, one in enumerate(group):
            if one.written.done():
                continue
            if isinstance(outcome, Unrecorded):
                one.written.set_exception(outcome)
            else:
                one.written.set_result(outcome[at])

    group[0].written.get_loop().call_soon_threadsafe(settle)
