"""Rollups: counts by minute and by hour, written with the events that they count.

Whoever shows figures reads these, and never the events. A process has rows of its own, so that none
waits for another; what is shown is their sum.
"""

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, and_, delete, insert, select, update

from app.events import MICROSECONDS, Rollup, Tally, summed
from app.records.tables import rollups

MINUTE, HOUR = 60, 3_600
SPANS = (MINUTE, HOUR)
"""Seconds of a stretch."""
MINUTES_KEPT = 8 * 86_400
"""Seconds after which minutes are forgotten; hours stay."""

Place = tuple[str, int, int]
"""Digest, span and start."""
Counts = dict[str, int]


class Rollups:
    """The rows of one chain. One thread at a time may write."""

    def __init__(self, chain: str) -> None:
        self._chain = chain
        self._current: dict[Place, Counts] = {}
        self._latest = 0

    def add(
        self, connection: Connection, tallies: Iterable[Tally], time: int
    ) -> dict[Place, Counts]:
        """Count what happened at a time; returns what to `keep` once it is committed."""
        by_digest: dict[str, list[Mapping[str, int]]] = {}
        for tally in tallies:
            by_digest.setdefault(tally.digest, []).append(tally.counts)
        # A clock that is set back would return to stretches that are done with.
        seconds = self._latest = max(self._latest, time // MICROSECONDS)
        current = {
            place: counts for place, counts in self._current.items() if sum(place[1:]) > seconds
        }
        for digest, counts in by_digest.items():
            for span in SPANS:
                place = (digest, span, seconds // span * span)
                before = current.get(place)
                current[place] = summed((before or {}, *counts))
                self._write(connection, place, current[place], is_new=before is None)
        return current

    def keep(self, current: dict[Place, Counts]) -> None:
        """Go on from what was committed."""
        self._current = current

    def _write(self, connection: Connection, place: Place, counts: Counts, *, is_new: bool) -> None:
        digest, span, start = place
        text = json.dumps(counts, separators=(",", ":")).encode()
        own = {"digest": digest, "span": span, "start": start, "chain": self._chain}
        if not is_new:
            mine = and_(*(rollups.c[name] == value for name, value in own.items()))
            connection.execute(update(rollups).where(mine).values(counts=text))
            return
        connection.execute(insert(rollups).values(counts=text, **own))
        if span == HOUR:
            old = (rollups.c.span == MINUTE) & (rollups.c.start < start - MINUTES_KEPT)
            connection.execute(delete(rollups).where(old))


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
