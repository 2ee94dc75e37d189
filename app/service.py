"""Assembles the service around its open bundles: routes, background tasks, and the record store."""

import asyncio
import logging
import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from itertools import chain

from fastapi import APIRouter
from starlette.routing import BaseRoute

from app.bundle_loader import LoadedBundle, OpenCandidate, Opening, OpenModel
from app.candidates import Candidates, fitting_candidates
from app.dashboard.page import dashboard_routes
from app.error_location import locate_error
from app.errors import Conflict, RecordsUnavailable
from app.http.exposition import exposition
from app.http.front import GradingRoute
from app.http.inference import inference_routes, short_ways
from app.http.information import ListedModel, ModelList, health, model_list
from app.http.model_addresses import ModelAddresses, UnservedRoute
from app.http.route import LeanRoute
from app.inference.model import ServedModels
from app.inference.repository import Repository
from app.model_cache import Shelf
from app.model_service import ModelService
from app.monitoring.metrics import Metrics, Sources
from app.monitoring.prediction_metrics import MONTE_CARLO, PLAIN
from app.monitoring.report import Report
from app.periodic_task import repeat
from app.published_routes import Publish, PublishedRoutes
from app.record_ports import Memory
from app.recorded_parts import RecordedParts
from app.serving.fair_queue import FairQueue
from app.serving.readiness import Readiness, TroubleProbe
from app.serving.shadow import Follower
from app.settings import Settings
from app.swaps import Candidate, Joining, Swaps, release_free_memory
from app.usecases.idempotency import Recorder
from app.watched_folder import WATCH_SECONDS, WatchedFolder
from dubito.bundles.manifest import Manifest
from dubito.types import Identity

REST_SECONDS = 0.01
"""Pause between parts of the work that makes what answers for a bundle while others are served."""
ROUTES_IN_TURN = 4
"""Routes that are made between two pauses."""

log = logging.getLogger("dubito")


class Service:
    """The models of a service, and what they share."""

    def __init__(
        self,
        settings: Settings,
        opening: Opening,
        lending: Opening,
        joining: Joining,
        opened: Mapping[str, OpenModel | str],
        candidates: Sequence[OpenCandidate],
        secret: bytes,
        memory: Memory | None,
        metrics: Metrics,
        is_serving: Callable[[], bool],
    ) -> None:
        """Assemble the models and what they share.

        Args:
            settings: the settings.
            opening: opens bundles that will be served.
            lending: opens bundles for replays.
            joining: returns what changes the models that are served.
            opened: each model's open bundle, or why it has none, by name in the settings' order.
            candidates: open bundles of other versions.
            secret: secret that chooses the requests of canaries, 32 bytes.
            memory: the record store; None if nothing is recorded.
            metrics: where requests and answers are counted.
            is_serving: whether the service is not stopping.

        Raises:
            StartError: a candidate cannot take the requests of its model.
        """
        self._settings = settings
        self._metrics = metrics
        self._is_serving = is_serving
        self.names = list(opened)
        """Names of all models, in the order of the settings."""
        self._swaps = Swaps(
            opening, self._candidate, self._digest, self._take_over, self._leave, self._end_canary
        )
        self._changes = joining(settings, self._swaps)
        # A worker that starts after a swap has what was agreed on, whatever fits to it.
        is_strict = settings.strict_start and not self._swaps.generation
        found = list(fitting_candidates(candidates, opened, is_strict=is_strict))
        self._candidates = Candidates(found, settings, metrics, memory, self._manifest)
        self._queue, self._recorder = FairQueue(), Recorder(memory)
        self._publish: Publish = lambda *_: None
        bundles = {name: one for name, one in opened.items() if isinstance(one, OpenModel)}
        self.models = {
            name: self._assembled(one.bundle, self._follower(one.bundle))
            for name, one in bundles.items()
        }
        """The served models, by name."""
        self._stacks = {name: one.stack for name, one in bundles.items()}
        self._unserved = {name: why for name, why in opened.items() if isinstance(why, str)}
        self._candidates.add_canaries(self._assembled, secret)
        self._served = [one.served for one in self._everyone()]
        self._shelf = Shelf(self._served, lending, settings)
        self._kept = (
            None
            if memory is None
            else RecordedParts(
                settings, self.names, self.models, self._everyone(), memory, self._shelf
            )
        )
        self._readiness = Readiness(*self._troubles(memory), is_serving=is_serving)
        self._inferences = {name: model.inference for name, model in self.models.items()}
        self._inference = ServedModels(
            self._inferences, metrics.statistics, self._unserved, self._candidates.others
        )
        pinned = {one.model: one.version for one in settings.for_each_model()}
        self._repository = Repository(settings.models, self._inference, self._changes.load, pinned)
        self._routes_of: dict[ModelService, list[BaseRoute]] = {}
        """Routes of each model that is served, or about to be."""
        self._shared_routes = _all(
            [
                inference_routes(self._inference, self._repository, self._readiness, settings),
                health(self._readiness),
                model_list(self._listed),
                exposition(metrics.page),
                dashboard_routes(),
            ]
        )
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

    def _assembled(self, bundle: LoadedBundle, follower: Follower | None = None) -> ModelService:
        """Assemble the parts that answer for a bundle."""
        several = len(self.names) + self._candidates.count
        return ModelService(
            bundle,
            self._settings,
            self._metrics,
            self._recorder,
            self._is_serving,
            several,
            self._queue.add() if several > 1 else None,
            follower,
        )

    def _follower(self, bundle: LoadedBundle) -> Follower | None:
        return self._candidates.follower(bundle.manifest)

    def _everyone(self) -> list[ModelService]:
        """Return all that answers."""
        return [*self.models.values(), *self._candidates.answering]

    def _candidate(self, bundle: LoadedBundle) -> tuple[ModelService, PublishedRoutes]:
        """Assemble what will answer for a bundle, and the routes of all models with it."""
        model = self._assembled(bundle, self._follower(bundle))

        def rest() -> None:
            # In a thread, beside requests that are being answered.
            time.sleep(REST_SECONDS)

        rest()
        return model, self._routes({**self.models, model.name: model}, rest)

    def _routes(
        self, models: Mapping[str, ModelService], rest: Callable[[], None] = lambda: None
    ) -> PublishedRoutes:
        """Create the routes of models that are not there yet; put all of them together.

        Args:
            models: the models.
            rest: called now and then, so that other threads and processes have their turn.
        """
        settings = self._settings
        shared = list(self._shared_routes)
        if self._kept is not None:
            for router in self._kept.routers(models):
                shared += router.routes
                rest()
        found: list[BaseRoute] = []
        self._routes_of = {
            model: self._routes_of.get(model) or self._model_routes(name, model, rest)
            for name, model in models.items()
        }
        for routes in self._routes_of.values():
            found += routes
        unserved = UnservedRoute(self.models, self._unserved, self.names[0])
        inferences = [model.inference for model in models.values()]
        short: dict[str, GradingRoute] = dict(
            short_ways(inferences, settings, self._inference.chosen)
        )
        for route in found:
            if isinstance(route, LeanRoute) and route.path.endswith((PLAIN, MONTE_CARLO)):
                short[route.path] = route
        return PublishedRoutes([*found, *shared, unserved], short)

    def _model_routes(
        self, name: str, model: ModelService, rest: Callable[[], None]
    ) -> list[BaseRoute]:
        """Create the routes of a model: those of the first are without a name, too."""
        beside = self._candidates.routes(name, self._changes.end_canary)
        routes: list[BaseRoute] = []
        for router in chain(model.routers(), beside):
            routes += router.routes
            rest()
        self._candidates.split(model, routes)
        found = list(routes) if name == self.names[0] else []
        for at, route in enumerate(ModelAddresses(name, routes).routes()):
            found.append(route)
            if at % ROUTES_IN_TURN == 0:
                rest()
        return found

    def _end_canary(self, name: str) -> None:
        """End the canary of a model, if it has one: requests that it has begun are answered."""
        running = self._candidates.end_canary(name)
        if running is not None:
            self._retire(running.model, running.stack)

    def _retire(self, model: ModelService, stack: AsyncExitStack) -> None:
        """Close a bundle that is not served any more, after its last request."""
        self._served[:] = [one.served for one in self._everyone()]
        self._leave(model)
        task = asyncio.create_task(self._closed(model, stack))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _leave(self, model: ModelService) -> None:
        """Say that a model does not answer any more; another one may answer with its bundle."""
        digest = model.manifest.identity.digest
        others = {one.manifest.identity.digest for one in self._everyone() if one is not model}
        model.end(is_gone=digest not in others)
        self._routes_of.pop(model, None)

    def _digest(self, name: str) -> str | None:
        manifest = self._manifest(name)
        return None if manifest is None else manifest.identity.digest

    def _manifest(self, name: str) -> Manifest | None:
        return self.models[name].manifest if name in self.models else None

    async def reload(self) -> None:
        """Load every model anew; those whose bundle must not be served stay as they are."""
        await self._load_each(self.names)

    async def _load_each(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                await self._changes.load(name)
            except Conflict:
                # Who loads has logged why it could not.
                continue
            except Exception as error:  # noqa: BLE001 - the other models are loaded
                log.error("%s cannot be loaded: %s", name, locate_error(error))  # noqa: TRY400

    async def _follow(self, watched: WatchedFolder) -> None:
        """Load the models whose bundle is another one now."""
        await self._load_each(await asyncio.to_thread(lambda: list(watched.changed())))

    def _take_over(self, candidate: Candidate) -> bool:
        """Serve a bundle from now on; the one before it answers what it was asked.

        Returns:
            Whether the model's canary has ended, as it does not fit to the bundle.
        """
        model, routes, stack = candidate
        before, closing = self.models.get(model.name), self._stacks.get(model.name)
        if self._kept is not None:
            self._kept.introduce(model)
        self.models[model.name], self._stacks[model.name] = model, stack
        self._inferences[model.name] = model.inference
        self._unserved.pop(model.name, None)
        self._served[:] = [one.served for one in self._everyone()]
        self._publish(*routes)
        if before is not None and closing is not None:
            self._retire(before, closing)
        is_misfit = self._candidates.is_misfit(model.name)
        if is_misfit:
            self._end_canary(model.name)
        return is_misfit

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
            await stack.enter_async_context(self._candidates.running())
            # With several workers their supervisor looks.
            if self._settings.watch and self._settings.workers == 1:
                watched = WatchedFolder(self._settings, self._versions())
                follow = repeat(partial(self._follow, watched), WATCH_SECONDS)
                watching = asyncio.create_task(follow)
                stack.callback(watching.cancel)
            yield

    async def _close(self) -> None:
        """Close every bundle."""
        await self._shelf.close()
        for task in list(self._ending):
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        for model in self._everyone():
            model.served.predictor.close()
        # The bundles of candidates are closed by who has opened them.
        for stack in self._stacks.values():
            await stack.aclose()

    async def _closed(self, model: ModelService, stack: AsyncExitStack) -> None:
        """Close a bundle after the last request that uses it."""
        try:
            await model.served.users.gone()
        finally:
            model.served.predictor.close()
            await stack.aclose()
            await asyncio.to_thread(release_free_memory)
        if self._kept is not None:
            with suppress(RecordsUnavailable):
                await self._kept.forget(model.watched)

    def _versions(self) -> dict[str, int]:
        return {name: model.manifest.version for name, model in self.models.items()}

    def _backlog(self, name: str) -> int:
        several = [one for one in self._everyone() if one.name == name]
        return sum(one.served.predictor.backlog for one in several)

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

    def _listed(self) -> ModelList:
        """List the models in the order of the settings."""
        return ModelList(models=list(self._each_listed()), generation=self._swaps.generation)

    def _each_listed(self) -> Iterator[ListedModel]:
        for name in self.names:
            model = self.models.get(name)
            if model is None:
                nothing: dict[str, None] = dict.fromkeys(("version", "digest", "canary", "shadow"))
                yield ListedModel(name=name, ready=False, **nothing)
                continue
            identity, is_ready = model.manifest.identity, model.readiness.reason is None
            canary, shadow = self._candidates.described(name)
            yield ListedModel(
                name=name,
                version=identity.version,
                digest=identity.digest,
                ready=is_ready,
                canary=canary,
                shadow=shadow,
            )


def _all(routers: Sequence[APIRouter]) -> list[BaseRoute]:
    return [route for router in routers for route in router.routes]


def _trouble(model: ModelService) -> str | None:
    return model.served.predictor.trouble
