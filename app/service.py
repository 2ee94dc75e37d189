"""Assembles the service around an open bundle: routes, background tasks, and the record store."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict

from fastapi import APIRouter
from pydantic_core import to_json

from app.bundle_loader import LoadedBundle, Opening
from app.clock import Clock, describe_step
from app.dashboard.page import dashboard_routes
from app.error_location import locate_error
from app.http.access import Access
from app.http.alarms import alarms
from app.http.exposition import exposition
from app.http.feedback import feedback_routes
from app.http.inference import InferRoute, inference_routes, short_ways
from app.http.information import describe, information
from app.http.predict import grading
from app.http.predictions import predictions
from app.http.reviews import reviews
from app.http.statistics import uncertainty
from app.inference.inference import Inference
from app.inference.model import ServedModel, ServedModels
from app.inference.repository import Repository
from app.model_cache import Shelf, served
from app.monitoring.alarms import Sentry
from app.monitoring.answer_counter import AnswerCounter
from app.monitoring.counters import answer_counter
from app.monitoring.metrics import Metrics, Sources
from app.monitoring.monitor import USUAL, Monitor, Present
from app.monitoring.request_counts import WRITE_SECONDS, Exchanges
from app.record_events import MICROSECONDS, Entry, Note
from app.record_ports import Memory
from app.serving.readiness import Readiness, TroubleProbe
from app.settings import Settings
from app.usecases.case import Cases
from app.usecases.feedback import Feedback
from app.usecases.idempotency import Recorder
from app.usecases.predict import Predict
from app.usecases.replay import ENVIRONMENT, Replays
from app.watched_bundle import WatchedBundle
from dubito.errors import DubitoError

DAY = 86_400
LOOK_SECONDS = 10.0
"""Interval between two evaluations of the alarms, seconds."""

log = logging.getLogger("dubito")


class Service:
    """The parts of the service that answer for the served bundle."""

    def __init__(
        self,
        settings: Settings,
        opening: Opening,
        opened: LoadedBundle,
        memory: Memory | None,
        metrics: Metrics,
    ) -> None:
        """Keep the open bundle, the function that opens others, and the record store, if any."""
        self._settings = settings
        self._manifest = opened.manifest
        self._environment = opened.environment
        self._cards = opened.cards
        self._metrics = metrics
        self._inferences = metrics.inferences(opened.manifest.identity)
        self._served = served(opened, settings, self._count_batch)
        self._shelf = Shelf(self._served, opening, settings)
        self._counter = answer_counter(_watched(opened))
        present = Present(lambda: self._served.predictor.backlog, lambda: self._readiness.trouble)
        self._kept = (
            None
            if memory is None
            else RecordedParts(settings, opened, memory, self._shelf, present)
        )
        self._readiness = Readiness(*self._troubles())
        self._predict = self._predicts()
        self._recorder = Recorder(memory)
        self._inference = self._models()
        self._repository = Repository(settings.models, self._inference)

    def _count_batch(self, work: int, seconds: float) -> None:
        self._metrics.batch(work, seconds)
        self._inferences.batch()

    def routers(self, is_ready: Callable[[], bool]) -> list[APIRouter]:
        """Create all routes; event streams end as soon as `is_ready` returns False."""
        settings = self._settings
        self._readiness.is_serving = is_ready
        own = [
            grading(self._predict, self._recorder, self._readiness, self._manifest, settings),
            inference_routes(self._inference, self._repository, self._readiness, settings),
            self._information(),
            exposition(self._metrics.page),
            dashboard_routes(),
        ]
        return own if self._kept is None else [*own, *self._kept.routers(self._counter, is_ready)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the metrics and background tasks for the duration of the `async with` block."""
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

    def _troubles(self) -> Iterator[TroubleProbe]:
        yield lambda: self._served.predictor.trouble
        if self._kept is not None:
            writer = self._kept.memory.writer
            yield lambda: writer.trouble

    def _predicts(self) -> Predict:
        manifest = self._manifest
        return Predict(
            self._served.predictor,
            self._served.answers,
            self._metrics.predictions(manifest.identity, manifest.target),
            len(manifest.target.outputs),
            self._settings.max_work,
        )

    def _models(self) -> ServedModels:
        """Build what the Open Inference Protocol asks for, over the same use case."""
        manifest, settings = self._manifest, self._settings
        model = ServedModel(
            manifest,
            Inference(manifest, self._predict, settings),
            self._recorder,
            self._readiness,
            self._inferences,
            settings,
        )
        return ServedModels([model], self._metrics.statistics)

    @asynccontextmanager
    async def serving_grpc(self, version: str) -> AsyncIterator[None]:
        """Serve the Open Inference Protocol over gRPC within the block, if a port is set for it."""
        if self._settings.grpc_port is None:
            yield
            return
        # Imported here: its import takes a tenth of a second and starts threads.
        from app.grpc.calls import Calls
        from app.grpc.server import serving_grpc

        calls = Calls(
            self._inference,
            self._repository,
            self._readiness,
            self._metrics.traffic,
            self._metrics.refused,
            self._settings,
            version,
        )
        async with serving_grpc(calls, self._readiness, self._settings):
            yield

    def short_ways(self) -> dict[str, InferRoute]:
        """Return the routes of inferences by address, for the short way in front of FastAPI."""
        return dict(short_ways(self._inference, self._settings))

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
            manifest.members,
            manifest.passes,
            manifest.calibration,
            card,
            self._environment,
            self._settings,
        )
        return information(about, manifest.target, self._cards, self._readiness)


class RecordedParts:
    """The parts of a service that exist only when answers are recorded."""

    def __init__(
        self,
        settings: Settings,
        opened: LoadedBundle,
        memory: Memory,
        shelf: Shelf,
        present: Present,
    ) -> None:
        """Keep the record store, the cached bundles for replays, and the state of the queue."""
        self.memory = memory
        self._settings = settings
        self._signature = opened.manifest.signature
        self._environment = opened.environment
        memory.writer.introduce(_watched(opened))
        self._clock = Clock()
        self._cases = Cases(memory.reader)
        self._replays = Replays(memory.reader, shelf)
        self._sentry = Sentry(memory.reader, memory.writer, _watched(opened))
        self.monitor = Monitor(memory.reader, self._sentry, _watched(opened), present)
        self.exchanges = Exchanges(memory.writer)

    def routers(self, counter: AnswerCounter, is_ready: Callable[[], bool]) -> list[APIRouter]:
        """Create the routes that read or write records."""
        signature, settings = self._signature, self._settings
        feedback = Feedback(self.memory.writer, self._cases, counter)
        return [
            predictions(self._cases, self._replays, signature, settings),
            feedback_routes(feedback, signature.target, settings),
            reviews(self.memory.reader, signature.target, settings),
            uncertainty(self.monitor, signature.target, Access(self._settings), is_ready),
            alarms(self._sentry, self._settings),
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the periodic tasks for the duration of the block: alarms, counts and retention."""
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
        """Record the facts of this numerical environment, for replays to compare theirs with."""
        facts = to_json(self._environment.facts)
        note = Note(ENVIRONMENT + self._environment.fingerprint, 1, facts)
        self.memory.writer.leave(Entry((), note=note))

    async def _look(self) -> None:
        if step := self._clock.step():
            log.warning("%s", describe_step(step))
            # The recorder notices the step when an entry arrives; the next real entry may be hours
            # away.
            self.memory.writer.leave(Entry(()))
        await self._sentry.look()
        await self.monitor.content(USUAL)

    async def _forget(self) -> None:
        await self.memory.forget(self._settings.retention_days * DAY * MICROSECONDS)


def _watched(opened: LoadedBundle) -> WatchedBundle:
    manifest = opened.manifest
    return WatchedBundle(
        manifest.identity,
        manifest.signature,
        manifest.calibration,
        opened.environment.fingerprint,
    )


async def _again(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Repeat `work` every `seconds` seconds; a failure is logged and the next run may succeed."""
    while True:
        try:
            await work()
        except DubitoError as error:
            log.warning("%s", error)
        except Exception as error:  # noqa: BLE001 - alarms must not end in silence
            log.error("a periodic task failed (alarms, counts or erasure): %s", locate_error(error))  # noqa: TRY400
        await asyncio.sleep(seconds)
