"""The writer: hands over what is to be remembered, and tells who waits when it is written.

What comes in one turn of the event loop goes together, and does not wait for what went before it:
who writes takes together what has gathered meanwhile.
"""

import asyncio
import logging
from functools import partial
from typing import NamedTuple

from app.errors import Unrecorded
from app.events import Draft, Entry, Made
from app.records.pages import Group, NotWritten, Pages

MOST_WAITING = 65_536
"""Events that may wait to be written; beyond them the answer is that nothing can be recorded."""

END_SECONDS = 30
"""For which an end waits for what is still to be written."""
PAUSE = 0.1
"""Seconds for which entries gather that nobody waits for."""

log = logging.getLogger("dubito.records")


class _Waiting(NamedTuple):
    entry: Entry | Draft
    events: int
    written: "asyncio.Future[bool] | None"
    """None where nobody waits for it."""


class Writer:
    """Takes entries, and drafts of them, on the event loop."""

    def __init__(self, pages: Pages) -> None:
        """Take where they go."""
        self._pages = pages
        self._waiting: list[_Waiting] = []
        self._under_way: set[asyncio.Future[list[bool]]] = set()
        self._due: asyncio.Handle | None = None
        self._is_pausing = False
        self._behind = 0
        self._failures = 0

    @property
    def behind(self) -> int:
        """Events that are not written yet."""
        return self._behind

    @property
    def failures(self) -> int:
        """Groups of entries that could not be written."""
        return self._failures

    @property
    def trouble(self) -> str | None:
        """Why nothing can be recorded now, in a sentence; None where entries are taken."""
        return "the recorder has ended" if self._pages.is_over else None

    def introduce(self, made: Made) -> None:
        """Say how entries are made of drafts; before there are any."""
        self._pages.introduce(made)

    def put(self, entry: Entry | Draft) -> "asyncio.Future[bool]":
        """Queue an entry; its future says whether it was added, once that is on the disk.

        Raises:
            Unrecorded: too much waits already, or nothing is written any more; the future raises it
                where the database fails.
        """
        loop = asyncio.get_running_loop()
        written: asyncio.Future[bool] = loop.create_future()
        self._queue(entry, written)
        if self._is_pausing:
            self._cancel()
        if self._due is None:
            self._due = loop.call_soon(self._send)
        return written

    def leave(self, entry: Entry | Draft) -> None:
        """Queue an entry that nobody waits for; the log says if it cannot be written.

        Raises:
            Unrecorded: too much waits already, or nothing is written any more.
        """
        self._queue(entry, None)
        if self._due is None:
            self._is_pausing = True
            self._due = asyncio.get_running_loop().call_later(PAUSE, self._send)

    async def close(self) -> None:
        """Return when all is written, or cannot be for long."""
        self._cancel()
        self._send()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=END_SECONDS)
        if self._behind:
            log.error("%d events could not be written before the end", self._behind)

    def _queue(self, entry: Entry | Draft, written: "asyncio.Future[bool] | None") -> None:
        events = entry.rows if isinstance(entry, Draft) else len(entry.events)
        if self._pages.is_over or self._behind + events > MOST_WAITING:
            raise Unrecorded
        self._waiting.append(_Waiting(entry, events, written))
        self._behind += events

    def _cancel(self) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due, self._is_pausing = None, False

    def _send(self) -> None:
        """Hand over what has gathered."""
        self._due, self._is_pausing = None, False
        group, self._waiting = self._waiting, []
        if group:
            done = self._submitted([one.entry for one in group])
            self._under_way.add(done)
            done.add_done_callback(partial(self._finish, group))

    def _submitted(self, group: Group) -> "asyncio.Future[list[bool]]":
        """Hand over a group; an error of that is as one of writing it."""
        try:
            return self._pages.submit(group)
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            failed: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
            failed.set_exception(NotWritten(type(error).__name__))
            return failed

    def _finish(self, group: list[_Waiting], done: "asyncio.Future[list[bool]]") -> None:
        """Tell who waits for a group."""
        self._under_way.discard(done)
        self._behind -= sum(one.events for one in group)
        error = done.exception()
        if error is not None:
            # Its text could hold what was to be written.
            log.error("records cannot be written: %s", _name(error))
            self._failures += 1
        for at, one in enumerate(group):
            if one.written is None or one.written.done():
                continue
            if error is None:
                one.written.set_result(done.result()[at])
            else:
                one.written.set_exception(Unrecorded())


def _name(error: BaseException) -> str:
    return error.cause if isinstance(error, NotWritten) else type(error).__name__
