"""The service's side of the engine process: submits batches, detects its end or silence."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.bundle_loader import LoadedBundle
from app.errors import EngineLost, StartError
from app.processes.channel import PICKLED, Channel
from app.processes.engine_messages import (
    BEAT_SECONDS,
    Batch,
    Beat,
    CannotStart,
    Ready,
    packed,
    unpacked,
)
from app.processes.subprocesses import Child, end_of
from app.serving.compute import Compute, Nearby
from app.serving.jobs import Job
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.backends.choice import backend_of, engine_for

log = logging.getLogger("dubito")


@asynccontextmanager
async def open_engine(
    engine: Child, lost: Callable[[], None], silence: float = math.inf
) -> AsyncIterator[LoadedBundle]:
    """Wait until an engine is ready; `lost` is called if it ends before the block does.

    If no message arrives for `silence` seconds, the engine counts as stuck until the next message.

    Raises:
        StartError: the engine ended, or its bundle must not be served.
    """
    client = EngineClient()
    await client.connect(engine)
    try:
        ready = await _first(client, engine)
        client.lost = lost
        client.listen(silence)
        yield LoadedBundle(ready.manifest, ready.environment, _compute(ready, client), ready.cards)
    finally:
        client.close()


def _compute(ready: Ready, client: "EngineClient") -> Compute:
    """Return the client, with a copy of the network in this process if that can run here."""
    if not ready.programs:
        return client
    pin_arithmetic()
    backend = backend_of(ready.environment.facts["engine"]) or "auto"
    return Nearby.of(engine_for(ready.programs, backend), ready.programs, client)


async def _first(client: "EngineClient", engine: Child) -> Ready:
    """Return the engine's first message; raise `StartError` if it could not start."""
    said = await client.first
    if said is None:
        end = await asyncio.to_thread(end_of, engine)
        raise StartError(f"the engine's process {end}")
    if isinstance(said, CannotStart):
        raise StartError(said.sentence)
    return said


class EngineClient:
    """Computes batches in the engine's process, see `app.serving.compute`."""

    def __init__(self) -> None:
        self.lost: Callable[[], None] | None = None
        """Callback, called once if the process ends without having been closed."""
        self._loop = asyncio.get_running_loop()
        # It may be there before anybody asks for it: an engine can be faster than its service.
        self.first: asyncio.Future[Ready | CannotStart | None] = self._loop.create_future()
        """The first message; None where the process ended before it."""
        self._channel: Channel[Batch, Any] | None = None
        self._waiting: tuple[asyncio.Future[Any], Sequence[Job], Batch] | None = None
        self._ended = False
        self._silence = math.inf
        self._silent = 0.0
        """Time without a message in seconds, a multiple of `BEAT_SECONDS`."""

    async def connect(self, engine: Child) -> None:
        """Open the channel to the engine's process."""
        self._channel = await Channel.opened(engine.line, PICKLED, self._hear, self._end)

    def listen(self, silence: float) -> None:
        """Report trouble once no message has arrived for `silence` seconds."""
        self._silence = silence
        self._loop.call_later(BEAT_SECONDS, self._count)

    @property
    def trouble(self) -> str | None:
        """Reason why no batch would be computed now; None if there is none."""
        if self._ended:
            return str(EngineLost())
        if self._silent > self._silence:
            return f"the engine has shown no sign of life for more than {self._silence:g} s"
        return None

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Start a batch; the future holds the results of the jobs in order."""
        batch = packed(jobs)
        if self._channel is not None:
            self._channel.send(batch)
        return self._expect(jobs, batch)

    def together(self, jobs: Sequence[Job]) -> None:
        """Compute nothing on the event loop."""

    def at_once(self, job: Job) -> None:
        """Compute nothing here."""

    @property
    def near(self) -> int:
        """0: nothing is computed on the event loop."""
        return 0

    def close(self) -> None:
        """Close the channel, which ends the process."""
        self.lost, self._ended = None, True
        if self._channel is not None:
            self._channel.close()

    def _hear(self, message: Any) -> None:
        """Process a message: note the sign of life, and resolve the waiting future."""
        if self._silent > self._silence:
            log.warning("the engine answers again")
        self._silent = 0.0
        if isinstance(message, Beat):
            return
        if not self.first.done():
            self.first.set_result(message)
            return
        if self._waiting is None:
            return
        (future, jobs, batch), self._waiting = self._waiting, None
        if future.done():
            return
        if isinstance(message, Exception):
            future.set_exception(message)
        else:
            future.set_result(unpacked(jobs, batch, message))

    def _end(self) -> None:
        """Fail the batch in progress, and report the loss."""
        self._ended = True
        if not self.first.done():
            self.first.set_result(None)
        if self._waiting is not None and not self._waiting[0].done():
            self._waiting[0].set_exception(EngineLost())
        if self.lost is not None:
            self.lost()

    def _count(self) -> None:
        """Count an interval in which no message may have arrived.

        Intervals are counted instead of seconds: while this process itself is suspended, elapsed
        time would look like the engine's silence.
        """
        was_silent = self._silent > self._silence
        self._silent += BEAT_SECONDS
        if self._ended:
            return
        if self.trouble is not None and not was_silent:
            log.error("%s: no request is graded until it responds", self.trouble)
        self._loop.call_later(BEAT_SECONDS, self._count)

    def _expect(self, jobs: Sequence[Job], batch: Batch) -> "asyncio.Future[Any]":
        future = self._loop.create_future()
        if self._ended:
            future.set_exception(EngineLost())
        else:
            self._waiting = (future, jobs, batch)
        return future
