"""Queues entries on the event loop, hands them over in groups and resolves their futures.

Entries of one turn of the event loop form a group. Groups do not wait for earlier groups: the
recorder writes all groups that have arrived meanwhile in one transaction.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from app.errors import RecordingFailed
from app.record_events import Draft, Entry
from app.record_ports import Trouble
from app.records.cause import Cause, NotWritten
from app.records.pages import LOOK_SECONDS, EntryGroup, Pages
from app.watched_bundle import WatchedBundle

MOST_WAITING = 65_536
"""Most events that may wait to be written; beyond that, recording fails."""

END_SECONDS = 30
"""Longest wait at shutdown for entries still to be written, seconds."""
PAUSE = 0.1
"""Time during which entries that no caller awaits are collected, seconds."""
WELL_LOOKS = 4
"""Consecutive checks without trouble before the log says that writing works again."""

log = logging.getLogger("dubito.records")


class _Waiting(NamedTuple):
    entry: Entry | Draft
    events: int
    written: "asyncio.Future[bool] | None"
    """Future of the caller; None if no caller awaits the entry."""

    @property
    def is_awaited(self) -> bool:
        """Whether the database may refuse it, so that its caller needs the database's word.

        An answer without an idempotency key contradicts nothing.
        """
        is_free = isinstance(self.entry, Draft) and self.entry.reply is None
        return self.written is not None and not is_free


class RecordsWriter:
    """Accepts entries and drafts on the event loop."""

    def __init__(self, pages: Pages) -> None:
        """Set the group writer."""
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
        """Number of events not written yet."""
        return self._behind

    @property
    def failures(self) -> int:
        """Number of groups of entries that could not be written."""
        return self._failures

    @property
    def trouble(self) -> str | None:
        """The reason why nothing can be recorded, a sentence; None while entries are accepted."""
        if self._pages.is_over:
            return "the recorder has ended"
        return None if self._trouble is None else self._trouble.sentence

    def watch(self) -> None:
        """Check periodically from now on whether entries can be written, even without requests."""
        self._see(self._pages.look())
        self._next_look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self.watch)

    def introduce(self, served: Sequence[WatchedBundle]) -> None:
        """Announce the bundles whose drafts follow; must precede the first draft."""
        self._pages.introduce(served)

    def put(self, entry: Entry | Draft) -> "asyncio.Future[bool]":
        """Queue an entry; the future tells whether it was added, once the entry is on the disk.

        Raises:
            RecordingFailed: too many events wait already, or nothing can be written; raised by the
                future if the database fails.
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
        """Queue an entry that no caller awaits; the log reports it if it cannot be written.

        Raises:
            RecordingFailed: too many events wait already, or nothing can be written.
        """
        self._queue(entry, None)
        if self._due is None:
            self._is_pausing = True
            self._due = asyncio.get_running_loop().call_later(PAUSE, self._send)

    async def close(self) -> None:
        """Write all queued entries; give up after `END_SECONDS`."""
        self._cancel()
        if self._next_look is not None:
            self._next_look.cancel()
        self._send()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=END_SECONDS)
        if self._behind:
            log.error("%d events could not be written before the service ended", self._behind)

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
        """Hand over all queued entries; those that need the database's word are a group apart."""
        self._due, self._is_pausing = None, False
        waiting, self._waiting = self._waiting, []
        for is_awaited in (False, True):
            if group := [one for one in waiting if one.is_awaited == is_awaited]:
                done = self._submitted([one.entry for one in group], is_awaited)
                self._under_way.add(done)
                done.add_done_callback(partial(self._finish, group))

    def _submitted(self, group: EntryGroup, is_awaited: bool) -> "asyncio.Future[list[bool]]":
        """Hand over a group; an error in doing so counts like a failed write."""
        try:
            return self._pages.submit(group, is_awaited=is_awaited)
        except Exception as error:  # noqa: BLE001 - the callers get it through their futures
            failed: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
            failed.set_exception(NotWritten(_cause(error)))
            return failed

    def _finish(self, group: list[_Waiting], done: "asyncio.Future[list[bool]]") -> None:
        """Resolve the futures of a group."""
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
        """Record that a group could not be written."""
        self._failures += 1
        cause = _cause(error)
        self._diary.lose(sum(one.events for one in group if one.written is None))
        if cause.is_lasting:
            self._see(cause.trouble)
        else:
            # Only the cause is logged: the error's text may contain recorded values.
            log.error("records cannot be written: %s", cause)

    def _see(self, trouble: Trouble | None) -> None:
        """Store the current reason why nothing can be written, and log changes of it."""
        self._trouble = trouble
        self._diary.note(trouble)


class Diary:
    """Logs the beginning and end of a trouble, and how many events it has lost."""

    def __init__(self) -> None:
        self._is_told = False
        self._well = 0
        self._lost = 0

    def lose(self, events: int) -> None:
        """Count lost events whose answers were already sent."""
        self._lost += events

    def note(self, trouble: Trouble | None) -> None:
        """Log changes; trouble that recurs before `WELL_LOOKS` good checks is not logged again."""
        self._well = 0 if trouble is not None else self._well + 1
        if trouble is not None and not self._is_told:
            self._is_told = True
            log.error("%s (%s)", trouble.sentence, trouble.detail)
        if self._is_told and self._well >= WELL_LOOKS:
            self._is_told = False
            log.warning("records are written again")
        if self._lost:
            log.error("%d events of answers already sent are not recorded", self._lost)
            self._lost = 0


def _cause(error: BaseException) -> Cause:
    if isinstance(error, NotWritten):
        return error.cause
    # Imported late: explaining a database's error takes the library that talks to it.
    from app.records.failures import database_cause

    return database_cause(error)
