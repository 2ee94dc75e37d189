"""Batches of journaled groups, and their way into the tables: while a journal grows, or at a start.

What a caller was answered is in the journal, and is tried until the tables take it. What a caller
still waits for may be refused.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from msgspec import DecodeError
from sqlalchemy import Connection, select

from app.errors import RecordsError
from app.record_events import MICROSECONDS, MINUTE, Entry, Made, Note
from app.records.cause import Cause, NotWritten
from app.records.failures import database_cause
from app.records.group_commit import Build, entries_of, size
from app.records.group_message import (
    Failed,
    Group,
    GroupOutcome,
    Kind,
    Written,
    decode_group,
    decode_introduction,
    messages_in,
)
from app.records.journal import delete_journal
from app.records.journal_frame import Content, Frame, read_journal
from app.records.tables import marks

MARK = "journal"
"""Name of the note whose position is the last frame that the tables have."""
MOST_EVENTS = 2_048
"""Most events in a transaction, unless a single frame has more."""


class Writes(Protocol):
    """Writes entries in one transaction: all of them, or none if it raises."""

    def write(self, entries: Sequence[Entry], at: int) -> list[bool]:
        """Write entries that were journaled at a time, microseconds since 1970."""


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
    return _joined(map(_batch_of, frames))


def _batch_of(frame: Frame) -> TableBatch:
    groups = [decode_group(message) for message in messages_in(frame.content)]
    return TableBatch(groups, frame, sum(size(group.items) for group in groups))


def _joined(parts: Iterable[TableBatch]) -> Iterator[TableBatch]:
    batch: TableBatch | None = None
    for more in parts:
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
        built = entries_of(self.made, [one for group in batch.groups for one in group.items])
        # In the transaction of the entries, so that none is ever written twice.
        mark = Entry((), note=Note(MARK, batch.last.sequence, b""))
        try:
            added = iter(built.outcomes(self._book.write([*built.entries, mark], batch.last.time)))
        except Exception as error:  # noqa: BLE001 - any error leaves the batch unwritten
            raise NotWritten(database_cause(error)) from None
        told = [(group, [next(added) for _ in group.items]) for group in batch.groups]
        return [Written(one.number, found) for one, found in told if one.kind == Kind.AWAITED]


def refuse(batch: TableBatch, cause: Cause) -> list[GroupOutcome]:
    """Take the groups whose callers still wait out of a batch; return what they are told."""
    awaited = [group for group in batch.groups if group.kind == Kind.AWAITED]
    batch.groups = [group for group in batch.groups if group.kind != Kind.AWAITED]
    return [Failed(group.number, cause) for group in awaited]


def recover(book: Writes, file: Path, applied: int, keys: Sequence[bytes], build: Build) -> int:
    """Write what a journal holds and the tables lack, and delete it; return the number of events.

    Args:
        book: writes the tables.
        file: path of the journal, which need not exist.
        applied: sequence of the last frame that the tables have.
        keys: keys of the records, of which one has sealed the journal.
        build: builds, for the served bundles, the function that turns drafts into entries.

    Raises:
        RecordsError: the journal is damaged, or cannot be read or written.
        NotWritten: the tables do not take what it holds.
    """
    content = read_journal(file, keys)
    found, tables, count = unapplied(content, applied), Tables(book), 0
    if content.introduction is not None and found:
        tables.made = build(decode_introduction(content.introduction))
    for batch in _joined(found):
        try:
            tables.write(batch)
        except NotWritten as failure:
            if not refuse(batch, failure.cause):
                raise
            tables.write(batch)
        count += batch.events
    delete_journal(file)
    return count


def unapplied(content: Content, applied: int) -> list[TableBatch]:
    """Return what a journal holds and the tables lack, a batch for each frame.

    Raises:
        RecordsError: the journal is damaged, or another version of Dubito has written it.
    """
    try:
        return list(map(_batch_of, content.after(applied)))
    except (DecodeError, ValueError) as error:
        raise RecordsError(
            "the journal of the records was written by another version of Dubito: start and end "
            "that version once"
        ) from error


def applied_by(connection: Connection) -> int:
    """Return the sequence of the last frame that the tables have."""
    mark = select(marks.c.position).where(marks.c.name == MARK)
    return connection.scalar(mark) or 0


def _minute(frame: Frame) -> int:
    return frame.time // (MINUTE * MICROSECONDS)
