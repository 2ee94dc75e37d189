"""A worker's line to its supervisor, which has all workers replace a bundle together."""

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from app.errors import Conflict, StartError
from app.problem_codes import ProblemCode
from app.processes.worker_messages import (
    BundlePrepared,
    CanaryEnded,
    Discard,
    Done,
    EndAsked,
    EndCanary,
    LoadAsked,
    Prepare,
    Serving,
    TakeOver,
    TookOver,
)
from app.settings import Settings
from dubito.errors import BundleError
from dubito.types import Identity

if TYPE_CHECKING:
    from app.swaps import Candidate, Changes, Swaps


class Fleet:
    """The workers of a service, as one of them sees them. Used on the event loop."""

    def __init__(self, line: Connection, generation: int) -> None:
        """Set the line to the supervisor, and the number of swaps before this worker."""
        self._line = line
        self._generation = generation
        self._tickets = itertools.count()
        self._asked: dict[int, asyncio.Future[str | None]] = {}
        self._preparing: dict[int, asyncio.Task[Candidate | None]] = {}
        """Bundles that are being opened, by the number of the swap."""
        self._tasks = set[asyncio.Task[None]]()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._swaps: Swaps | None = None
        self._messages = SimpleQueue[Any]()
        """Messages that were not processed yet: a starting worker may get some, too."""

    def tell_start(self, identities: Sequence[Identity]) -> None:
        """Say that this worker serves."""
        self._line.send(Serving(identities))

    def join(self, _: Settings, swaps: "Swaps") -> "Changes":
        """Take part in changes from now on; return what asks the supervisor for one."""
        # Imported late: the supervisor, which knows this class, serves nothing.
        from app.swaps import Changes

        swaps.generation = self._generation
        self._swaps, self._loop = swaps, asyncio.get_running_loop()
        self._loop.call_soon(self._process)
        return Changes(self._load, self._end_canary)

    def hear(self, message: Any) -> None:
        """Process a message of the supervisor; called in another thread than the event loop's."""
        self._messages.put(message)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._process)

    async def _load(self, name: str) -> None:
        """Have all workers serve the bundle of a model as its files are now.

        Raises:
            Conflict: the bundle must not be served, and is served by none.
        """
        fault = await self._done(LoadAsked(next(self._tickets), name))
        if fault is not None:
            raise Conflict(ProblemCode.NOT_SERVABLE, fault)

    async def _end_canary(self, name: str) -> None:
        """Have all workers end the canary of a model."""
        await self._done(EndAsked(next(self._tickets), name))

    async def _done(self, asked: LoadAsked | EndAsked) -> str | None:
        """Ask the supervisor for a change; return why it was not made."""
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._asked[asked.ticket] = done
        try:
            self._line.send(asked)
            return await done
        finally:
            del self._asked[asked.ticket]

    def _process(self) -> None:
        with suppress(Empty):
            while True:
                self._heard(self._messages.get_nowait())

    def _heard(self, message: Any) -> None:
        if isinstance(message, Done):
            if (done := self._asked.get(message.ticket)) is not None and not done.done():
                done.set_result(message.fault)
        elif self._swaps is not None:
            self._swap(self._swaps, message)

    def _swap(self, swaps: "Swaps", message: Any) -> None:
        """Do a step of a swap, or end a canary."""
        if isinstance(message, EndCanary):
            swaps.end_canary(message.name)
            self._line.send(CanaryEnded(message.name))
        elif isinstance(message, Prepare):
            # Imported late: the supervisor, which knows this class, opens nothing.
            from app.bundle_loader import open_checked

            contents = message.contents
            opening = None if contents is None else partial(open_checked, contents)
            task = asyncio.create_task(swaps.prepare(message.settings, opening))
            self._preparing[message.attempt] = task
            self._start(self._tell_prepared(message.attempt, task))
        elif isinstance(message, TakeOver):
            candidate = self._preparing.pop(message.attempt).result()
            # None: this worker was started with the bundle.
            has_ended = candidate is not None and swaps.take_over(candidate, message.generation)
            swaps.generation = message.generation
            self._line.send(TookOver(message.attempt, has_ended))
        elif isinstance(message, Discard):
            self._start(_discard_once(swaps, self._preparing.pop(message.attempt)))

    async def _tell_prepared(
        self, attempt: int, preparing: "asyncio.Task[Candidate | None]"
    ) -> None:
        fault = None
        try:
            await asyncio.shield(preparing)
        except (BundleError, StartError) as error:
            fault = str(error)
        except Exception as error:  # noqa: BLE001 - the others must not wait for this worker
            fault = f"a worker could not load the bundle ({type(error).__name__})"
        self._line.send(BundlePrepared(attempt, fault))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _discard_once(swaps: "Swaps", preparing: "asyncio.Task[Candidate | None]") -> None:
    """Close a candidate as soon as it is open, if it can be opened."""
    try:
        candidate = await preparing
    except Exception:  # noqa: BLE001 - the supervisor was told
        return
    if candidate is not None:
        await swaps.discard(candidate)
