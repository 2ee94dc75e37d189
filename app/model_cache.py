"""The shelf: the bundle that is served, and beside it a few that answered before, for replays."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from app.bundle_loader import Opened, Opening
from app.errors import Abandoned, Conflict, EngineLost, StartError, TooManyWaiting, copy_of
from app.problem_codes import ProblemCode
from app.quota import memory
from app.serving.batcher import Seen
from app.serving.caller import PATIENT, Caller
from app.serving.deadlines import Deadlines
from app.serving.predictor import Predictor
from app.settings import Settings
from app.usecases.bundles import Served
from dubito.errors import BundleError
from dubito.prediction import AnswerBuilder
from dubito.types import Identity
from dubito.uncertainty.policy import Judge

MOST_OPEN = 2
"""Older bundles that are open at a time, each with a process of its own."""
MOST_WAITING = 32
"""Requests that may wait for a bundle to be opened."""
MEMORY_SHARE = 4
"""Queued work may use at most one part in so many of the available memory."""
WORK_BYTES = 512
"""Bytes of a waiting row × pass. One block of 50 passes takes the most for its work."""
IDLE_SECONDS = 300.0
"""After which an older bundle that nobody uses is closed."""


def served(opened: Opened, settings: Settings, seen: Seen = lambda *_: None) -> Served:
    """What answers for an open bundle; `seen` is told of every batch."""
    manifest = opened.manifest
    signature, calibration = manifest.signature, manifest.calibration
    judge = None if calibration is None else Judge(calibration, manifest.rules, signature)
    queue = min(settings.max_queue, memory() // settings.workers // MEMORY_SHARE // WORK_BYTES)
    return Served(
        manifest.identity,
        signature,
        opened.environment,
        Predictor(
            opened.compute,
            signature,
            queue=queue,
            judge=judge,
            seen=seen,
            # As long as a request waits that names no deadline.
            longest=settings.deadline_ms / 1e3,
        ),
        AnswerBuilder(manifest.identity, signature.classes, calibration),
    )


@dataclass(slots=True, eq=False)
class _Book:
    """An older bundle that is open."""

    served: Served
    stack: AsyncExitStack
    users: int = 0
    used: float = 0.0
    """When it was used last, by the event loop's clock."""
    is_free: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while nobody uses it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """A request that waits for a bundle which is not open."""

    model: Identity
    caller: Caller
    granted: "asyncio.Future[_Book]"

    def is_wanted(self) -> bool:
        """Whether somebody waits still; if not, it is ended."""
        if not self.granted.done() and self.caller.gone():
            self.granted.set_exception(Abandoned())
        return not self.granted.done()


class Shelf:
    """Has the bundles that records name: the served one, and a few older ones.

    Whoever needs one that is not open waits in one queue, in which one bundle after the other is
    opened; the one that was not used for longest makes room, once nobody uses it.
    """

    def __init__(
        self,
        current: Served | None,
        opening: Opening,
        settings: Settings,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """Take the bundle that is served, if one is, and how others are opened."""
        self._current = current
        self._opening = opening
        self._settings = settings
        self._idle_seconds = idle_seconds
        self._books: dict[str, _Book] = {}
        """By digest; only those that may be used anew."""
        self._wishes = deque[_Wish]()
        self._deadlines = Deadlines()
        self._librarian: asyncio.Task[None] | None = None
        """Opens what is wished for, while anything is."""
        self._closing = set[asyncio.Task[None]]()

    @asynccontextmanager
    async def of(self, model: Identity, caller: Caller = PATIENT) -> AsyncIterator[Served]:
        """The bundle that a record names, for the length of a block.

        Raises:
            Conflict: it is not there any more, or is not what it was.
            TooManyWaiting: too many wait for bundles.
            Abandoned: the caller has gone while it waited.
            DeadlinePassed: its time was over while it waited.
        """
        if self._current is not None and self._current.identity.digest == model.digest:
            yield self._current
            return
        book = await self._had(model, caller)
        try:
            yield book.served
        except EngineLost:
            # Its process has ended; whoever asks next has another.
            self._retire(book)
            raise
        finally:
            self._leave(book)

    async def close(self) -> None:
        """Close what was opened here."""
        if self._librarian is not None:
            self._librarian.cancel()
            await asyncio.gather(self._librarian, return_exceptions=True)
        for book in list(self._books.values()):
            self._retire(book)
        await asyncio.gather(*self._closing)

    async def _had(self, model: Identity, caller: Caller) -> _Book:
        """An open bundle that somebody more uses."""
        book = self._books.get(model.digest)
        if book is not None and book.served.predictor.trouble is not None:
            self._retire(book)
            book = None
        if book is not None:
            _take(book)
            return book
        if len(self._wishes) >= MOST_WAITING:
            raise TooManyWaiting
        granted: asyncio.Future[_Book] = asyncio.get_running_loop().create_future()
        self._wishes.append(_Wish(model, caller, granted))
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
        """Open what is wished for, in order, and what is wished for together once."""
        while self._wishes:
            wish = self._wishes[0]
            if wish.is_wanted():
                await self._serve(wish.model)
            else:
                self._wishes.popleft()

    async def _serve(self, model: Identity) -> None:
        """Grant all who wish for a bundle and still wait."""
        digest = model.digest
        try:
            book = self._books.get(digest) or await self._opened(model)
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            for wish in self._wishing(digest):
                wish.granted.set_exception(copy_of(error))
            return
        for wish in self._wishing(digest):
            _take(book)
            wish.granted.set_result(book)
        if not book.users:
            self._leave(book)

    def _wishing(self, digest: str) -> list[_Wish]:
        """Who wishes for a bundle; they do not wait any more."""
        found = [wish for wish in self._wishes if wish.model.digest == digest]
        self._wishes = deque(wish for wish in self._wishes if wish.model.digest != digest)
        return [wish for wish in found if wish.is_wanted()]

    async def _opened(self, model: Identity) -> _Book:
        """A bundle, opened where there is room."""
        await self._make_room()
        name, version, digest = model.name, model.version, model.digest
        asked = replace(self._settings, model=name, version=version, digest=digest)
        stack = AsyncExitStack()
        try:
            opened = await stack.enter_async_context(self._opening(asked))
        except (BundleError, StartError) as error:
            sentence = (
                f"bundle {name}/{version}, which produced this prediction, is no longer available"
            )
            raise Conflict(ProblemCode.BUNDLE_GONE, sentence) from error
        found = served(opened, asked)
        stack.callback(found.predictor.close)
        self._books[digest] = _Book(found, stack)
        return self._books[digest]

    async def _make_room(self) -> None:
        """Wait until one more may be open."""
        while len(self._books) + len(self._closing) >= MOST_OPEN:
            if not self._closing:
                self._retire(min(self._books.values(), key=_worth))
            await asyncio.wait(self._closing, return_when=asyncio.FIRST_COMPLETED)

    def _leave(self, book: _Book) -> None:
        """Note that one less uses a bundle."""
        loop = asyncio.get_running_loop()
        book.users, book.used = max(0, book.users - 1), loop.time()
        if not book.users:
            book.is_free.set()
            loop.call_later(self._idle_seconds, self._retire_idle, book, book.used)

    def _retire_idle(self, book: _Book, used: float) -> None:
        if not book.users and book.used == used:
            self._retire(book)

    def _retire(self, book: _Book) -> None:
        """Lend a bundle no more, and close it once nobody uses it."""
        if self._books.get(book.served.identity.digest) is book:
            del self._books[book.served.identity.digest]
            task = asyncio.create_task(_closed(book))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _worth(book: _Book) -> tuple[bool, float]:
    """How much is lost by closing a bundle."""
    return book.users > 0, book.used


def _take(book: _Book) -> None:
    book.users += 1
    book.is_free.clear()


async def _closed(book: _Book) -> None:
    await book.is_free.wait()
    await book.stack.aclose()
