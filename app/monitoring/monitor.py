"""The monitor: figures over windows of time, read from rollups and kept for a moment."""

import asyncio
import hashlib
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from app.events import summed
from app.memory import Reader
from app.monitoring.alarms import nameless
from app.monitoring.figures import estimate, figures, outcomes
from app.monitoring.sentry import Sentry
from app.monitoring.shift import shift
from app.monitoring.subject import Subject
from app.monitoring.window import Steps, Window

KEPT_SECONDS = 1.0
"""For which figures are answered again without being read."""
USUAL = Window("1h", "1m")


@dataclass(frozen=True, slots=True)
class Content:
    """What is answered."""

    values: dict[str, Any]
    body: bytes
    tag: str
    """The same as long as the body is."""
    nameless: "Content | None" = None
    """The same for those whom no records are shown; None where nothing personal is in it."""

    @classmethod
    def of(cls, values: dict[str, Any], nameless: "Content | None" = None) -> "Content":
        """From what is told."""
        body = to_json(values, inf_nan_mode="null")
        return cls(values, body, hashlib.sha256(body).hexdigest()[:32], nameless)


@dataclass(slots=True)
class _View:
    """A window somebody looks at."""

    steps: Steps
    shown: dict[int, dict[str, Any]] = field(default_factory=dict)
    content: Content | None = None
    at: float = 0.0
    reading: "asyncio.Task[Content] | None" = None


class Monitor:
    """Tells the figures of the bundle that is served."""

    def __init__(self, reader: Reader, sentry: Sentry, subject: Subject) -> None:
        """Take where counts come from, who watches them, and whose they are."""
        self._reader = reader
        self._sentry = sentry
        self._identity = subject.identity
        self._classes = subject.signature.classes
        calibration = subject.calibration
        self._policy = None if calibration is None else calibration.policy
        self._streams = subject.streams
        self._views: dict[Window, _View] = {}

    @property
    def latest(self) -> dict[str, Any] | None:
        """What was told last of the usual window."""
        view = self._views.get(USUAL)
        return None if view is None or view.content is None else view.content.values

    async def content(self, window: Window) -> Content:
        """The figures of a window, not older than a second.

        Raises:
            Unreadable: the database does not answer.
        """
        view = self._views.setdefault(window, _View(Steps(window)))
        if view.reading is None:
            if view.content is not None and time.monotonic() - view.at <= KEPT_SECONDS:
                return view.content
            view.reading = asyncio.create_task(self._read(window, view))
            view.reading.add_done_callback(_looked_at)
        # Who asked may go away: what was begun is done whole, and others wait for it.
        return await asyncio.shield(view.reading)

    async def _read(self, window: Window, view: _View) -> Content:
        now = int(time.time())
        start, end = window.bounds(now)
        digest, since = self._identity.digest, view.steps.since(start, now)
        try:
            rollups = await self._reader.rollups(digest, window.span, since)
            alarms = await self._sentry.alarms()
            view.steps.take(rollups, (start, end), now)
            # Nobody else changes the view meanwhile; the event loop goes on.
            view.content = await asyncio.to_thread(self._told, window, view, (start, end), alarms)
            view.at = time.monotonic()
        finally:
            view.reading = None
        return view.content

    def _told(
        self, window: Window, view: _View, bounds: tuple[int, int], alarms: list[dict[str, Any]]
    ) -> Content:
        known = dict(view.steps)
        view.shown = {
            at: view.shown[at]
            if at in view.shown and at not in view.steps.fresh
            else {"start": _moment(at), **figures(counts, self._classes)}
            for at, counts in known.items()
        }
        whole = summed(known.values())
        values = {
            "window": window.length,
            "step": window.step,
            "start": _moment(bounds[0]),
            "end": _moment(bounds[1]),
            "model": asdict(self._identity),
            "total": figures(whole, self._classes),
            "steps": list(view.shown.values()),
            "drift": shift(whole, self._streams),
            "outcomes": outcomes(whole, self._policy),
            "estimate": estimate(whole),
            "alarms": alarms,
        }
        hidden = nameless(alarms)
        return Content.of(
            values, None if hidden == alarms else Content.of({**values, "alarms": hidden})
        )


def _looked_at(reading: "asyncio.Task[Content]") -> None:
    """Whoever still waits is told why it failed; nobody else needs to be."""
    if not reading.cancelled():
        reading.exception()


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
