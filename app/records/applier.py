"""Brings the tables up to date with the journal while it grows, in a thread."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from app.record_events import Entry
from app.record_ports import Trouble
from app.records.cause import Cause, NotWritten
from app.records.failures import database_cause
from app.records.group_commit import Build
from app.records.group_message import (
    Condition,
    Failed,
    Group,
    GroupOutcome,
    Settled,
    decode_introduction,
)
from app.records.journal import Journal
from app.records.journal_frame import Frame
from app.records.pages import LOOK_SECONDS
from app.records.table_batch import TableBatch, Tables, Writes, batches, refuse

PAUSE = 0.2
"""Time during which groups that nobody waits for are collected, seconds."""
MOST_BYTES = 8 << 20
"""Bytes of frames after which they are written at once: the ring is to keep room for others."""


class WatchedTables(Writes, Protocol):
    """Writes entries, and knows whether it can."""

    def look(self) -> Trouble | None:
        """Return the reason why nothing can be written now."""


class Applier:
    """A thread that writes what the journal's thread hands over."""

    def __init__(
        self,
        book: WatchedTables,
        journal: Journal,
        build: Build,
        tell: Callable[[list[GroupOutcome]], None],
    ) -> None:
        """Start the thread.

        Args:
            book: writes the tables.
            journal: gives up frames that the tables have.
            build: builds, for the served bundles, the function that turns drafts into entries.
            tell: called in the thread with what became of groups.
        """
        self._book = book
        self._journal = journal
        self._build = build
        self._told = tell
        self._tables = Tables(book)
        self._frames = deque[Frame]()
        self._bytes = 0
        """Bytes of the content of these frames."""
        self._pending = deque[TableBatch]()
        """Batches that were taken from the frames, and are not in the tables."""
        self._settling: list[int] = []
        self._is_urgent = self._is_closing = False
        self._news = threading.Condition()
        self._cause: Cause | None = None
        self._next_look = 0.0
        self._thread = threading.Thread(target=self._run, name="dubito-tables")
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended, by an error: nothing reaches the tables any more."""
        return not self._thread.is_alive()

    def introduce(self, message: bytes) -> None:
        """Build entries for other bundles from now on; the tables have all frames so far."""
        self._tables.made = self._build(decode_introduction(message))

    def take(self, frame: Frame, *, is_urgent: bool) -> None:
        """Take a frame; if it is urgent, callers wait for the database."""
        with self._news:
            self._frames.append(frame)
            self._bytes += len(frame.content)
            self._is_urgent |= is_urgent or self._bytes > MOST_BYTES
            if self._is_urgent or len(self._frames) == 1:
                self._news.notify()

    def settle(self, number: int) -> None:
        """Say when the tables have all frames so far."""
        with self._news:
            self._settling.append(number)
            self._news.notify()

    def close(self) -> None:
        """Write what can be written, and end the thread."""
        with self._news:
            self._is_closing = True
            self._news.notify()
        self._thread.join()

    def _run(self) -> None:
        is_closing = False
        while not is_closing:
            frames, settling, is_closing = self._gathered()
            self._pending.extend(batches(frames))
            self._write()
            self._tell([self._settled(number) for number in settling])
            if time.monotonic() >= self._next_look:
                self._look()

    def _gathered(self) -> tuple[list[Frame], list[int], bool]:
        """Wait for frames, for someone who waits for the tables, or for the time of a look."""
        with self._news:
            if not (self._frames or self._is_hasty()):
                self._news.wait(max(0.0, self._next_look - time.monotonic()))
            if self._frames:
                self._news.wait_for(self._is_hasty, PAUSE)
            frames, settling = list(self._frames), self._settling
            self._frames.clear()
            self._settling, self._is_urgent, self._bytes = [], False, 0
            return frames, settling, self._is_closing

    def _is_hasty(self) -> bool:
        return self._is_urgent or self._is_closing or bool(self._settling)

    def _write(self) -> None:
        """Write the pending batches; what cannot be written now stays pending."""
        while self._pending:
            batch = self._pending[0]
            try:
                outcomes = self._tables.write(batch)
            except NotWritten as failure:
                self._cause = failure.cause
                if refused := refuse(batch, failure.cause):
                    self._tell(refused)
                    continue
                # Callers do not wait for batches that come after one that cannot be written.
                for other in self._pending:
                    self._tell(refuse(other, failure.cause))
                return
            self._cause = None
            self._pending.popleft()
            self._journal.release(batch.last.sequence)
            if any(_is_erasing(group) for group in batch.groups):
                self._scrub()
            self._tell(outcomes)

    def _tell(self, outcomes: list[GroupOutcome]) -> None:
        if outcomes:
            self._told(outcomes)

    def _settled(self, number: int) -> GroupOutcome:
        if self._pending and self._cause is not None:
            return Failed(number, self._cause)
        return Settled(number)

    def _look(self) -> None:
        self._next_look = time.monotonic() + LOOK_SECONDS
        trouble = self._book.look()
        if trouble is None and self._pending and self._cause is not None:
            trouble = self._cause.trouble
        self._tell([Condition(trouble)])
        if self._journal.is_idle():
            self._scrub()

    def _scrub(self) -> None:
        try:
            self._journal.scrub()
        except OSError as error:
            self._tell([Condition(database_cause(error).trouble)])


def _is_erasing(group: Group) -> bool:
    return any(isinstance(one, Entry) and one.erasure is not None for one in group.items)
