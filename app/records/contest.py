"""The contest: of replies to a key, claims to a prediction and steps of a mark, the first one wins.

Processes that write one database may name the same things at once. Each names its own in one order,
so that no two wait for each other.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, bindparam, insert, update
from sqlalchemy.exc import IntegrityError

from app.events import Entry, Mark
from app.records.tables import claims, marks, replies, row_of

MOVE = (
    update(marks)
    .where(marks.c.name == bindparam("own"), marks.c.position < bindparam("place"))
    .values(position=bindparam("place"), content=bindparam("held"))
)


def settled(connection: Connection, entries: Sequence[Entry]) -> list[bool]:
    """For each entry whether nothing stands against it; what would stand against others is added.

    Of two in one group that name the same, the earlier one wins.
    """
    free = [True] * len(entries)
    named = [at for at, entry in enumerate(entries) if entry.reply or entry.claim or entry.mark]
    for at in sorted(named, key=lambda at: _names(entries[at])):
        free[at] = _is_free(connection, entries[at])
    return free


def _names(entry: Entry) -> tuple[str, ...]:
    mark, claim, reply = entry.mark, entry.claim, entry.reply
    return (
        "" if mark is None else mark.name,
        "" if claim is None else f"{claim.prediction} {claim.kind}",
        "" if reply is None else reply.key,
    )


def _is_free(connection: Connection, entry: Entry) -> bool:
    return (
        (entry.mark is None or _is_ahead(connection, entry.mark))
        and (entry.claim is None or _is_first(connection, claims, entry.claim))
        and (entry.reply is None or _is_first(connection, replies, entry.reply))
    )


def _is_first(connection: Connection, table: Table, one: object) -> bool:
    """Whether nobody has added a row of its key yet; then it is added."""
    try:
        with connection.begin_nested():
            connection.execute(insert(table), row_of(table, one))
    except IntegrityError:
        return False
    return True


def _is_ahead(connection: Connection, mark: Mark) -> bool:
    """Whether a mark is further on than what is known of it; then it is set."""
    told = {"own": mark.name, "place": mark.position, "held": mark.content}
    return bool(connection.execute(MOVE, told).rowcount) or _is_first(connection, marks, mark)
