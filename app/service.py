"""Assembles the service around its open bundles: routes, background tasks, and the record store."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.routing import BaseRoute

from app.bundle_loader import LoadedBundle, Opening
from app.clock import Clock, describe_step
from app.dashboard.page import dashboard_routes
from app.error_location import locate_error
from app.http.exposition import exposition
from app.http.feedback import feedback_routes
from app.http.front import GradingRoute
from app.http.inference import inference_routes, short_ways
from app.http.information import ListedModel, health, model_list
from app.http.model_addresses import ModelAddresses, UnservedRoute
from app.http.predictions import predictions
from app.http.reviews import reviews
from app.http.route import LeanRoute
from app.inference.model import ServedModels
from app.inference.repository import Repository
from app.model_cache import Shelf
from app.model_service import ModelService
from app.monitoring.metrics import Metrics, Sources
from app.monitoring.prediction_metrics import MONTE_CARLO, PLAIN
from app.monitoring.request_counts import WRITE_SECONDS, Exchanges
from app.record_events import MICROSECONDS, Entry, Note
from app.record_ports import Memory
from app.serving.fair_queue import FairQueue
from app.serving.readiness import Readiness, TroubleProbe
from app.settings import Settings
from app.usecases.case import Cases
from app.usecases.feedback import Feedback
from app.usecases.idempotency import Recorder
from app.usecases.replay import ENVIRONMENT, Replays
from dubito.errors import DubitoError
from dubito.types import Environment, Identity

DAY = 86_400
LOOK_SECONDS = 10.0
"""Interval between two evaluations of the alarms, seconds."""

log = logging.getLogger("dubito")


class Service:
    """The models of a service, and what they share."""

    def __init__(
        self,
        settings: Settings,
        opening: Opening,
        opened: Mapping[str, LoadedBundle | str],
        memory: Memory | None,
        metrics: Metrics,
        is_serving: Callable[[], bool],
    ) -> None:
        """Assemble the models and what they share.

        Args:
            settings: the settings.
            opening: opens other bundles, for replays.
            opened: each model's open bundle, or why it has none, by name in the settings' order.
            memory: the record store; None if nothing is recorded.
            metrics: where requests and answers are counted.
            is_serving: whether the service is not stopping.
        """
        self._settings = settings
        self._metrics = metrics
        self._names = list(opened)
        bundles = [one for one in opened.values() if isinstance(one, LoadedBundle)]
        queue, recorder = FairQueue(), Recorder(memory)
        self.models = {
            one.manifest.identity.name: ModelService(
                one,
                settings,
                metrics,
                recorder,
                is_serving,
                len(bundles),
                queue.one() if bundles[1:] else None,
            )
            for one in bundles
        }
        unserved = {name: why for name, why in opened.items() if isinstance(why, str)}
        served = [model.served for model in self.models.values()]
        self._shelf = Shelf(served, opening, settings)
        self._kept = None if memory is None else RecordedParts(settings, self, memory, self._shelf)
        self._readiness = Readiness(*self._troubles(memory), is_serving=is_serving)
        inferences = [model.inference for model in self.models.values()]
        self._inference = ServedModels(inferences, metrics.statistics, unserved)
        self._repository = Repository(settings.models, self._inference)

    @property
    def identities(self) -> list[Identity]:
        """The bundles that are served."""
        return [model.manifest.identity for model in self.models.values()]

    def routes(self) -> list[BaseRoute]:
        """Create all routes: those of the first model are without a name, too."""
        settings = self._settings
        shared = [
            inference_routes(self._inference, self._repository, self._readiness, settings),
            health(self._readiness),
            model_list(self._listed),
            exposition(self._metrics.page),
            dashboard_routes(),
        ]
        if self._kept is not None:
            shared += self._kept.routers()
        found: list[BaseRoute] = []
        for name, model in self.models.items():
            routes = _routes(model.routers())
            found += routes if name == self._names[0] else []
            found += ModelAddresses(name, routes).routes()
        unserved = UnservedRoute(self.models, self._inference.unserved, self._names[0])
        return [*found, *_routes(shared), unserved]

    def short_ways(self, routes: Sequence[BaseRoute]) -> dict[str, GradingRoute]:
        """Return the routes of grading by address, for the short way in front of FastAPI.

        Args:
            routes: what `routes` has returned.
        """
        found: dict[str, GradingRoute] = dict(short_ways(self._inference, self._settings))
        for route in routes:
            if isinstance(route, LeanRoute) and route.path.endswith((PLAIN, MONTE_CARLO)):
                found[route.path] = route
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the metrics and background tasks for the duration of the `async with` block."""
        kept, models = self._kept, self.models
        sources = Sources(
            {name: _backlog(model) for name, model in models.items()},
            None if kept is None else kept.memory.writer,
            {} if kept is None else {name: model.latest for name, model in models.items()},
        )
        async with AsyncExitStack() as stack:
            for model in models.values():
                stack.callback(model.served.predictor.close)
            stack.push_async_callback(self._shelf.close)
            await stack.enter_async_context(self._metrics.watching(sources))
            if kept is not None:
                self._metrics.traffic.record(kept.exchanges)
                await stack.enter_async_context(kept.running())
            yield

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

    def _troubles(self, memory: Memory | None) -> Iterator[TroubleProbe]:
        for model in self.models.values():
            yield _trouble(model)
        if memory is not None:
            writer = memory.writer
            yield lambda: writer.trouble

    def _listed(self) -> Iterator[ListedModel]:
        """Yield the models in the order of the settings."""
        for name in self._names:
            model = self.models.get(name)
            if model is None:
                yield ListedModel(name=name, version=None, digest=None, ready=False)
                continue
            identity, is_ready = model.manifest.identity, model.readiness.reason is None
            yield ListedModel(
                name=name, version=identity.version, digest=identity.digest, ready=is_ready
            )


def _routes(routers: Sequence[APIRouter]) -> list[BaseRoute]:
    return [route for router in routers for route in router.routes]


def _backlog(model: ModelService) -> Callable[[], int]:
    return lambda: model.served.predictor.backlog


def _trouble(model: ModelService) -> TroubleProbe:
    return lambda: model.served.predictor.trouble


class RecordedParts:
    """The parts of a service that exist only when answers are recorded."""

    def __init__(self, settings: Settings, service: Service, memory: Memory, shelf: Shelf) -> None:
        """Keep the models, the record store, and the cached bundles for replays."""
        self.memory = memory
        self._settings = settings
        self._models = service.models
        memory.writer.introduce([model.watched for model in self._models.values()])
        self._clock = Clock()
        self._cases = Cases(memory.reader)
        self._replays = Replays(memory.reader, shelf)
        self.exchanges = Exchanges(memory.writer)

    def routers(self) -> list[APIRouter]:
        """Create the routes that read or write records."""
        settings, reader, writer = self._settings, self.memory.reader, self.memory.writer
        counters = {name: model.counter for name, model in self._models.items()}
        signatures = {name: model.manifest.signature for name, model in self._models.items()}
        targets = [signature.target for signature in signatures.values()]
        return [
            predictions(self._cases, self._replays, signatures, settings),
            feedback_routes(Feedback(writer, self._cases, counters), targets, settings),
            reviews(reader, targets, settings),
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the periodic tasks for the duration of the block: alarms, counts and retention."""
        for model in self._models.values():
            self._note_environment(model.environment)
        looks = [self._look, *(model.look for model in self._models.values())]
        tasks = [
            *(asyncio.create_task(_again(look, LOOK_SECONDS)) for look in looks),
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

    def _note_environment(self, environment: Environment) -> None:
        """Record the facts of this numerical environment, for replays to compare theirs with."""
        facts = to_json(environment.facts)
        note = Note(ENVIRONMENT + environment.fingerprint, 1, facts)
        self.memory.writer.leave(Entry((), note=note))

    async def _look(self) -> None:
        if step := self._clock.step():
            log.warning("%s", describe_step(step))
            # The recorder notices the step when an entry arrives; the next real entry may be hours
            # away.
            self.memory.writer.leave(Entry(()))

    async def _forget(self) -> None:
        await self.memory.forget(self._settings.retention_days * DAY * MICROSECONDS)


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
