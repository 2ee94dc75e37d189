"""The monitor: figures over windows of time, read from rollups and kept for a moment."""

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
from app.monitoring.report import AlarmReport, Report, ServiceStatistics, StepStatistics
from app.monitoring.statistics import (
    answer_statistics,
    expected_statistics,
    outcome_statistics,
    traffic_statistics,
)
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
"""For which figures are answered again without being read."""
USUAL = Window("1h", "1m")
MOST_RANGES = 3
"""Whose counts are kept, those asked for last: one may hold as much as a day by the minute."""


@dataclass(frozen=True, slots=True)
class Present:
    """How it stands with the service now, asked from memory."""

    queue: Callable[[], int]
    """Work that waits, rows × passes."""
    trouble: Callable[[], str | None]
    """Why no grade would be given, in a sentence."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is answered."""

    report: Report
    body: bytes
    tag: str
    """The same as long as the body is."""
    nameless: "Content | None" = None
    """The same for those whom no records are shown; None where nothing personal is in it."""

    @classmethod
    def of(cls, report: Report, nameless: "Content | None" = None) -> "Content":
        """From what is told."""
        body = json.encode(report)
        return cls(report, body, hashlib.sha256(body).hexdigest()[:32], nameless)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read anew of a window, and how it stood then."""

    now: int
    bundle: list[Rollup]
    traffic: list[Rollup]
    newest: int | None
    """Time of the newest event."""
    queue: int
    trouble: str | None
    alarms: tuple[AlarmReport, ...]


@dataclass(slots=True)
class _View:
    """A window somebody looks at."""

    steps: Steps
    traffic: Steps
    shown: dict[int, StepStatistics] = field(default_factory=dict)
    content: Content | None = None
    at: float = 0.0
    reading: "asyncio.Task[Content] | None" = None


class Monitor:
    """Tells the figures of the bundle that is served."""

    def __init__(
        self, reader: Reader, sentry: Sentry, watched: WatchedBundle, present: Present
    ) -> None:
        """Take where counts come from, who watches them, whose they are, and how it stands now."""
        self._reader = reader
        self._present = present
        self._sentry = sentry
        self._identity = watched.identity
        self._classes = watched.signature.classes
        calibration = watched.calibration
        self._policy = None if calibration is None else calibration.policy
        self._streams = watched.streams
        self._views: dict[Stretch, _View] = {}

    @property
    def latest(self) -> Report | None:
        """What was told last of the usual window."""
        view = self._views.get(USUAL)
        return None if view is None or view.content is None else view.content.report

    async def content(self, window: Stretch) -> Content:
        """The figures of a window or a range, not older than a second.

        Raises:
            RecordsUnavailable: the database does not answer, or as many ranges are read as may be.
        """
        view = self._view(window)
        if view.reading is None:
            if view.content is not None and time.monotonic() - view.at <= KEPT_SECONDS:
                return view.content
            view.reading = asyncio.create_task(self._read(window, view))
            view.reading.add_done_callback(_looked_at)
        # Who asked may go away: what was begun is done whole, and others wait for it.
        return await asyncio.shield(view.reading)

    def _view(self, window: Stretch) -> _View:
        """The view of a window; of ranges the one that was asked for last stands last."""
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
        """Let go of a range, unless all are being read."""
        ranges = [window for window in self._views if isinstance(window, Range)]
        if len(ranges) < MOST_RANGES:
            return
        idle = [window for window in ranges if self._views[window].reading is None]
        if not idle:
            raise RecordsUnavailable("too many ranges are read")
        del self._views[idle[0]]

    async def _read(self, window: Stretch, view: _View) -> Content:
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
            # Nobody else changes the view meanwhile; the event loop goes on.
            view.content = await asyncio.to_thread(self._told, window, view, reading)
            view.at = time.monotonic()
        finally:
            view.reading = None
        return view.content

    async def _rollups(self, digest: str, window: Stretch, since: int) -> list[Rollup]:
        """Counts from a time on; of a long range they are added up part by part."""
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

    def _told(self, window: Stretch, view: _View, reading: _Reading) -> Content:
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
            total=answer_statistics(whole, self._classes),
            steps=tuple(view.shown.values()),
            drift=drift_report(whole, self._streams),
            outcomes=outcome_statistics(whole, self._policy),
            estimate=expected_statistics(whole),
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
            return Content.of(report)
        return Content.of(report, Content.of(structs.replace(report, alarms=hidden)))

    def _step(self, at: int, counts: Counts, traffic: Counts) -> StepStatistics:
        """The statistics of one step."""
        return StepStatistics(
            **structs.asdict(answer_statistics(counts, self._classes)),
            start=_moment(at),
            service=traffic_statistics(traffic),
        )


def _looked_at(reading: "asyncio.Task[Content]") -> None:
    """Whoever still waits is told why it failed; nobody else needs to be."""
    if not reading.cancelled():
        reading.exception()


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
