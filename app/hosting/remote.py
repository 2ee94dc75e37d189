"""The service's side of its engine: hands it batches, notices its end, and its silence."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.errors import EngineLost, HostingError
from app.hosting.child import Child, end_of
from app.hosting.times import BEAT_SECONDS
from app.hosting.wire import Batch, Beat, Failed, Frames, Ready, framed, packed, unpacked
from app.network.arithmetic import pin_arithmetic
from app.network.engine import Engine
from app.network.stacked import Stacked
from app.opening import Opened
from app.serving.compute import Compute, Nearby
from app.serving.jobs import Job

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
        HostingError: it ended, or its bundle must not be served.
    """
    loop = asyncio.get_running_loop()
    _, remote = await loop.create_unix_connection(Remote, sock=engine.line)
    try:
        ready = await _first(remote, engine)
        remote.lost = lost
        remote.listen(silence)
        yield Opened(ready.manifest, ready.environment, _compute(ready, remote), ready.cards)
    finally:
        remote.close()


def _compute(ready: Ready, remote: "Remote") -> Compute:
    """The engine, with a copy of its network at hand where there can be one."""
    if ready.program is None:
        return remote
    pin_arithmetic()
    most = ready.program.light(NUMBERS, MULTIPLICATIONS)
    return Nearby(Engine(Stacked(ready.program)), remote, most)


async def _first(remote: "Remote", engine: Child) -> Ready:
    """What an engine says first."""
    try:
        said: Ready | Failed = await remote.next()
    except EngineLost:
        end = await asyncio.to_thread(end_of, engine)
        raise HostingError(f"the engine's process {end}") from None
    if isinstance(said, Failed):
        raise HostingError(said.sentence)
    return said


class Remote(asyncio.Protocol):
    """Computes batches in the engine's process, see `app.serving.compute`."""

    def __init__(self) -> None:
        self.lost: Callable[[], None] | None = None
        """Called once where the process ends by itself."""
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._transport: Any = None
        self._waiting: tuple[asyncio.Future[Any], Sequence[Job], Batch | None] | None = None
        self._ended = False
        self._silence = math.inf
        self._silent = 0.0
        """Seconds for which nothing has come, in whole beats."""

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
        if not self._ended:
            self._transport.write(framed(batch))
        return self._expect(jobs, batch)

    def close(self) -> None:
        """End the line, and with it the process."""
        self.lost, self._ended = None, True
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what messages are written to."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand over a message that has come whole."""
        if self._silent > self._silence:
            log.warning("the engine answers again")
        self._silent = 0.0
        for message in self._frames.whole(data):
            if not isinstance(message, Beat):
                self._hear(message)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Fail what is under way."""
        self._ended = True
        if self._waiting is not None and not self._waiting[0].done():
            self._waiting[0].set_exception(EngineLost())
        if self.lost is not None:
            self.lost()

    def _hear(self, message: Any) -> None:
        if self._waiting is None:
            return
        (future, jobs, batch), self._waiting = self._waiting, None
        if future.done():
            return
        if isinstance(message, Exception):
            future.set_exception(message)
        else:
            future.set_result(message if batch is None else unpacked(jobs, batch, message))

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
