"""Brings the tables up to date with the journal, in a thread or when the records are opened.

What a caller was answered is in the journal, and is tried until the tables take it. What a caller
still waits for may be refused.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from msgspec import DecodeError
from sqlalchemy import Connection, select

from app.errors import RecordsError
from app.record_events import MICROSECONDS, MINUTE, Entry, Made, Note
from app.record_ports import Trouble
from app.records.cause import Cause, NotWritten
from app.records.failures import database_cause
from app.records.group_commit import LOOK_SECONDS, Build, entry_of, size
from app.records.group_message import (
    Condition,
    Failed,
    Group,
    GroupOutcome,
    Kind,
    Settled,
    Written,
    decode_group,
    decode_introduction,
    messages_in,
)
from app.records.journal import Content, Frame, Journal, delete_journal, read_journal
from app.records.tables import marks

MARK = "journal"
"""Name of the note whose position is the last frame that the tables have."""
PAUSE = 0.05
"""Time during which groups that nobody waits for are collected, seconds."""
MOST_EVENTS = 2_048
"""Most events in a transaction, unless a single frame has more."""


class Writes(Protocol):
    """Writes entries in one transaction: all of them, or none if it raises."""

    def write(self, entries: Sequence[Entry], at: int) -> list[bool]:
        """Write entries that were journaled at a time, microseconds since 1970."""


class WatchedTables(Writes, Protocol):
    """Writes entries, and knows whether it can."""

    def look(self) -> Trouble | None:
        """Return the reason why nothing can be written now."""


@dataclass(slots=True)
class TableBatch:
    """Groups of consecutive frames of one minute, written in one transaction."""

    groups: list[Group]
    last: Frame
    events: int

    def fits(self, other: "TableBatch") -> bool:
        """Whether the next batch can be added to this one."""
        return (
            _minute(self.last) == _minute(other.last) and self.events + other.events <= MOST_EVENTS
        )

    def join(self, other: "TableBatch") -> None:
        """Add the next batch."""
        self.groups += other.groups
        self.last, self.events = other.last, self.events + other.events


def batches(frames: Sequence[Frame]) -> Iterator[TableBatch]:
    """Yield the batches of frames.

    Raises:
        msgspec.DecodeError: a frame was written by another version.
    """
    batch: TableBatch | None = None
    for frame in frames:
        groups = [decode_group(message) for message in messages_in(frame.content)]
        more = TableBatch(groups, frame, sum(size(group.items) for group in groups))
        if batch is None:
            batch = more
        elif batch.fits(more):
            batch.join(more)
        else:
            yield batch
            batch = more
    if batch is not None:
        yield batch


class Tables:
    """Writes batches to the tables."""

    def __init__(self, book: Writes) -> None:
        """Set the writer of the tables."""
        self._book = book
        self.made: Made | None = None
        """Builds entries of drafts; set before the first draft."""

    def write(self, batch: TableBatch) -> list[GroupOutcome]:
        """Write a batch and return what callers wait for.

        Raises:
            NotWritten: the database did not accept it.
        """
        entries = [entry_of(self.made, one) for group in batch.groups for one in group.items]
        # In the transaction of the entries, so that none is ever written twice.
        mark = Entry((), note=Note(MARK, batch.last.sequence, b""))
        try:
            added = iter(self._book.write([*entries, mark], batch.last.time))
        except Exception as error:  # noqa: BLE001 - any error leaves the batch unwritten
            raise NotWritten(database_cause(error)) from None
        told = [(group, [next(added) for _ in group.items]) for group in batch.groups]
        return [Written(one.number, found) for one, found in told if one.kind == Kind.AWAITED]


def refuse(batch: TableBatch, cause: Cause) -> list[GroupOutcome]:
    """Take the groups whose callers still wait out of a batch; return what they are told."""
    awaited = [group for group in batch.groups if group.kind == Kind.AWAITED]
    batch.groups = [group for group in batch.groups if group.kind != Kind.AWAITED]
    return [Failed(group.number, cause) for group in awaited]


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
            build: builds, for a bundle, the function that turns its drafts into entries.
            tell: called in the thread with what became of groups.
        """
        self._book = book
        self._journal = journal
        self._build = build
        self._told = tell
        self._tables = Tables(book)
        self._frames = deque[Frame]()
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
        """Build entries for another bundle from now on; the tables have all frames so far."""
        self._tables.made = self._build(decode_introduction(message))

    def take(self, frame: Frame, *, is_urgent: bool) -> None:
        """Take a frame; if it is urgent, callers wait for the database."""
        with self._news:
            self._frames.append(frame)
            if is_urgent or len(self._frames) == 1:
                self._is_urgent |= is_urgent
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
            self._settling, self._is_urgent = [], False
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


def recover(book: Writes, file: Path, applied: int, keys: Sequence[bytes], build: Build) -> int:
    """Write what a journal holds and the tables lack, and delete it; return the number of events.

    Args:
        book: writes the tables.
        file: path of the journal, which need not exist.
        applied: sequence of the last frame that the tables have.
        keys: keys of the records, of which one has sealed the journal.
        build: builds, for a bundle, the function that turns its drafts into entries.

    Raises:
        RecordsError: the journal is damaged, or cannot be read or written.
        NotWritten: the tables do not take what it holds.
    """
    content = read_journal(file, keys)
    found, tables = unapplied(content, applied), Tables(book)
    if content.introduction is not None and found:
        tables.made = build(decode_introduction(content.introduction))
    for batch in found:
        try:
            tables.write(batch)
        except NotWritten as failure:
            if not refuse(batch, failure.cause):
                raise
            tables.write(batch)
    delete_journal(file)
    return sum(batch.events for batch in found)


def unapplied(content: Content, applied: int) -> list[TableBatch]:
    """Return the batches of a journal that the tables lack.

    Raises:
        RecordsError: the journal is damaged, or another version of Dubito has written it.
    """
    try:
        return list(batches(content.after(applied)))
    except (DecodeError, ValueError) as error:
        raise RecordsError(
            "the journal of the records was written by another version of Dubito: start and end "
            "that version once"
        ) from error


def applied_by(connection: Connection) -> int:
    """Return the sequence of the last frame that the tables have."""
    mark = select(marks.c.position).where(marks.c.name == MARK)
    return connection.scalar(mark) or 0


def _is_erasing(group: Group) -> bool:
    return any(isinstance(one, Entry) and one.erasure is not None for one in group.items)


def _minute(frame: Frame) -> int:
    return frame.time // (MINUTE * MICROSECONDS)
