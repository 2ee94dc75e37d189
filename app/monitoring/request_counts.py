"""Counts a worker's HTTP requests in memory and writes the counts to the records periodically.

The counts are rollups, like those of a bundle, so that several workers add up and a restart loses
only counts not written yet. They are dated by when they are written: seconds late, or later if the
records are in trouble.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

from app.count_keys import CountKey, Counts, Family, key, summed
from app.errors import RecordingFailed
from app.monitoring.log_bins import EDGES, place
from app.record_events import MINUTE, Entry, Tally
from app.record_ports import Writer

DIGEST = "traffic"
"""Name stored in place of a bundle's digest."""
WRITE_SECONDS = 5.0
"""Seconds between two writes of counts."""
MODEL = "/v2/models/{name}"
VERSION = f"{MODEL}/versions/{{version}}"
INFER = "/inference.GRPCInferenceService/ModelInfer"
GRADING = frozenset({"/predict", "/predict/mc", f"{MODEL}/infer", f"{VERSION}/infer", INFER})
WATCHING = frozenset(
    {
        *("/health/live", "/health/ready", "/metrics", "/uncertainty", "/uncertainty/stream"),
        *("/v2/health/live", "/v2/health/ready", "/v2/models/stats"),
        *(f"{way}/{name}" for way in (MODEL, VERSION) for name in ("ready", "stats")),
    }
)
"""Routes that monitor the service. They are not counted: otherwise a service that is merely
monitored would write all the time, and its statistics would never be unchanged."""
OF_MODEL = re.compile(r"^/models/[^/]+(?=/)")
"""Beginning of the addresses of one of several models, which are otherwise those of the first."""
LATENCY = tuple(key(Family.LATENCY, at) for at in range(len(EDGES) + 1))
"""Keys of the bins of durations in minutes: from 0.6 ms to 10 min, the longest deadline."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The counts that a kind of request increments, and whether its duration is counted."""

    names: tuple[CountKey, ...]
    is_timed: bool


def exchange(route: str, status: int) -> Exchange:
    """Return the kind of a route and status; only predictions are timed, as refusals are fast."""
    route = OF_MODEL.sub("", route)
    if route in WATCHING:
        return Exchange((), is_timed=False)
    if route not in GRADING:
        return Exchange((key(Family.STATUS, status),), is_timed=False)
    return Exchange(
        (key(Family.STATUS, status), key(Family.GRADING, status)), is_timed=status < 400
    )


class Exchanges:
    """Counts requests on the event loop. Keys are few, so unwritten counts take little memory."""

    def __init__(self, writer: Writer) -> None:
        """Set the writer of the counts."""
        self._writer = writer
        self._counts: dict[CountKey, int] = {}

    def count(self, kind: Exchange, seconds: float) -> None:
        """Count a request and its duration until the response began, seconds."""
        counts = self._counts
        for name in kind.names:
            counts[name] = counts.get(name, 0) + 1
        if kind.is_timed:
            name = LATENCY[place(seconds / MINUTE)]
            counts[name] = counts.get(name, 0) + 1

    async def write(self) -> None:
        """Write the counts since the last write; if that fails they are written later."""
        if not self._counts or self._writer.trouble is not None:
            return
        counts, self._counts = self._counts, {}
        try:
            await self._writer.put(_entry(counts))
        except RecordingFailed:
            self._counts = summed((counts, self._counts))

    def leave(self) -> None:
        """Queue the remaining counts in the writer, which is closed afterwards."""
        if self._counts:
            with suppress(RecordingFailed):
                self._writer.leave(_entry(self._counts))
                self._counts = {}


def _entry(counts: Counts) -> Entry:
    return Entry((), tally=Tally(DIGEST, counts))
