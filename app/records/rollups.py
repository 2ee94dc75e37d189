"""Rollups: counts by minute and by hour, written with the events that they count.

Whoever shows figures reads these, and never the events. A process has rows of its own, so that none
waits for another; what is shown is their sum.
"""

import json
from collections.abc import Iterable, Mapping

from pydantic_core import to_json
from sqlalchemy import Connection, Dialect, bindparam, delete, insert, select, update

from app.events import HOUR, MICROSECONDS, MINUTE, Rollup, Tally, summed
from app.records.statement import Statement
from app.records.tables import rollups

SPANS = (MINUTE, HOUR)
"""Seconds of a stretch."""
MINUTES_KEPT = 8 * 86_400
"""Seconds after which minutes are forgotten; hours stay."""

Place = tuple[str, int, int]
"""Digest, span and start."""
Counts = dict[str, int]

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
    """The rows of one chain. One thread at a time may write."""

    def __init__(self, dialect: Dialect, chain: str) -> None:
        self._chain = chain
        self._add = Statement(dialect, ADD)
        self._change = Statement(dialect, CHANGE)
        self._current: dict[Place, Counts] = {}
        self._latest = 0

    def add(self, connection: Connection, tallies: Iterable[Tally], time: int) -> None:
        """Count what happened at a time."""
        by_digest: dict[str, list[Mapping[str, int]]] = {}
        for tally in tallies:
            by_digest.setdefault(tally.digest, []).append(tally.counts)
        # A clock that is set back would return to stretches that are done with.
        seconds = self._latest = max(self._latest, time // MICROSECONDS)
        for place in [place for place in self._current if sum(place[1:]) <= seconds]:
            del self._current[place]
        for digest, counts in by_digest.items():
            more = summed(counts)
            for span in SPANS:
                self._count(connection, (digest, span, seconds // span * span), more)

    def recall(self, connection: Connection) -> None:
        """Go on from what the database holds, where a group may or may not have been committed."""
        for place in list(self._current):
            counts = connection.execute(FIND, self._own(place)).scalar()
            if counts is None:
                del self._current[place]
            else:
                self._current[place] = json.loads(counts)

    def _count(self, connection: Connection, place: Place, more: Counts) -> None:
        counts = self._current.get(place)
        whole = self._current[place] = summed((counts or {}, more))
        cursor = connection.connection.cursor()
        statement = self._add if counts is None else self._change
        statement.run(cursor, **self._own(place), whole=to_json(whole))
        _, span, start = place
        if counts is None and span == HOUR:
            old = (rollups.c.span == MINUTE) & (rollups.c.start < start - MINUTES_KEPT)
            connection.execute(delete(rollups).where(old))

    def _own(self, place: Place) -> dict[str, str | int]:
        digest, span, start = place
        return {"of": digest, "long": span, "since": start, "by": self._chain}


def read(connection: Connection, digest: str, span: int, start: int, stop: int) -> list[Rollup]:
    """The counts of all processes, stretch by stretch, of those that begin from `start` to `stop`.

    Args:
        connection: to the records.
        digest: of the bundle.
        span: seconds of a stretch, one of `SPANS`.
        start: seconds since 1970.
        stop: likewise; a stretch that begins there is not read.
    """
    own = (rollups.c.digest == digest) & (rollups.c.span == span)
    within = (rollups.c.start >= start) & (rollups.c.start < stop)
    asked = select(rollups.c.start, rollups.c.counts).where(own & within).order_by(rollups.c.start)
    found: dict[int, list[Counts]] = {}
    for at, counts in connection.execute(asked):
        found.setdefault(at, []).append(json.loads(counts))
    return [Rollup(at, summed(parts)) for at, parts in found.items()]
