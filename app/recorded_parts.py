"""The parts of a service that exist only when answers are recorded."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from fastapi import APIRouter
from pydantic_core import to_json

from app.clock import Clock, describe_step
from app.http.feedback import feedback_routes
from app.http.predictions import predictions
from app.http.reviews import reviews
from app.model_cache import Shelf
from app.model_service import ModelService
from app.monitoring.request_counts import WRITE_SECONDS, Exchanges
from app.periodic_task import repeat
from app.record_events import MICROSECONDS, Entry, Note
from app.record_ports import Memory
from app.settings import Settings
from app.usecases.case import Cases
from app.usecases.feedback import Feedback
from app.usecases.replay import ENVIRONMENT, Replays
from app.watched_bundle import WatchedBundle
from dubito.types import Environment

DAY = 86_400
HANDED_SECONDS = 1.0
"""Seconds after which the recorder has what was answered, though nobody waited for it."""
LOOK_SECONDS = 10.0
"""Interval between two evaluations of the alarms, seconds."""

log = logging.getLogger("dubito")


class RecordedParts:
    """The parts of a service that exist only when answers are recorded."""

    def __init__(
        self,
        settings: Settings,
        names: Sequence[str],
        models: Mapping[str, ModelService],
        everyone: Sequence[ModelService],
        memory: Memory,
        shelf: Shelf,
    ) -> None:
        """Keep what is recorded with.

        Args:
            settings: the settings.
            names: names of all models.
            models: those that are served, by name.
            everyone: those and their canaries.
            memory: the record store.
            shelf: bundles for replays.
        """
        self.memory = memory
        self._settings = settings
        self._names = names
        self._models = models
        self._introduced = {model.watched.identity.digest: model.watched for model in everyone}
        memory.writer.introduce(list(self._introduced.values()))
        self._environments = [model.environment for model in everyone]
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

    def routers(self, models: Mapping[str, ModelService]) -> Iterator[APIRouter]:
        """Create the routes that read or write records, for these models."""
        settings, reader, writer = self._settings, self.memory.reader, self.memory.writer
        counters = {name: model.counter for name, model in models.items()}
        signatures = {name: model.manifest.signature for name, model in models.items()}
        targets = [signature.target for signature in signatures.values()]
        yield predictions(self._cases, self._replays, signatures, settings)
        yield feedback_routes(Feedback(writer, self._cases, counters), targets, settings)
        yield reviews(reader, targets, settings)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the periodic tasks for the duration of the block: alarms, counts and retention."""
        for environment in self._environments:
            self._note_environment(environment)
        looks: list[Callable[[], Awaitable[None]]] = [self._look]
        looks += [partial(self._look_at, name) for name in self._names]
        tasks = [
            *(asyncio.create_task(repeat(look, LOOK_SECONDS)) for look in looks),
            asyncio.create_task(repeat(self.exchanges.write, WRITE_SECONDS)),
        ]
        if self._settings.retention_days:
            tasks.append(asyncio.create_task(repeat(self._forget, DAY)))
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
