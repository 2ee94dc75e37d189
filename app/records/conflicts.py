"""First-write-wins checks between processes: idempotency keys, numbered events and note positions.

Processes that write to one database may claim the same names at once. Each transaction claims its
names in one global order, so that transactions cannot deadlock.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.record_events import MICROSECONDS, Entry, Event, Note, Reply
from app.records.tables import claims, marks, replies, row_of

REPLY_SECONDS = 86_400
"""Lifetime of an idempotency key, seconds: at this age, to the microsecond, the key is free
again."""

EXPIRED = (
    select(replies.c.key)
    .where(replies.c.time <= bindparam("latest"))
    .with_for_update(skip_locked=True)
)
DROP = delete(replies).where(replies.c.key == bindparam("old"))
MOVE = (
    update(marks)
    .where(marks.c.name == bindparam("own"), marks.c.position < bindparam("place"))
    .values(position=bindparam("place"), content=bindparam("held"))
)
FOLLOW = MOVE.where(marks.c.position == bindparam("before"))


def settled(connection: Connection, entries: Sequence[Entry], time: int) -> list[bool]:
    """Return for each entry whether it conflicts with nothing, and claim its names in that case.

    If two entries of one group claim the same name, the earlier entry wins.

    Args:
        connection: connection to the records, in a transaction.
        entries: entries in the order of their arrival.
        time: now, microseconds since 1970; replies expire by it.
    """
    free = [True] * len(entries)
    named = [
        at for at, entry in enumerate(entries) if entry.reply or entry.note or _numbered(entry)
    ]
    for at in sorted(named, key=lambda at: _names(entries[at])):
        free[at] = _is_free(connection, entries[at], time)
    return free


def is_kept(time: int) -> ColumnElement[bool]:
    """Condition that a reply still holds its idempotency key at a time, microseconds since 1970."""
    return replies.c.time > time - REPLY_SECONDS * MICROSECONDS


def drop_expired(connection: Connection, time: int) -> None:
    """Delete expired replies.

    Rows that another process has locked are skipped: waiting for them, while their holder waits for
    a key of this transaction, would deadlock. The deletion is therefore the last step of a
    transaction, and never waits for a lock.
    """
    expired = connection.scalars(EXPIRED, {"latest": time - REPLY_SECONDS * MICROSECONDS})
    # A single DELETE with the subquery would make SQLite scan all replies.
    if old := [{"old": key} for key in expired]:
        connection.execute(DROP, old)


def redate(connection: Connection, time: int, step: int | None) -> None:
    """Move replies dated in the future back in time, so that each still holds its key for a day.

    Args:
        connection: connection to the records, in a transaction.
        time: now, microseconds since 1970.
        step: microseconds by which the clock was set, negative; None if that is unknown.
    """
    ahead = select(replies.c.key).where(replies.c.time > time).with_for_update(skip_locked=True)
    dated = time if step is None else replies.c.time + step
    connection.execute(update(replies).where(replies.c.key.in_(ahead)).values(time=dated))


def _names(entry: Entry) -> tuple[str, ...]:
    note, numbered, reply = entry.note, _numbered(entry), entry.reply
    return (
        "" if note is None else note.name,
        "" if numbered is None else f"{numbered.prediction} {_claim(numbered)}",
        "" if reply is None else reply.key,
    )


def _numbered(entry: Entry) -> Event | None:
    """Return the event of an entry that has an ordinal, and so could contradict another event."""
    return next((event for event in entry.events if event.ordinal is not None), None)


def _claim(event: Event) -> str:
    """Return the name of a numbered event in the table of claims; its format never changes."""
    if event.ordinal == 0 and event.kind != "assignment":
        return event.kind
    return f"{event.kind}.{event.ordinal}"


def _is_free(connection: Connection, entry: Entry, time: int) -> bool:
    return (
        (entry.note is None or _is_ahead(connection, entry.note))
        and _is_first_of_number(connection, _numbered(entry))
        and (entry.reply is None or _is_unanswered(connection, entry.reply, time))
    )


def _is_unanswered(connection: Connection, reply: Reply, time: int) -> bool:
    """Whether a key is free or its reply has expired; if so, insert the new reply."""
    if _is_first(connection, replies, reply):
        return True
    expired = (replies.c.key == reply.key) & ~is_kept(time)
    gone = connection.execute(delete(replies).where(expired)).rowcount
    return bool(gone) and _is_first(connection, replies, reply)


def _is_first_of_number(connection: Connection, event: Event | None) -> bool:
    if event is None:
        return True
    claim = {"kind": _claim(event), "prediction": event.prediction}
    return _is_new(connection, claims, claim)


def _is_first(connection: Connection, table: Table, one: object) -> bool:
    """Whether the table had no row with this key; if so, insert the row."""
    return _is_new(connection, table, row_of(table, one))


def _is_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(insert(table), row)
    except IntegrityError:
        return False
    return True


def _is_ahead(connection: Connection, note: Note) -> bool:
    """Whether a note is ahead of the stored note and follows it; if so, store the new note."""
    told = {"own": note.name, "place": note.position, "held": note.content}
    if note.follows is None:
        moved = connection.execute(MOVE, told)
    else:
        moved = connection.execute(FOLLOW, {**told, "before": note.follows})
    return bool(moved.rowcount) or _is_first(connection, marks, note)
