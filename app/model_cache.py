"""Cache of open bundles: the served ones, and a few older ones that replays need."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from app.bundle_loader import LoadedBundle, Opening
from app.errors import Abandoned, Conflict, EngineLost, StartError, TooManyWaiting, copy_of
from app.problem_codes import ProblemCode
from app.quota import memory
from app.serving.batcher import BatchObserver
from app.serving.caller import PATIENT, Caller
from app.serving.deadlines import Deadlines
from app.serving.fair_queue import Turn
from app.serving.predictor import Predictor
from app.settings import Settings
from app.usecases.bundles import Served
from dubito.engine.backends.choice import has_backend
from dubito.errors import BundleError
from dubito.prediction import answer_builder
from dubito.types import Backend, Identity
from dubito.uncertainty.policy import judge_of

MOST_OPEN = 2
"""Number of older bundles open at a time, each with an engine process of its own."""
MOST_WAITING = 32
"""Number of requests that may wait for a bundle to be opened."""
MEMORY_SHARE = 4
"""Divisor of the available memory: queued work may use at most a quarter of it."""
WORK_BYTES = 512
"""Bytes of memory for one queued row × pass; a block of 50 passes needs the most for its work."""
IDLE_SECONDS = 300.0
"""Seconds without use after which an older bundle is closed."""


def served(
    opened: LoadedBundle,
    settings: Settings,
    seen: BatchObserver = lambda *_: None,
    models: int = 1,
    turn: Turn | None = None,
) -> Served:
    """Build the predictor of an open bundle and its answer builder.

    Args:
        opened: the bundle.
        settings: limits of the queue.
        seen: called per batch.
        models: number of bundles that share the queue; each may fill an equal part of it, and
            may always have as much as one request.
        turn: place among the models that compute in turn; None if there is no other.
    """
    manifest = opened.manifest
    signature, calibration = manifest.signature, manifest.calibration
    judge = judge_of(calibration, manifest.rules, signature)
    room = memory() // settings.workers // MEMORY_SHARE // WORK_BYTES
    queue = max(settings.max_work, min(settings.max_queue, room) // models)
    return Served(
        manifest.identity,
        signature,
        opened.environment,
        Predictor(
            opened.compute,
            signature,
            queue=queue,
            members=manifest.members,
            judge=judge,
            seen=seen,
            # Requests without a deadline of their own wait this long.
            longest=settings.deadline_ms / 1e3,
            turn=turn,
        ),
        answer_builder(manifest.identity, signature.target, calibration),
    )


@dataclass(frozen=True, slots=True)
class _Key:
    """A bundle, and the backend that computes it."""

    digest: str
    backend: Backend


@dataclass(slots=True, eq=False)
class _Book:
    """An open older bundle, with a count of the requests that use it."""

    key: _Key
    served: Served
    stack: AsyncExitStack
    users: int = 0
    used: float = 0.0
    """Time of the last use, seconds of the event loop's clock."""
    is_free: asyncio.Event = field(default_factory=asyncio.Event)
    """Event that is set while no request uses the bundle."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """A request that waits for a bundle to be opened."""

    model: Identity
    key: _Key
    caller: Caller
    granted: "asyncio.Future[_Book]"

    def is_wanted(self) -> bool:
        """Whether the caller still waits; if it has gone, the wait fails with `Abandoned`."""
        if not self.granted.done() and self.caller.gone():
            self.granted.set_exception(Abandoned())
        return not self.granted.done()


class Shelf:
    """Open bundles: the served ones, and up to `MOST_OPEN` older ones or other backends of these.

    Requests for a bundle that is not open wait in one queue, and bundles are opened one after
    another. The least recently used bundle is closed to make room, after its last user has
    finished.
    """

    def __init__(
        self,
        current: Sequence[Served],
        opening: Opening,
        settings: Settings,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """Keep the served bundles, if any, and the function that opens older ones."""
        self._current = current
        self._opening = opening
        self._settings = settings
        self._idle_seconds = idle_seconds
        self._books: dict[_Key, _Book] = {}
        """Open older bundles; bundles that are being closed are not in it."""
        self._wishes = deque[_Wish]()
        self._deadlines = Deadlines()
        self._librarian: asyncio.Task[None] | None = None
        """Task that opens bundles while requests wait for any."""
        self._closing = set[asyncio.Task[None]]()

    @asynccontextmanager
    async def of(
        self, model: Identity, caller: Caller = PATIENT, backend: Backend | None = None
    ) -> AsyncIterator[Served]:
        """Lend the bundle that a record names, for the duration of the `async with` block.

        Args:
            model: the bundle.
            caller: deadline and disconnection of the caller.
            backend: the backend that computes it where this machine has it; any if None.

        Raises:
            Conflict: the bundle is no longer available, or its content has changed.
            TooManyWaiting: too many requests wait for bundles to be opened.
            Abandoned: the caller has gone while waiting.
            DeadlinePassed: the caller's deadline passed while waiting.
        """
        wanted = backend if backend is not None and has_backend(backend) else None
        for current in self._current:
            if _computes(current, model, wanted):
                with current.users:
                    yield current
                return
        book = await self._had(model, wanted or "auto", caller)
        try:
            yield book.served
        except EngineLost:
            # The engine process has ended; the next request opens the bundle again, in a new
            # process.
            self._retire(book)
            raise
        finally:
            self._leave(book)

    async def close(self) -> None:
        """Close every older bundle, after its last user has finished."""
        if self._librarian is not None:
            self._librarian.cancel()
            await asyncio.gather(self._librarian, return_exceptions=True)
        for book in list(self._books.values()):
            self._retire(book)
        await asyncio.gather(*self._closing)

    async def _had(self, model: Identity, backend: Backend, caller: Caller) -> _Book:
        """Take an open older bundle for one more user, waiting until it is opened."""
        key = _Key(model.digest, backend)
        book = self._books.get(key)
        if book is not None and book.served.predictor.trouble is not None:
            self._retire(book)
            book = None
        if book is not None:
            _take(book)
            return book
        if len(self._wishes) >= MOST_WAITING:
            raise TooManyWaiting
        granted: asyncio.Future[_Book] = asyncio.get_running_loop().create_future()
        self._wishes.append(_Wish(model, key, caller, granted))
        self._deadlines.watch(granted, caller.deadline)
        if self._librarian is None or self._librarian.done():
            self._librarian = asyncio.create_task(self._grant())
        try:
            return await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self._leave(granted.result())
            raise

    async def _grant(self) -> None:
        """Open the bundles that requests wait for, in order; requests for the same one share it."""
        while self._wishes:
            wish = self._wishes[0]
            if wish.is_wanted():
                await self._serve(wish)
            else:
                self._wishes.popleft()

    async def _serve(self, first: _Wish) -> None:
        """Open a bundle and hand it to every request that still waits for it."""
        key = first.key
        try:
            book = self._books.get(key) or await self._opened(first.model, key)
        except Exception as error:  # noqa: BLE001 - each waiting request gets the error
            for wish in self._wishing(key):
                wish.granted.set_exception(copy_of(error))
            return
        for wish in self._wishing(key):
            _take(book)
            wish.granted.set_result(book)
        if not book.users:
            self._leave(book)

    def _wishing(self, key: _Key) -> list[_Wish]:
        """Remove all requests for a bundle from the queue; returns those that still wait."""
        found = [wish for wish in self._wishes if wish.key == key]
        self._wishes = deque(wish for wish in self._wishes if wish.key != key)
        return [wish for wish in found if wish.is_wanted()]

    async def _opened(self, model: Identity, key: _Key) -> _Book:
        """Open a bundle, after closing another if the cache is full."""
        await self._make_room()
        name, version, digest = model.name, model.version, model.digest
        only = {"model": name, "version": version, "digest": digest, "backend": key.backend}
        asked = self._settings.model_copy(update=only)
        stack = AsyncExitStack()
        try:
            opened = await self._open_or_fall_back(stack, asked)
        except (BundleError, StartError) as error:
            sentence = (
                f"bundle {name}/{version}, which produced this prediction, is no longer available"
            )
            raise Conflict(ProblemCode.BUNDLE_GONE, sentence) from error
        found = served(opened, asked)
        stack.callback(found.predictor.close)
        self._books[key] = _Book(key, found, stack)
        return self._books[key]

    async def _open_or_fall_back(self, stack: AsyncExitStack, asked: Settings) -> LoadedBundle:
        """Open a bundle with a record's backend, or with the usual one where that cannot run it.

        A replay says what differs then.
        """
        try:
            return await stack.enter_async_context(self._opening(asked))
        except (BundleError, StartError):
            if asked.backend == "auto":
                raise
        usual = asked.model_copy(update={"backend": "auto"})
        return await stack.enter_async_context(self._opening(usual))

    async def _make_room(self) -> None:
        """Close the least valuable bundles until one more may be open."""
        while len(self._books) + len(self._closing) >= MOST_OPEN:
            if not self._closing:
                self._retire(min(self._books.values(), key=_worth))
            await asyncio.wait(self._closing, return_when=asyncio.FIRST_COMPLETED)

    def _leave(self, book: _Book) -> None:
        """Release a bundle; the last user starts the time after which an idle bundle is closed."""
        loop = asyncio.get_running_loop()
        book.users, book.used = max(0, book.users - 1), loop.time()
        if not book.users:
            book.is_free.set()
            loop.call_later(self._idle_seconds, self._retire_idle, book, book.used)

    def _retire_idle(self, book: _Book, used: float) -> None:
        if not book.users and book.used == used:
            self._retire(book)

    def _retire(self, book: _Book) -> None:
        """Remove a bundle from the cache, and close it after its last user has finished."""
        if self._books.get(book.key) is book:
            del self._books[book.key]
            task = asyncio.create_task(_closed(book))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _computes(served: Served, model: Identity, backend: Backend | None) -> bool:
    """Whether an open bundle is a record's, computed by the backend if one is given."""
    return served.identity.digest == model.digest and backend in (None, served.backend)


def _worth(book: _Book) -> tuple[bool, float]:
    """Sort key of the bundles to close first: unused before used, then least recently used."""
    return book.users > 0, book.used


def _take(book: _Book) -> None:
    book.users += 1
    book.is_free.clear()


async def _closed(book: _Book) -> None:
    await book.is_free.wait()
    await book.stack.aclose()
