"""The service's side of its recorder: hands over groups of entries, hears what came of them."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from app.errors import HostingError, RecordsError
from app.events import Made
from app.hosting.child import Child, end_of
from app.hosting.times import EXIT_SECONDS
from app.hosting.wire import Condition, Failed, Frames, Recording, framed
from app.memory import Trouble
from app.records.cause import Cause
from app.records.pages import Group, NotWritten, Silence

LOST = Cause("RecorderLost", None, is_lasting=True)

log = logging.getLogger("dubito.records")


@asynccontextmanager
async def opened(recorder: Child, lost: Callable[[], None]) -> AsyncIterator["Remote"]:
    """Wait until a recorder is ready; `lost` is called should it end before the block does.

    Raises:
        HostingError: it ended.
        RecordsError: it cannot open the records.
    """
    loop = asyncio.get_running_loop()
    _, remote = await loop.create_unix_connection(Remote, sock=recorder.line)
    try:
        said = await remote.first
        if isinstance(said, Failed):
            raise RecordsError(said.sentence)
        if not isinstance(said, Recording):
            end = await asyncio.to_thread(end_of, recorder)
            raise HostingError(f"the recorder's process {end}")
        for note in said.notes:
            log.warning("%s", note)
        remote.lost = lost
        yield remote
    finally:
        await remote.close()


class Remote(asyncio.Protocol):
    """Writes groups in the recorder's process, see `app.records.pages`."""

    def __init__(self) -> None:
        self.first: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        """The first message; None where the process ended before it."""
        self.lost: Callable[[], None] | None = None
        """Called once where the process ends by itself."""
        self._silence = Silence()
        self._trouble: Trouble | None = None
        self._frames = Frames()
        self._transport: Any = None
        self._under_way = deque[asyncio.Future[list[bool]]]()
        self.is_over = False
        """Whether nothing is written any more."""
        self._ended = asyncio.Event()

    def introduce(self, made: Made) -> None:
        """Say how entries are made of drafts."""
        self._transport.write(framed(made))

    def look(self) -> Trouble | None:
        """What the process said last of whether it can write, or that it says nothing."""
        return self._silence.look() or self._trouble

    def submit(self, group: Group) -> "asyncio.Future[list[bool]]":
        """Begin to write a group."""
        written: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
        if self.is_over:
            written.set_exception(NotWritten(LOST))
        else:
            self._transport.write(framed(group))
            self._under_way.append(written)
        return written

    async def close(self) -> None:
        """End the line, and with it the process, once all is sent."""
        self.lost, self.is_over = None, True
        self._transport.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(EXIT_SECONDS):
                await self._ended.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what messages are written to."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand over what came of groups."""
        self._silence.end()
        for message in self._frames.whole(data):
            if not self.first.done():
                self.first.set_result(message)
            elif isinstance(message, Condition):
                self._trouble = message.trouble
            elif isinstance(message, NotWritten):
                self._trouble = message.trouble or self._trouble
                self._under_way.popleft().set_exception(message)
            else:
                self._under_way.popleft().set_result(message)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Fail what is under way: nobody knows whether it was written."""
        self.is_over = True
        self._ended.set()
        if not self.first.done():
            self.first.set_result(None)
        while self._under_way:
            self._under_way.popleft().set_exception(NotWritten(LOST))
        if self.lost is not None:
            self.lost()
