"""Computes the reports of `/uncertainty` from rollups, and caches them for a second."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec import json, structs

from app.count_keys import Counts, summed
from app.errors import RecordsUnavailable
from app.monitoring import request_counts
from app.monitoring.alarm_events import nameless
from app.monitoring.alarms import Sentry
from app.monitoring.drift_report import drift_report
from app.monitoring.report import AlarmReport, AnyStepStatistics, Report, ServiceStatistics
from app.monitoring.statistics import traffic_statistics
from app.monitoring.target_statistics import statistics_of
from app.monitoring.time_windows import (
    MOST_STRETCHES,
    STEPS,
    Range,
    Steps,
    Stretch,
    Window,
    by_step,
)
from app.record_events import Rollup, moment
from app.record_ports import Reader
from app.watched_bundle import WatchedBundle

KEPT_SECONDS = 1.0
"""Age in seconds up to which a report is returned from the cache."""
USUAL = Window("1h", "1m")
MOST_RANGES = 3
"""Most ranges whose counts are cached, the latest requested: one may hold a day by the minute."""


@dataclass(frozen=True, slots=True)
class Present:
    """Present state of the service, read from memory."""

    queue: Callable[[], int]
    """Queued work, rows × passes."""
    trouble: Callable[[], str | None]
    """Reason why no prediction would be made now, a sentence; None if there is none."""


@dataclass(frozen=True, slots=True)
class ReportJson:
    """A report as JSON."""

    report: Report
    body: bytes
    tag: str
    """Entity tag, which changes if and only if the body does."""
    nameless: "ReportJson | None" = None
    """Report for callers that may not see records; None if nothing in this report is personal."""

    @classmethod
    def of(cls, report: Report, nameless: "ReportJson | None" = None) -> "ReportJson":
        """Encode a report."""
        body = json.encode(report)
        return cls(report, body, hashlib.sha256(body).hexdigest()[:32], nameless)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Data read for a report, and the state of the service at that time."""

    now: int
    bundle: list[Rollup]
    traffic: list[Rollup]
    newest: int | None
    """Time of the newest event, microseconds since 1970."""
    queue: int
    trouble: str | None
    alarms: tuple[AlarmReport, ...]


@dataclass(slots=True)
class _View:
    """Cached counts and report of a window."""

    steps: Steps
    traffic: Steps
    shown: dict[int, AnyStepStatistics] = field(default_factory=dict)
    content: ReportJson | None = None
    at: float = 0.0
    reading: "asyncio.Task[ReportJson] | None" = None


class Monitor:
    """Reports the statistics of the served bundle."""

    def __init__(
        self, reader: Reader, sentry: Sentry, watched: WatchedBundle, present: Present
    ) -> None:
        """Set the source of counts, the alarms, the bundle and the present state of the service."""
        self._reader = reader
        self._present = present
        self._sentry = sentry
        self._identity = watched.identity
        self._statistics = statistics_of(watched)
        self._streams = watched.streams
        self._views: dict[Stretch, _View] = {}

    @property
    def latest(self) -> Report | None:
        """The latest report of the usual window; None before the first."""
        view = self._views.get(USUAL)
        return None if view is None or view.content is None else view.content.report

    async def content(self, window: Stretch) -> ReportJson:
        """Return the report of a window or a range, at most a second old.

        Raises:
            RecordsUnavailable: the database does not respond, or too many ranges are being read.
        """
        view = self._view(window)
        if view.reading is None:
            if view.content is not None and time.monotonic() - view.at <= KEPT_SECONDS:
                return view.content
            view.reading = asyncio.create_task(self._read(window, view))
            view.reading.add_done_callback(_looked_at)
        # A caller may disconnect; the read continues, as other callers may wait for it.
        return await asyncio.shield(view.reading)

    def _view(self, window: Stretch) -> _View:
        """Return the view of a window; views of ranges are ordered by their last request."""
        view = self._views.get(window)
        if view is None:
            if isinstance(window, Range):
                self._make_room()
            view = _View(Steps(window), Steps(window))
        elif isinstance(window, Range):
            del self._views[window]
        self._views[window] = view
        return view

    def _make_room(self) -> None:
        """Drop the range requested least recently that is not being read."""
        ranges = [window for window in self._views if isinstance(window, Range)]
        if len(ranges) < MOST_RANGES:
            return
        idle = [window for window in ranges if self._views[window].reading is None]
        if not idle:
            raise RecordsUnavailable("too many ranges are being read")
        del self._views[idle[0]]

    async def _read(self, window: Stretch, view: _View) -> ReportJson:
        now = int(time.time())
        since = view.steps.since(window.bounds(now)[0], now)
        try:
            reading = _Reading(
                now,
                await self._rollups(self._identity.digest, window, since),
                await self._rollups(request_counts.DIGEST, window, since),
                await self._reader.newest(),
                self._present.queue(),
                self._present.trouble(),
                await self._sentry.alarms(),
            )
            # The view is not changed concurrently, although the event loop continues.
            view.content = await asyncio.to_thread(self._told, window, view, reading)
            view.at = time.monotonic()
        finally:
            view.reading = None
        return view.content

    async def _rollups(self, digest: str, window: Stretch, since: int) -> list[Rollup]:
        """Read counts from `since` on; a long range is read and summed in parts."""
        if window.limit is None:
            return await self._reader.rollups(digest, window.span, since)
        found: list[Rollup] = []
        part = MOST_STRETCHES * window.span
        for start in range(since, window.limit, part):
            end = min(start + part, window.limit)
            rollups = await self._reader.rollups(digest, window.span, start, end)
            step = STEPS[window.step]
            found += await asyncio.to_thread(by_step, rollups, since, step, end)
        return found

    def _told(self, window: Stretch, view: _View, reading: _Reading) -> ReportJson:
        bounds = window.bounds(reading.now)
        view.steps.take(reading.bundle, bounds, reading.now)
        view.traffic.take(reading.traffic, bounds, reading.now)
        known, traffic = dict(view.steps), dict(view.traffic)
        fresh = view.steps.fresh | view.traffic.fresh
        view.shown = {
            at: view.shown[at]
            if at in view.shown and at not in fresh
            else self._step(at, counts, traffic[at])
            for at, counts in known.items()
        }
        whole = summed(known.values())
        report = Report(
            window=window.length,
            step=window.step,
            start=_moment(bounds[0]),
            end=_moment(bounds[1]),
            model=self._identity,
            total=self._statistics.answers(whole),
            steps=tuple(view.shown.values()),
            drift=drift_report(whole, self._streams),
            outcomes=self._statistics.outcomes(whole),
            estimate=self._statistics.expected(whole),
            alarms=reading.alarms,
            service=ServiceStatistics(
                **structs.asdict(traffic_statistics(summed(traffic.values()))),
                last_record=None if reading.newest is None else moment(reading.newest),
                queue=reading.queue,
                trouble=reading.trouble,
            ),
        )
        hidden = nameless(reading.alarms)
        if hidden == reading.alarms:
            return ReportJson.of(report)
        return ReportJson.of(report, ReportJson.of(structs.replace(report, alarms=hidden)))

    def _step(self, at: int, counts: Counts, traffic: Counts) -> AnyStepStatistics:
        """Compute the statistics of one step."""
        return self._statistics.step(counts, _moment(at), traffic_statistics(traffic))


def _looked_at(reading: "asyncio.Task[ReportJson]") -> None:
    """Retrieve the exception of a failed read, so that asyncio does not log it as unseen."""
    if not reading.cancelled():
        reading.exception()


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
