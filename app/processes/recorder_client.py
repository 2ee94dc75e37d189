"""The service's side of its recorder: hands over groups of entries, hears what came of them."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from app.errors import RecordsError, StartError
from app.processes.channel import Channel
from app.processes.recorder_messages import (
    CannotOpen,
    Condition,
    Failed,
    FromRecorder,
    Group,
    Introduction,
    Opened,
    ServiceCodec,
    ToRecorder,
    Written,
)
from app.processes.subprocesses import Child, end_of
from app.record_events import Draft, Entry
from app.record_ports import Trouble
from app.records.failures import Cause
from app.records.group_commit import NotWritten, Silence
from app.watched_bundle import WatchedBundle

LOST = Cause("RecorderLost", None, is_lasting=True)

log = logging.getLogger("dubito.records")


@asynccontextmanager
async def opened(recorder: Child, lost: Callable[[], None]) -> AsyncIterator["RecorderClient"]:
    """Wait until a recorder is ready; `lost` is called should it end before the block does.

    Raises:
        StartError: it ended.
        RecordsError: it cannot open the records.
    """
    client = RecorderClient()
    await client.connect(recorder)
    try:
        said = await client.first
        if isinstance(said, CannotOpen):
            raise RecordsError(said.sentence)
        if not isinstance(said, Opened):
            end = await asyncio.to_thread(end_of, recorder)
            raise StartError(f"the recorder's process {end}")
        for note in said.notes:
            log.warning("%s", note)
        client.lost = lost
        yield client
    finally:
        await client.close()


class RecorderClient:
    """Writes groups in the recorder's process, see `app.records.group_commit`."""

    def __init__(self) -> None:
        self.first: asyncio.Future[FromRecorder | None] = asyncio.get_running_loop().create_future()
        """The first message; None where the process ended before it."""
        self.lost: Callable[[], None] | None = None
        """Called once where the process ends by itself."""
        self._channel: Channel[ToRecorder, FromRecorder] | None = None
        self._silence = Silence()
        self._trouble: Trouble | None = None
        self._under_way = deque[asyncio.Future[list[bool]]]()
        self._is_over = False

    async def connect(self, recorder: Child) -> None:
        """Open the channel to the recorder's process."""
        self._channel = await Channel.opened(recorder.line, ServiceCodec(), self._hear, self._end)

    @property
    def is_over(self) -> bool:
        """Whether nothing is written any more."""
        return self._is_over

    def introduce(self, watched: WatchedBundle) -> None:
        """Say of which bundle drafts come; before there are any."""
        self._send(Introduction(watched))

    def look(self) -> Trouble | None:
        """What the process said last of whether it can write, or that it says nothing."""
        return self._silence.look() or self._trouble

    def submit(self, group: Sequence[Entry | Draft]) -> "asyncio.Future[list[bool]]":
        """Begin to write a group."""
        written: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
        if self._is_over:
            written.set_exception(NotWritten(LOST))
        else:
            self._send(Group(list(group)))
            self._under_way.append(written)
        return written

    async def close(self) -> None:
        """End the channel, and with it the process, once all is sent."""
        self.lost, self._is_over = None, True
        if self._channel is not None:
            self._channel.close()
            await self._channel.wait_closed()

    def _send(self, message: ToRecorder) -> None:
        if self._channel is not None:
            self._channel.send(message)

    def _hear(self, message: FromRecorder) -> None:
        """Hand over what came of groups."""
        self._silence.end()
        if not self.first.done():
            self.first.set_result(message)
        elif isinstance(message, Condition):
            self._trouble = message.trouble
        elif isinstance(message, Failed):
            failure = NotWritten(message.cause)
            self._trouble = failure.trouble or self._trouble
            self._under_way.popleft().set_exception(failure)
        elif isinstance(message, Written):
            self._under_way.popleft().set_result(message.added)

    def _end(self) -> None:
        """Fail what is under way: nobody knows whether it was written."""
        self._is_over = True
        if not self.first.done():
            self.first.set_result(None)
        while self._under_way:
            self._under_way.popleft().set_exception(NotWritten(LOST))
        if self.lost is not None:
            self.lost()
