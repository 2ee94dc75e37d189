"""The service's side of the recorder process: submits groups of entries, resolves their futures."""

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
    Introduction,
    RecordsOpened,
    ServiceCodec,
    ToRecorder,
    WriteGroup,
    Written,
)
from app.processes.subprocesses import Child, end_of
from app.record_events import Draft, Entry
from app.record_ports import Trouble
from app.records.cause import Cause
from app.records.group_commit import NotWritten, Silence
from app.watched_bundle import WatchedBundle

LOST = Cause("RecorderLost", None, is_lasting=True)

log = logging.getLogger("dubito.records")


@asynccontextmanager
async def open_recorder(
    recorder: Child, lost: Callable[[], None]
) -> AsyncIterator["RecorderClient"]:
    """Wait until a recorder is ready; `lost` is called if it ends before the block does.

    Raises:
        StartError: the recorder ended.
        RecordsError: the recorder cannot open the records.
    """
    client = RecorderClient()
    await client.connect(recorder)
    try:
        said = await client.first
        if isinstance(said, CannotOpen):
            raise RecordsError(said.sentence)
        if not isinstance(said, RecordsOpened):
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
        """First message of the recorder; None if the process ended before it."""
        self.lost: Callable[[], None] | None = None
        """Callback, called once if the process ends without having been closed."""
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
        """Whether the recorder has ended, so that nothing can be written any more."""
        return self._is_over

    def introduce(self, watched: WatchedBundle) -> None:
        """Announce the bundle whose drafts follow; must precede the first draft."""
        self._send(Introduction(watched))

    def look(self) -> Trouble | None:
        """Return the recorder's latest reason why it cannot write, or that it is silent."""
        return self._silence.look() or self._trouble

    def submit(self, group: Sequence[Entry | Draft]) -> "asyncio.Future[list[bool]]":
        """Start to write a group."""
        written: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
        if self._is_over:
            written.set_exception(NotWritten(LOST))
        else:
            self._send(WriteGroup(list(group)))
            self._under_way.append(written)
        return written

    async def close(self) -> None:
        """Close the channel once everything is sent, and wait for the process to end."""
        self.lost, self._is_over = None, True
        if self._channel is not None:
            self._channel.close()
            await self._channel.wait_closed()

    def _send(self, message: ToRecorder) -> None:
        if self._channel is not None:
            self._channel.send(message)

    def _hear(self, message: FromRecorder) -> None:
        """Process a message: resolve the oldest waiting group, or store the condition."""
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
        """Fail the groups in progress: whether they were written is unknown."""
        self._is_over = True
        if not self.first.done():
            self.first.set_result(None)
        while self._under_way:
            self._under_way.popleft().set_exception(NotWritten(LOST))
        if self.lost is not None:
            self.lost()
