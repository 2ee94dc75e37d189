"""The service's side of the recorder process: submits groups of entries, resolves their futures."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from app.errors import RecordsError, StartError
from app.processes.channel import Channel
from app.processes.recorder_messages import CannotOpen, FromRecorder, RecordsOpened, ServiceCodec
from app.processes.subprocesses import Child, end_of
from app.record_events import Draft, Entry
from app.record_ports import Trouble
from app.records.cause import Cause, NotWritten
from app.records.group_message import (
    Condition,
    Failed,
    Kept,
    Kind,
    Settled,
    Written,
    encode_group,
    encode_introduction,
    encode_settle,
)
from app.records.pages import Silence
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
        self._channel: Channel[bytes, FromRecorder] | None = None
        self._silence = Silence()
        self._trouble: Trouble | None = None
        self._number = 0
        """Number of the latest message; replies name it."""
        self._quiet = deque[tuple[int, int, asyncio.Future[list[bool]]]]()
        """Number and length of each group that waits for the disk."""
        self._awaited: dict[int, asyncio.Future[list[bool]]] = {}
        self._settling: dict[int, asyncio.Future[None]] = {}
        self._kept = self._settled = 0
        """Number of the latest group on the disk, and of the latest message whose groups are all in
        the tables."""
        self._is_over = False

    async def connect(self, recorder: Child) -> None:
        """Open the channel to the recorder's process."""
        self._channel = await Channel.opened(recorder.line, ServiceCodec(), self.hear, self._end)

    @property
    def is_over(self) -> bool:
        """Whether the recorder has ended, so that nothing can be written any more."""
        return self._is_over

    def introduce(self, served: Sequence[WatchedBundle]) -> None:
        """Announce the bundles whose drafts follow; must precede the first draft."""
        self._send(encode_introduction(served))

    def look(self) -> Trouble | None:
        """Return the recorder's latest reason why it cannot write, or that it is silent."""
        return self._silence.look() or self._trouble

    def submit(
        self, group: Sequence[Entry | Draft], *, is_awaited: bool = True
    ) -> "asyncio.Future[list[bool]]":
        """Start to write a group; see `app.records.group_commit.Pages`."""
        written: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
        if self._is_over:
            written.set_exception(NotWritten(LOST))
            return written
        self._number += 1
        kind = Kind.AWAITED if is_awaited else Kind.QUIET
        self._send(encode_group(kind, self._number, group))
        if is_awaited:
            self._awaited[self._number] = written
        else:
            self._quiet.append((self._number, len(group), written))
        return written

    async def settle(self) -> None:
        """Wait until the tables have all groups that are on the disk.

        Raises:
            NotWritten: the tables do not accept them.
        """
        if self._kept <= self._settled:
            return
        if self._is_over:
            raise NotWritten(LOST)
        self._number += 1
        self._send(encode_settle(self._number))
        settled = self._settling[self._number] = asyncio.get_running_loop().create_future()
        await settled

    async def close(self) -> None:
        """Close the channel once everything is sent, and wait for the process to end."""
        self.lost, self._is_over = None, True
        if self._channel is not None:
            self._channel.close()
            await self._channel.wait_closed()

    def _send(self, message: bytes) -> None:
        if self._channel is not None:
            self._channel.send(message)

    def hear(self, message: FromRecorder) -> None:
        """Process a message: resolve the groups that it is about, or store the condition."""
        if not self.first.done():
            self.first.set_result(message)
        elif isinstance(message, Kept):
            self._kept = message.number
            if message.is_written:
                self._settled = message.number
            self._keep(message.number)
        elif isinstance(message, Written):
            self._awaited.pop(message.number).set_result(message.added)
        elif isinstance(message, Settled):
            self._settled = max(self._settled, message.number)
            _resolve(self._settling.pop(message.number))
        elif isinstance(message, Failed):
            self._fail(message.number, NotWritten(message.cause))
        elif isinstance(message, Condition):
            # Groups may be journaled although the tables' thread is silent.
            self._silence.end()
            self._trouble = message.trouble

    def _keep(self, number: int) -> None:
        while self._quiet and self._quiet[0][0] <= number:
            _, items, written = self._quiet.popleft()
            written.set_result([True] * items)

    def _fail(self, number: int, failure: NotWritten) -> None:
        """Fail the group of a number, or the wait for the tables; quiet groups fail in order."""
        self._trouble = failure.trouble or self._trouble
        if number in self._settling:
            settled = self._settling.pop(number)
            if not settled.done():
                settled.set_exception(failure)
        elif number in self._awaited:
            self._awaited.pop(number).set_exception(failure)
        else:
            self._quiet.popleft()[2].set_exception(failure)

    def _end(self) -> None:
        """Fail the groups in progress: whether they were written is unknown."""
        self._is_over = True
        if not self.first.done():
            self.first.set_result(None)
        quiet = [number for number, _, _ in self._quiet]
        for number in [*quiet, *self._awaited, *self._settling]:
            self._fail(number, NotWritten(LOST))
        if self.lost is not None:
            self.lost()


def _resolve(settled: "asyncio.Future[None]") -> None:
    # Whoever waited may have given up.
    if not settled.done():
        settled.set_result(None)
