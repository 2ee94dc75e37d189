"""The service: an open bundle, what answers for it and what remembers, put together."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict

from fastapi import APIRouter
from pydantic_core import to_json

from app.api.access import Access
from app.api.alarms import alarms
from app.api.cases import Cases
from app.api.exposition import exposition
from app.api.figures import uncertainty
from app.api.grading import grading
from app.api.information import describe, information
from app.api.predictions import predictions
from app.api.recording import ENVIRONMENT, Recorder
from app.api.reviews import reviews
from app.api.verdicts import Verdicts
from app.clock import Clock, told
from app.dashboard.page import page
from app.errors import DubitoError
from app.events import MICROSECONDS, Entry, Mark
from app.fault import fault_of
from app.memory import Memory
from app.monitoring.exchanges import WRITE_SECONDS, Exchanges
from app.monitoring.metrics import Metrics, Sources
from app.monitoring.monitor import USUAL, Monitor, Present
from app.monitoring.observation import Observer
from app.monitoring.scribe import Scribe
from app.monitoring.sentry import Sentry
from app.monitoring.subject import Subject
from app.opening import Opened, Opening
from app.serving.readiness import Readiness, Trouble
from app.settings import Settings
from app.shelf import Shelf, served

DAY = 86_400
LOOK_SECONDS = 10.0
"""Between two looks at what the alarms watch."""

log = logging.getLogger("dubito")


class Service:
    """One bundle that is served."""

    def __init__(
        self,
        settings: Settings,
        opening: Opening,
        opened: Opened,
        memory: Memory | None,
        metrics: Metrics,
    ) -> None:
        """Take an open bundle, how others are opened, and where answers are recorded, if at all."""
        self._settings = settings
        self._manifest = opened.manifest
        self._environment = opened.environment
        self._cards = opened.cards
        self._metrics = metrics
        self._served = served(opened, settings, metrics.batch)
        self._shelf = Shelf(self._served, opening, settings)
        self._observer = Observer(_subject(opened))
        present = Present(lambda: self._served.predictor.backlog, lambda: self._readiness.trouble)
        self._kept = (
            None if memory is None else Kept(settings, opened, memory, self._shelf, present)
        )
        self._readiness = Readiness(*self._troubles())

    def routers(self, is_ready: Callable[[], bool]) -> list[APIRouter]:
        """All routes; `is_ready` says whether listeners are still told."""
        own = [self._grading(), self._information(), exposition(self._metrics.page), page()]
        return own if self._kept is None else [*own, *self._kept.routers(self._observer, is_ready)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What goes on beside the answers, for the length of a block."""
        kept = self._kept
        sources = Sources(
            lambda: self._served.predictor.backlog,
            None if kept is None else kept.memory.writer,
            None if kept is None else lambda: kept.monitor.latest,
        )
        async with AsyncExitStack() as stack:
            stack.callback(self._served.predictor.close)
            stack.push_async_callback(self._shelf.close)
            await stack.enter_async_context(self._metrics.watching(sources))
            if kept is not None:
                self._metrics.traffic.record(kept.exchanges)
                await stack.enter_async_context(kept.running())
            yield

    def _troubles(self) -> Iterator[Trouble]:
        yield lambda: self._served.predictor.trouble
        if self._kept is not None:
            writer = self._kept.memory.writer
            yield lambda: writer.trouble

    def _grading(self) -> APIRouter:
        manifest = self._manifest
        memory = None if self._kept is None else self._kept.memory
        return grading(
            self._served.predictor,
            Recorder(memory),
            self._readiness,
            self._served.answers,
            self._metrics.meter(manifest.identity, manifest.signature.classes),
            manifest.signature,
            manifest.passes,
            manifest.calibration,
            self._settings,
        )

    def _information(self) -> APIRouter:
        manifest = self._manifest
        card = {
            "metrics": manifest.metrics,
            "metrics_on": "unknown" if manifest.trained.is_conversion else "held_out",
            "trained": asdict(manifest.trained),
        }
        about = describe(
            manifest.identity,
            manifest.signature,
            manifest.passes,
            manifest.calibration,
            card,
            self._environment,
            self._settings,
        )
        return information(about, self._cards, self._readiness)


class Kept:
    """What there is of a service only where answers are recorded."""

    def __init__(
        self,
        settings: Settings,
        opened: Opened,
        memory: Memory,
        shelf: Shelf,
        present: Present,
    ) -> None:
        """Take where answers are recorded, the bundles that compute them again, and the present."""
        self.memory = memory
        self._settings = settings
        self._signature = opened.manifest.signature
        self._environment = opened.environment
        memory.writer.introduce(Scribe(_subject(opened), opened.environment.fingerprint))
        self._clock = Clock()
        self._cases = Cases(memory.reader, shelf, settings)
        self._sentry = Sentry(memory.reader, memory.writer, _subject(opened))
        self.monitor = Monitor(memory.reader, self._sentry, _subject(opened), present)
        self.exchanges = Exchanges(memory.writer)

    def routers(self, observer: Observer, is_ready: Callable[[], bool]) -> list[APIRouter]:
        """The routes of what is recorded."""
        verdicts = Verdicts(self.memory, self._cases, observer, self._signature.classes)
        return [
            predictions(self._cases, verdicts, self._signature, self._settings),
            reviews(self.memory, verdicts, self._settings),
            uncertainty(self.monitor, Access(self._settings), is_ready),
            alarms(self._sentry, self._settings),
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look at the alarms, write counts, and forget what is due, for the length of a block."""
        self._note_environment()
        tasks = [
            asyncio.create_task(_again(self._look, LOOK_SECONDS)),
            asyncio.create_task(_again(self.exchanges.write, WRITE_SECONDS)),
        ]
        if self._settings.retention_days:
            tasks.append(asyncio.create_task(_again(self._forget, DAY)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.exchanges.leave()

    def _note_environment(self) -> None:
        """What a later replay in another numerical environment compares with."""
        facts = to_json(self._environment.facts)
        mark = Mark(ENVIRONMENT + self._environment.fingerprint, 1, facts)
        self.memory.writer.leave(Entry((), mark=mark))

    async def _look(self) -> None:
        if step := self._clock.step():
            log.warning("%s", told(step))
            # The recorder sees it with the next entry, which may be long in coming.
            self.memory.writer.leave(Entry(()))
        await self._sentry.look()
        await self.monitor.content(USUAL)

    async def _forget(self) -> None:
        await self.memory.forget(self._settings.retention_days * DAY * MICROSECONDS)


def _subject(opened: Opened) -> Subject:
    manifest = opened.manifest
    return Subject(manifest.identity, manifest.signature, manifest.calibration)


async def _again(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Do something again and again; what fails may succeed the next time."""
    while True:
        try:
            await work()
        except DubitoError as error:
            log.warning("%s", error)
        except Exception as error:  # noqa: BLE001 - alarms must not end in silence
            log.error("the alarms or the erasure failed: %s", fault_of(error))  # noqa: TRY400
        await asyncio.sleep(seconds)
