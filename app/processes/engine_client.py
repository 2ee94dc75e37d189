"""The service's side of its engine: hands it batches, notices its end, and its silence."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.bundle_loader import Opened
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
from dubito.engine.backends.numpy import Stacked
from dubito.engine.engine import Engine

NUMBERS, MULTIPLICATIONS = 1 << 15, 1 << 20
"""What a lone batch may come to that is computed here: a third of a millisecond, as much as the way
to the engine's process and back would take."""

log = logging.getLogger("dubito")


@asynccontextmanager
async def opened(
    engine: Child, lost: Callable[[], None], silence: float = math.inf
) -> AsyncIterator[Opened]:
    """Wait until an engine is ready; `lost` is called should it end before the block does.

    After so many seconds of `silence` it is in trouble, until it is heard of again.

    Raises:
        StartError: it ended, or its bundle must not be served.
    """
    client = EngineClient()
    await client.connect(engine)
    try:
        ready = await _first(client, engine)
        client.lost = lost
        client.listen(silence)
        yield Opened(ready.manifest, ready.environment, _compute(ready, client), ready.cards)
    finally:
        client.close()


def _compute(ready: Ready, client: "EngineClient") -> Compute:
    """The engine, with a copy of its network at hand where there can be one."""
    if ready.program is None:
        return client
    pin_arithmetic()
    most = ready.program.light(NUMBERS, MULTIPLICATIONS)
    return Nearby(Engine(Stacked(ready.program)), client, most)


async def _first(client: "EngineClient", engine: Child) -> Ready:
    """What an engine says first."""
    try:
        said: Ready | CannotStart = await client.next()
    except EngineLost:
        end = await asyncio.to_thread(end_of, engine)
        raise StartError(f"the engine's process {end}") from None
    if isinstance(said, CannotStart):
        raise StartError(said.sentence)
    return said


class EngineClient:
    """Computes batches in the engine's process, see `app.serving.compute`."""

    def __init__(self) -> None:
        self.lost: Callable[[], None] | None = None
        """Called once where the process ends by itself."""
        self._loop = asyncio.get_running_loop()
        self._channel: Channel[Batch, Any] | None = None
        self._waiting: tuple[asyncio.Future[Any], Sequence[Job], Batch | None] | None = None
        self._ended = False
        self._silence = math.inf
        self._silent = 0.0
        """Seconds for which nothing has come, in whole beats."""

    async def connect(self, engine: Child) -> None:
        """Open the channel to the engine's process."""
        self._channel = await Channel.opened(engine.line, PICKLED, self._hear, self._end)

    def listen(self, silence: float) -> None:
        """Be in trouble after so many seconds in which nothing came."""
        self._silence = silence
        self._loop.call_later(BEAT_SECONDS, self._count)

    @property
    def trouble(self) -> str | None:
        """Why no batch would be computed now."""
        if self._ended:
            return str(EngineLost())
        if self._silent > self._silence:
            return f"the engine has shown no sign of life for more than {self._silence:g} s"
        return None

    def next(self) -> "asyncio.Future[Any]":
        """The next message."""
        return self._expect((), None)

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Begin a batch."""
        batch = packed(jobs)
        if self._channel is not None:
            self._channel.send(batch)
        return self._expect(jobs, batch)

    def close(self) -> None:
        """End the channel, and with it the process."""
        self.lost, self._ended = None, True
        if self._channel is not None:
            self._channel.close()

    def _hear(self, message: Any) -> None:
        """Hand over a message."""
        if self._silent > self._silence:
            log.warning("the engine answers again")
        self._silent = 0.0
        if isinstance(message, Beat) or self._waiting is None:
            return
        (future, jobs, batch), self._waiting = self._waiting, None
        if future.done():
            return
        if isinstance(message, Exception):
            future.set_exception(message)
        else:
            future.set_result(message if batch is None else unpacked(jobs, batch, message))

    def _end(self) -> None:
        """Fail what is under way."""
        self._ended = True
        if self._waiting is not None and not self._waiting[0].done():
            self._waiting[0].set_exception(EngineLost())
        if self.lost is not None:
            self.lost()

    def _count(self) -> None:
        """Count a beat that may not have come.

        Time by the clock would also be the engine's silence where this process stood still.
        """
        was_silent = self._silent > self._silence
        self._silent += BEAT_SECONDS
        if self._ended:
            return
        if self.trouble is not None and not was_silent:
            log.error("%s: nothing is graded until it does", self.trouble)
        self._loop.call_later(BEAT_SECONDS, self._count)

    def _expect(self, jobs: Sequence[Job], batch: Batch | None) -> "asyncio.Future[Any]":
        future = self._loop.create_future()
        if self._ended:
            future.set_exception(EngineLost())
        else:
            self._waiting = (future, jobs, batch)
        return future
