"""Assembles the service around its open bundles: routes, background tasks, and the record store."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.routing import BaseRoute

from app.bundle_loader import LoadedBundle, Opening, OpenModel
from app.clock import Clock, describe_step
from app.dashboard.page import dashboard_routes
from app.error_location import locate_error
from app.errors import Conflict, RecordsUnavailable
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
from app.monitoring.report import Report
from app.monitoring.request_counts import WRITE_SECONDS, Exchanges
from app.problem_codes import ProblemCode
from app.record_events import MICROSECONDS, Entry, Note
from app.record_ports import Memory
from app.serving.fair_queue import FairQueue
from app.serving.readiness import Readiness, TroubleProbe
from app.settings import Settings
from app.swaps import Swaps
from app.usecases.case import Cases
from app.usecases.feedback import Feedback
from app.usecases.idempotency import Recorder
from app.usecases.replay import ENVIRONMENT, Replays
from app.watched_bundle import WatchedBundle
from dubito.errors import DubitoError
from dubito.types import Environment, Identity

DAY = 86_400
HANDED_SECONDS = 1.0
"""Seconds after which the recorder has what was answered, though nobody waited for it."""
LOOK_SECONDS = 10.0
"""Interval between two evaluations of the alarms, seconds."""

log = logging.getLogger("dubito")


Publish = Callable[[Sequence[BaseRoute], Mapping[str, GradingRoute]], None]
"""Function that serves routes from now on; the second are those with a short way, by path."""


class Service:
    """The models of a service, and what they share."""

    def __init__(
        self,
        settings: Settings,
        opening: Opening,
        opened: Mapping[str, OpenModel | str],
        memory: Memory | None,
        metrics: Metrics,
        is_serving: Callable[[], bool],
    ) -> None:
        """Assemble the models and what they share.

        Args:
            settings: the settings.
            opening: opens other bundles.
            opened: each model's open bundle, or why it has none, by name in the settings' order.
            memory: the record store; None if nothing is recorded.
            metrics: where requests and answers are counted.
            is_serving: whether the service is not stopping.
        """
        self._settings = settings
        self._metrics = metrics
        self._is_serving = is_serving
        self.names = list(opened)
        """Names of all models, in the order of the settings."""
        self._queue, self._recorder = FairQueue(), Recorder(memory)
        self._publish: Publish = lambda *_: None
        bundles = {name: one for name, one in opened.items() if isinstance(one, OpenModel)}
        self.models = {name: self._assembled(one.bundle) for name, one in bundles.items()}
        """The served models, by name."""
        self._stacks = {name: one.stack for name, one in bundles.items()}
        self._unserved = {name: why for name, why in opened.items() if isinstance(why, str)}
        self._served = [model.served for model in self.models.values()]
        self._shelf = Shelf(self._served, opening, settings)
        self._kept = None if memory is None else RecordedParts(settings, self, memory, self._shelf)
        self._readiness = Readiness(*self._troubles(memory), is_serving=is_serving)
        self._inferences = {name: model.inference for name, model in self.models.items()}
        self._inference = ServedModels(self._inferences, metrics.statistics, self._unserved)
        self._swaps = Swaps(settings, opening, self._take_over)
        pinned = {one.model: one.version for one in settings.for_each_model()}
        self._repository = Repository(settings.models, self._inference, self._load, pinned)
        self._ending = set[asyncio.Task[None]]()
        """Tasks that close bundles that are not served any more."""

    @property
    def identities(self) -> list[Identity]:
        """The bundles that are served."""
        return [model.manifest.identity for model in self.models.values()]

    def publish(self, publish: Publish) -> None:
        """Publish all routes now, and anew whenever a bundle is replaced."""
        self._publish = publish
        publish(*self._routes(self.models))

    def _assembled(self, bundle: LoadedBundle) -> ModelService:
        """Assemble the parts that answer for a bundle."""
        several = len(self.names)
        return ModelService(
            bundle,
            self._settings,
            self._metrics,
            self._recorder,
            self._is_serving,
            several,
            self._queue.add() if several > 1 else None,
        )

    def _routes(
        self, models: Mapping[str, ModelService]
    ) -> tuple[list[BaseRoute], dict[str, GradingRoute]]:
        """Create all routes of models: those of the first are without a name, too."""
        settings = self._settings
        shared = [
            inference_routes(self._inference, self._repository, self._readiness, settings),
            health(self._readiness),
            model_list(self._listed),
            exposition(self._metrics.page),
            dashboard_routes(),
        ]
        if self._kept is not None:
            shared += self._kept.routers(models)
        found: list[BaseRoute] = []
        for name, model in models.items():
            routes = _all(model.routers())
            found += routes if name == self.names[0] else []
            found += ModelAddresses(name, routes).routes()
        unserved = UnservedRoute(self.models, self._unserved, self.names[0])
        inferences = [model.inference for model in models.values()]
        short: dict[str, GradingRoute] = dict(short_ways(inferences, settings))
        for route in found:
            if isinstance(route, LeanRoute) and route.path.endswith((PLAIN, MONTE_CARLO)):
                short[route.path] = route
        return [*found, *_all(shared), unserved], short

    async def _load(self, name: str) -> None:
        if self._settings.workers > 1:
            sentence = "a service of several workers replaces no bundle: start it anew"
            raise Conflict(ProblemCode.NOT_SERVABLE, sentence)
        model = self.models.get(name)
        await self._swaps.load(name, None if model is None else model.manifest.identity)

    async def _take_over(self, bundle: LoadedBundle, stack: AsyncExitStack) -> None:
        """Serve a bundle from now on; the one before it answers what it was asked.

        What takes long is done in a thread, so that requests are answered meanwhile.
        """
        model = await asyncio.to_thread(self._assembled, bundle)
        routes = await asyncio.to_thread(self._routes, {**self.models, model.name: model})
        before, closing = self.models.get(model.name), self._stacks.get(model.name)
        if self._kept is not None:
            self._kept.introduce(model)
        self.models[model.name], self._stacks[model.name] = model, stack
        self._inferences[model.name] = model.inference
        self._unserved.pop(model.name, None)
        self._served[:] = [one.served for one in self.models.values()]
        self._publish(*routes)
        if before is not None and closing is not None:
            before.end()
            task = asyncio.create_task(self._closed(before, closing))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the metrics and background tasks for the duration of the `async with` block."""
        kept = self._kept
        sources = Sources(
            {name: partial(self._backlog, name) for name in self.names},
            None if kept is None else kept.memory.writer,
            {} if kept is None else {name: partial(self._latest, name) for name in self.names},
        )
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            await stack.enter_async_context(self._metrics.watching(sources))
            if kept is not None:
                self._metrics.traffic.record(kept.exchanges)
                await stack.enter_async_context(kept.running())
            yield

    async def _close(self) -> None:
        """Close every bundle."""
        await self._shelf.close()
        for task in list(self._ending):
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        for model in self.models.values():
            model.served.predictor.close()
        for stack in self._stacks.values():
            await stack.aclose()

    async def _closed(self, model: ModelService, stack: AsyncExitStack) -> None:
        """Close a bundle after the last request that uses it."""
        try:
            await model.served.users.gone()
        finally:
            model.served.predictor.close()
            await stack.aclose()
        if self._kept is not None:
            with suppress(RecordsUnavailable):
                await self._kept.forget(model.watched)

    def _backlog(self, name: str) -> int:
        return self.models[name].served.predictor.backlog if name in self.models else 0

    def _latest(self, name: str) -> Report | None:
        return self.models[name].latest() if name in self.models else None

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
        yield lambda: next(filter(None, map(_trouble, self.models.values())), None)
        if memory is not None:
            writer = memory.writer
            yield lambda: writer.trouble

    def _listed(self) -> Iterator[ListedModel]:
        """Yield the models in the order of the settings."""
        for name in self.names:
            model = self.models.get(name)
            if model is None:
                yield ListedModel(name=name, version=None, digest=None, ready=False)
                continue
            identity, is_ready = model.manifest.identity, model.readiness.reason is None
            yield ListedModel(
                name=name, version=identity.version, digest=identity.digest, ready=is_ready
            )


def _all(routers: Sequence[APIRouter]) -> list[BaseRoute]:
    return [route for router in routers for route in router.routes]


def _trouble(model: ModelService) -> str | None:
    return model.served.predictor.trouble


class RecordedParts:
    """The parts of a service that exist only when answers are recorded."""

    def __init__(self, settings: Settings, service: Service, memory: Memory, shelf: Shelf) -> None:
        """Keep the models, the record store, and the cached bundles for replays."""
        self.memory = memory
        self._settings = settings
        self._names = service.names
        self._models = service.models
        self._introduced = {
            model.watched.identity.digest: model.watched for model in self._models.values()
        }
        memory.writer.introduce(list(self._introduced.values()))
        self._clock = Clock()
        self._cases = Cases(memory.reader)
        self._replays = Replays(memory.reader, shelf)
        self.exchanges = Exchanges(memory.writer)

    def introduce(self, model: ModelService) -> None:
        """Announce a bundle whose answers will be recorded, beside those that were before."""
        self._introduced[model.watched.identity.digest] = model.watched
        self.memory.writer.introduce(list(self._introduced.values()))
        self._note_environment(model.environment)

    async def forget(self, watched: WatchedBundle) -> None:
        """Leave a bundle out of the next introduction, if the tables have all that it answered."""
        await asyncio.sleep(HANDED_SECONDS)
        # A read waits until the tables have what was recorded before it.
        await self.memory.reader.newest()
        digest = watched.identity.digest
        # Another object is there if the same bundle was served again.
        if self._introduced.get(digest) is watched:
            del self._introduced[digest]

    def routers(self, models: Mapping[str, ModelService]) -> list[APIRouter]:
        """Create the routes that read or write records, for these models."""
        settings, reader, writer = self._settings, self.memory.reader, self.memory.writer
        counters = {name: model.counter for name, model in models.items()}
        signatures = {name: model.manifest.signature for name, model in models.items()}
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
        looks: list[Callable[[], Awaitable[None]]] = [self._look]
        looks += [partial(self._look_at, name) for name in self._names]
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

    async def _look_at(self, name: str) -> None:
        """Evaluate the alarms of the bundle that is served for a model, if there is one."""
        if name in self._models:
            await self._models[name].look()

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
