"""The writer: hands over what is to be remembered, and tells who waits when it is written.

What comes in one turn of the event loop goes together, and does not wait for what went before it:
who writes takes together what has gathered meanwhile.
"""

import asyncio
import logging
from functools import partial
from typing import NamedTuple

from app.errors import RecordingFailed
from app.record_events import Draft, Entry
from app.record_ports import Trouble
from app.records.failures import cause_of
from app.records.group_commit import LOOK_SECONDS, Group, NotWritten, Pages
from app.watched_bundle import WatchedBundle

MOST_WAITING = 65_536
"""Events that may wait to be written; beyond them the answer is that nothing can be recorded."""

END_SECONDS = 30
"""For which an end waits for what is still to be written."""
PAUSE = 0.1
"""Seconds for which entries gather that nobody waits for."""
WELL_LOOKS = 4
"""Looks, one after the other, that find no trouble before the log says that one is over."""

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
        self._diary = Diary()
        self._trouble: Trouble | None = None
        self._next_look: asyncio.Handle | None = None

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
        if self._pages.is_over:
            return "the recorder has ended"
        return None if self._trouble is None else self._trouble.sentence

    def watch(self) -> None:
        """Look from now on whether anything can be recorded, also where nothing is asked for."""
        self._see(self._pages.look())
        self._next_look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self.watch)

    def introduce(self, watched: WatchedBundle) -> None:
        """Say of which bundle drafts come; before there are any."""
        self._pages.introduce(watched)

    def put(self, entry: Entry | Draft) -> "asyncio.Future[bool]":
        """Queue an entry; its future says whether it was added, once that is on the disk.

        Raises:
            RecordingFailed: too much waits already, or nothing can be written; the future raises it
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
            RecordingFailed: too much waits already, or nothing can be written.
        """
        self._queue(entry, None)
        if self._due is None:
            self._is_pausing = True
            self._due = asyncio.get_running_loop().call_later(PAUSE, self._send)

    async def close(self) -> None:
        """Return when all is written, or cannot be for long."""
        self._cancel()
        if self._next_look is not None:
            self._next_look.cancel()
        self._send()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=END_SECONDS)
        if self._behind:
            log.error("%d events could not be written before the end", self._behind)

    def _queue(self, entry: Entry | Draft, written: "asyncio.Future[bool] | None") -> None:
        events = entry.rows if isinstance(entry, Draft) else len(entry.events)
        if self.trouble is not None or self._behind + events > MOST_WAITING:
            raise RecordingFailed
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
            failed.set_exception(NotWritten(cause_of(error)))
            return failed

    def _finish(self, group: list[_Waiting], done: "asyncio.Future[list[bool]]") -> None:
        """Tell who waits for a group."""
        self._under_way.discard(done)
        self._behind -= sum(one.events for one in group)
        error = done.exception()
        if error is not None:
            self._fail(group, error)
        for at, one in enumerate(group):
            if one.written is None or one.written.done():
                continue
            if error is None:
                one.written.set_result(done.result()[at])
            else:
                one.written.set_exception(RecordingFailed())

    def _fail(self, group: list[_Waiting], error: BaseException) -> None:
        """Note that a group is not written."""
        self._failures += 1
        cause = error.cause if isinstance(error, NotWritten) else cause_of(error)
        self._diary.lose(sum(one.events for one in group if one.written is None))
        if cause.is_lasting:
            self._see(cause.trouble)
        else:
            # Its text could hold what was to be written.
            log.error("records cannot be written: %s", cause)

    def _see(self, trouble: Trouble | None) -> None:
        """Take what is known of whether anything can be written."""
        self._trouble = trouble
        self._diary.note(trouble)


class Diary:
    """Says in the log when a trouble begins, when it is over, and what was lost by it."""

    def __init__(self) -> None:
        self._is_told = False
        self._well = 0
        self._lost = 0

    def lose(self, events: int) -> None:
        """Note events whose answers had left, and which are not recorded."""
        self._lost += events

    def note(self, trouble: Trouble | None) -> None:
        """Say what is new; a trouble that comes and goes is one."""
        self._well = 0 if trouble is not None else self._well + 1
        if trouble is not None and not self._is_told:
            self._is_told = True
            log.error("%s (%s)", trouble.sentence, trouble.detail)
        if self._is_told and self._well >= WELL_LOOKS:
            self._is_told = False
            log.warning("records are written again")
        if self._lost:
            log.error("%d events are not recorded whose answers had left", self._lost)
            self._lost = 0
