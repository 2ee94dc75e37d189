"""Exchanges: what a worker counts of its requests in memory, and writes to the records in turns.

The counts are rollups as those of a bundle are, so that several workers add up and a restart loses
only what was not written yet. They are dated by when they are written: seconds late, or as late as
the records are in trouble.
"""

from contextlib import suppress
from dataclasses import dataclass

from app.count_keys import CountKey, Counts, Family, key, summed
from app.errors import RecordingFailed
from app.monitoring.log_bins import EDGES, place
from app.record_events import MINUTE, Entry, Tally
from app.record_ports import Writer

DIGEST = "traffic"
"""What stands in the place of a bundle's digest."""
WRITE_SECONDS = 5.0
"""Between two writes of what was counted."""
GRADING = frozenset({"/predict", "/predict/mc"})
WATCHING = frozenset(
    {"/health/live", "/health/ready", "/metrics", "/uncertainty", "/uncertainty/stream"}
)
"""Routes by which the service is watched. They are not counted: a service that is only watched
would write all the time, and its figures would never stay the same."""
LATENCY = tuple(key(Family.LATENCY, at) for at in range(len(EDGES) + 1))
"""Bins of the scale in minutes: from 0.6 ms to 10 min, the longest deadline."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A kind of exchange, by what it is counted as."""

    names: tuple[CountKey, ...]
    is_timed: bool


def exchange(route: str, status: int) -> Exchange:
    """The kind of a route and a status; what was graded is timed, as refusals are fast."""
    if route in WATCHING:
        return Exchange((), is_timed=False)
    if route not in GRADING:
        return Exchange((key(Family.STATUS, status),), is_timed=False)
    return Exchange(
        (key(Family.STATUS, status), key(Family.GRADING, status)), is_timed=status < 400
    )


class Exchanges:
    """Counts on the event loop. As the names are few, counts may wait for as long as it takes."""

    def __init__(self, writer: Writer) -> None:
        """Take where the counts go."""
        self._writer = writer
        self._counts: dict[CountKey, int] = {}

    def count(self, kind: Exchange, seconds: float) -> None:
        """Count an exchange, and how long it took to its answer."""
        counts = self._counts
        for name in kind.names:
            counts[name] = counts.get(name, 0) + 1
        if kind.is_timed:
            name = LATENCY[place(seconds / MINUTE)]
            counts[name] = counts.get(name, 0) + 1

    async def write(self) -> None:
        """Write what was counted since the last time; what cannot be written is written later."""
        if not self._counts or self._writer.trouble is not None:
            return
        counts, self._counts = self._counts, {}
        try:
            await self._writer.put(_entry(counts))
        except RecordingFailed:
            self._counts = summed((counts, self._counts))

    def leave(self) -> None:
        """Leave the rest to the writer, which ends after this."""
        if self._counts:
            with suppress(RecordingFailed):
                self._writer.leave(_entry(self._counts))
                self._counts = {}


def _entry(counts: Counts) -> Entry:
    return Entry((), tally=Tally(DIGEST, counts))
