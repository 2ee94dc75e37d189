"""Rollups: counts by minute and by hour, written in the same transaction as the events they count.

Statistics are computed from rollups, never from events. Each process owns its rows, so that no
process waits for another; readers add the rows up. When the clock is set back, a process continues
under a new owner name: the rows of one owner then always have increasing start times, and a reader
that follows them (the alarms) misses none.
"""

import json
from collections.abc import Iterable, Mapping
from uuid import uuid4

from pydantic_core import to_json
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from app.clock import Clock
from app.count_keys import CountKey, Counts, summed
from app.record_events import (
    HOUR,
    MICROSECONDS,
    MINUTE,
    MINUTES_KEPT,
    Rollup,
    Tally,
    Unseen,
)
from app.records.bulk_insert import InsertStatement
from app.records.tables import rollups

SPANS = (MINUTE, HOUR)
"""Lengths of the counted time spans, seconds."""
LITTLE = 5
"""Largest step back of the clock, in seconds, that is ignored: counting continues in the latest
span until the clock has caught up."""

CORRECTING = "fix:"
"""Prefix of the owner names of corrections; the hexadecimal digits of the chain's identifier
follow."""

RollupSlot = tuple[str, int, int]
"""Digest of the bundle, length of the span and its start, both in seconds."""

OWN = (
    (rollups.c.digest == bindparam("of"))
    & (rollups.c.span == bindparam("long"))
    & (rollups.c.start == bindparam("since"))
    & (rollups.c.chain == bindparam("by"))
)
FIND = select(rollups.c.counts).where(OWN)
CHANGE = update(rollups).where(OWN).values(counts=bindparam("whole"))
ADD = insert(rollups).values(
    digest=bindparam("of"),
    span=bindparam("long"),
    start=bindparam("since"),
    chain=bindparam("by"),
    counts=bindparam("whole"),
)


class Rollups:
    """The rollup rows of one chain. Only one thread at a time may write."""

    def __init__(self, dialect: Dialect, chain: str) -> None:
        self._owner = self._chain = chain
        self._add = InsertStatement(dialect, ADD)
        self._change = InsertStatement(dialect, CHANGE)
        self._current: dict[RollupSlot, dict[CountKey, int]] = {}
        self._latest = 0
        self._clock = Clock()

    def add(self, connection: Connection, tallies: Iterable[Tally], time: int) -> None:
        """Add tallies to the counts of the present minute and hour."""
        by_digest: dict[str, list[Counts]] = {}
        for tally in tallies:
            if tally.at is None:
                by_digest.setdefault(tally.digest, []).append(tally.counts)
            else:
                self._correct(connection, tally, tally.at)
        seconds = self._latest = self._moved_on(time // MICROSECONDS)
        for place in [place for place in self._current if sum(place[1:]) <= seconds]:
            del self._current[place]
        for digest, counts in by_digest.items():
            more = summed(counts)
            for span in SPANS:
                self._count(connection, (digest, span, seconds // span * span), more)

    def _correct(self, connection: Connection, tally: Tally, at: int) -> None:
        """Add a correction to past counts, in rows that the alarms never read."""
        cursor = connection.connection.cursor()
        for span in SPANS:
            own = self._own((tally.digest, span, at // span * span))
            own["by"] = CORRECTING + self._chain.replace("-", "")
            counts = connection.execute(FIND, own).scalar()
            whole = summed((json.loads(counts or "{}"), tally.counts))
            (self._add if counts is None else self._change).run(cursor, **own, whole=to_json(whole))

    def _moved_on(self, seconds: int) -> int:
        """Return the time to count at, which never goes back for one owner of rows."""
        if seconds < self._latest - LITTLE:
            self._owner, self._latest = str(uuid4()), 0
            self._current.clear()
        return max(self._latest, seconds)

    def recall(self, connection: Connection) -> None:
        """Reload the current counts, after a transaction whose outcome is unknown."""
        for place in list(self._current):
            counts = connection.execute(FIND, self._own(place)).scalar()
            if counts is None:
                del self._current[place]
            else:
                self._current[place] = json.loads(counts)

    def _count(self, connection: Connection, place: RollupSlot, more: dict[CountKey, int]) -> None:
        counts = self._current.get(place)
        whole = self._current[place] = summed((counts or {}, more))
        cursor = connection.connection.cursor()
        statement = self._add if counts is None else self._change
        statement.run(cursor, **self._own(place), whole=to_json(whole))
        _, span, start = place
        if counts is None and span == HOUR:
            # The monotonic clock limits the deletion: a wall clock set far ahead must not delete
            # minutes that the alarms have not processed.
            since = min(start, int(self._clock.steady())) - MINUTES_KEPT
            old = (rollups.c.span == MINUTE) & (rollups.c.start < since)
            connection.execute(delete(rollups).where(old))

    def _own(self, place: RollupSlot) -> dict[str, str | int]:
        digest, span, start = place
        return {"of": digest, "long": span, "since": start, "by": self._owner}


def read_rollups(
    connection: Connection, digest: str, span: int, start: int, end: int | None = None
) -> list[Rollup]:
    """Return the counts of all processes, summed by span, for spans starting at `start` or later.

    Args:
        connection: connection to the records.
        digest: digest of the bundle.
        span: length of a span in seconds, one of `SPANS`.
        start: seconds since 1970.
        end: seconds since 1970; if given, spans starting then or later are left out.
    """
    mine = _of(digest, span) & (rollups.c.start >= start)
    if end is not None:
        mine &= rollups.c.start < end
    asked = select(rollups.c.start, rollups.c.counts).where(mine).order_by(rollups.c.start)
    found: dict[int, list[dict[CountKey, int]]] = {}
    for at, counts in connection.execute(asked):
        found.setdefault(at, []).append(json.loads(counts))
    return [Rollup(at, summed(parts)) for at, parts in found.items()]


def unseen(
    connection: Connection, digest: str, seen: Mapping[str, int], default: int, start: int
) -> Unseen:
    """Return the minutes of all owners that are not processed yet, starting at `start` or later.

    Args:
        connection: connection to the records.
        digest: digest of the bundle.
        seen: owner to the end of its last processed minute, seconds since 1970.
        default: end of the last processed minute for owners missing in `seen`.
        start: seconds since 1970.
    """
    begin, owner = rollups.c.start, rollups.c.chain
    mine = _of(digest, MINUTE) & (begin >= start) & ~owner.startswith(CORRECTING)
    owners = connection.execute(select(owner, func.max(begin)).where(mine).group_by(owner))
    last = {row[0]: row[1] for row in owners}
    since = {name: seen.get(name, default) for name in last}
    behind = [name for name, at in last.items() if at >= since[name]]
    if not behind:
        return Unseen(last, ())
    mine &= (begin >= min(since[name] for name in behind)) & owner.in_(behind)
    asked = select(owner, begin, rollups.c.counts).where(mine).order_by(begin, owner)
    rows = connection.execute(asked).all()
    parts = (Rollup(at, json.loads(counts), name) for name, at, counts in rows if at >= since[name])
    return Unseen(last, tuple(parts))


def _of(digest: str, span: int) -> ColumnElement[bool]:
    return (rollups.c.digest == digest) & (rollups.c.span == span)
