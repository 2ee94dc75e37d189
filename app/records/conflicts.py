"""Conflicts between processes: of replies to a key, events of one number and steps of a note, the
first one wins.

Processes that write one database may name the same things at once. Each names its own in one order,
so that no two wait for each other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.record_events import MICROSECONDS, Entry, Event, Note, Reply
from app.records.tables import claims, marks, replies, row_of

REPLY_SECONDS = 86_400
"""For which a reply holds its key: at this age, to the microsecond, the key is free again."""

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
    """For each entry whether nothing stands against it; what would stand against others is added.

    Of two in one group that name the same, the earlier one wins.

    Args:
        connection: to the records.
        entries: in their order.
        time: now, by which replies expire.
    """
    free = [True] * len(entries)
    named = [
        at for at, entry in enumerate(entries) if entry.reply or entry.note or _numbered(entry)
    ]
    for at in sorted(named, key=lambda at: _names(entries[at])):
        free[at] = _is_free(connection, entries[at], time)
    return free


def is_kept(time: int) -> ColumnElement[bool]:
    """Whether a reply holds its key at a time."""
    return replies.c.time > time - REPLY_SECONDS * MICROSECONDS


def drop_expired(connection: Connection, time: int) -> None:
    """Let go of expired replies.

    Those that another process has locked are left to it: whoever waited here while that one waits
    for a key of this transaction would never end. So this comes last, and waits for nobody.
    """
    expired = connection.scalars(EXPIRED, {"latest": time - REPLY_SECONDS * MICROSECONDS})
    # In one statement SQLite would look through all replies.
    if old := [{"old": key} for key in expired]:
        connection.execute(DROP, old)


def redate(connection: Connection, time: int, step: int | None) -> None:
    """Date back replies from the future, so that each still holds its key for a day.

    Args:
        connection: to the records.
        time: now.
        step: microseconds by which the clock was set, below 0; None where nobody knows.
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
    """The event of an entry that others of its number would contradict, if there is one."""
    return next((event for event in entry.events if event.ordinal is not None), None)


def _claim(event: Event) -> str:
    """What the table of claims calls an event of a number; this is stored and never changes."""
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
    """Whether a key is free, or what holds it has expired; then the reply is added."""
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
    """Whether nobody has added a row of its key yet; then it is added."""
    return _is_new(connection, table, row_of(table, one))


def _is_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(insert(table), row)
    except IntegrityError:
        return False
    return True


def _is_ahead(connection: Connection, note: Note) -> bool:
    """Whether a note is further on than what is known of it, and follows it; then it is set."""
    told = {"own": note.name, "place": note.position, "held": note.content}
    if note.follows is None:
        moved = connection.execute(MOVE, told)
    else:
        moved = connection.execute(FOLLOW, {**told, "before": note.follows})
    return bool(moved.rowcount) or _is_first(connection, marks, note)
