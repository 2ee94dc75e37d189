"""What use cases need around them, without HTTP and without a database: a memory and a bundle."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeVar

from app.bundle_loader import LoadedBundle
from app.errors import Conflict
from app.model_cache import served
from app.monitoring.event_builder import EventBuilder
from app.problem_codes import ProblemCode
from app.record_events import Draft, Entry, Event, Listing, ListPosition, Note, Reply, Search
from app.record_ports import Memory
from app.serving.caller import Caller
from app.serving.compute import ComputeThread
from app.settings import Settings
from app.usecases.bundles import Served
from app.watched_bundle import WatchedBundle
from dubito.bundle import Bundle, load
from dubito.types import Backend, Environment, Identity
from tests.service import ROOT

PATIENCE = 30
Value = TypeVar("Value")


@cache
def bundle(version: int = 5) -> Bundle:
    return load(ROOT / "models" / "loan-grade" / str(version))


def watched(version: int = 5) -> WatchedBundle:
    opened = bundle(version)
    manifest = opened.manifest
    return WatchedBundle(
        manifest.identity,
        manifest.signature,
        manifest.calibration,
        opened.environment.fingerprint,
    )


@dataclass
class Ledger:
    """A memory of this process: events in their order, and what was said once."""

    events: list[Event] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    notes: dict[str, Note] = field(default_factory=dict)
    numbered: set[tuple[str, str, int]] = field(default_factory=set)
    replies: dict[str, Reply] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    """What becomes of the next entries."""
    before: list[Entry] = field(default_factory=list)
    """What another process writes just before the next entry."""
    version: int = 5
    """Of the bundle whose answers are drafts."""

    behind = failures = 0
    trouble: str | None = None

    def introduce(self, served: Sequence[WatchedBundle]) -> None:
        """Drafts are of one bundle here."""

    def leave(self, entry: Entry | Draft) -> None:
        self.put(entry)

    def put(self, entry: Entry | Draft) -> "asyncio.Future[bool]":
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self.faults:
            future.set_exception(self.faults.pop(0))
            return future
        while self.before:
            self._write(self.before.pop())
        made = EventBuilder([watched(self.version)])([entry]) if isinstance(entry, Draft) else entry
        future.set_result(self._write(made))
        return future

    def _write(self, entry: Entry) -> bool:
        numbers = {
            (event.kind, event.prediction, event.ordinal)
            for event in entry.events
            if event.ordinal is not None
        }
        if numbers & self.numbered or (entry.reply and entry.reply.key in self.replies):
            return False
        self.numbered |= numbers
        if entry.reply is not None:
            self.replies[entry.reply.key] = entry.reply
        self.entries.append(entry)
        start = len(self.events)
        self.events += [
            replace(event, id=f"here.{start + at}") for at, event in enumerate(entry.events)
        ]
        return True

    async def reply_to(self, key: str) -> Reply | None:
        return self.replies.get(key)

    async def history(self, prediction: str) -> list[Event]:
        return [event for event in self.events if event.prediction == prediction]

    async def disagreements(self, most: int) -> list[Event]:
        found = [event for event in self.events if event.kind == "disagreement"]
        return found[: -most - 1 : -1]

    async def note(self, name: str) -> Note | None:
        return self.notes.get(name)

    async def search(self, search: Search, most: int, after: ListPosition | None) -> Listing:
        return Listing([one for one in self.events if one.kind == "prediction"][:most], None)

    def __getattr__(self, name: str) -> Any:
        """The rest of a reader, which these use cases do without."""
        raise NotImplementedError(name)


def memory(ledger: Ledger) -> Memory:
    async def forget(_: int) -> None:
        raise NotImplementedError

    return Memory(ledger, ledger, forget, waits=True)


@dataclass
class Shelf:
    """Bundles that are open, whichever are asked for; those that are not there are gone."""

    has: dict[str, Served]
    environment: Environment | None = None
    """Another one than that of the bundles, in which they compute now."""
    asked: list[Backend | None] = field(default_factory=list)
    """Backends that were asked for."""

    @asynccontextmanager
    async def of(
        self, model: Identity, caller: Caller, backend: Backend | None = None
    ) -> AsyncIterator[Served]:
        self.asked.append(backend)
        if model.digest not in self.has:
            raise Conflict(ProblemCode.BUNDLE_GONE, "it is gone")
        found = self.has[model.digest]
        yield found if self.environment is None else replace(found, environment=self.environment)


def run(work: Callable[[Served], Awaitable[Value]], version: int = 5) -> Value:
    """Do something beside a bundle that is open."""

    async def whole() -> Value:
        opened = bundle(version)
        compute = ComputeThread(opened.engine)
        found = served(LoadedBundle(opened.manifest, opened.environment, compute), Settings())
        try:
            return await asyncio.wait_for(work(found), PATIENCE)
        finally:
            found.predictor.close()

    return asyncio.run(whole())
