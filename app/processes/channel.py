"""The channel between a service and its child processes: whole messages over a local socket.

A message is its length and its content. What the content is a codec says: pickle for the engine,
whose messages are arrays and programs, msgspec's MessagePack for the recorder.
"""

import asyncio
import pickle
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar, cast

LENGTH = struct.Struct("<Q")
"""What every message begins with: how many bytes follow."""
READ_BYTES = 1 << 20
EXIT_SECONDS = 10
"""Seconds that a child process has to end, once its channel has."""

Sent = TypeVar("Sent", contravariant=True)
Heard = TypeVar("Heard", covariant=True)
Message = TypeVar("Message")
Other = TypeVar("Other")


class Codec(Protocol[Sent, Heard]):
    """How messages become bytes on one side of a channel, and those of the other side messages."""

    def encode(self, message: Sent, /) -> bytes:
        """The content of a message."""

    def decode(self, content: bytes, /) -> Heard:
        """The message of a content."""


class Pickled:
    """Any of Python's objects; only between processes of one service, which trust each other."""

    def encode(self, message: object) -> bytes:
        """The content of a message."""
        return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)

    def decode(self, content: bytes) -> Any:
        """The message of a content."""
        return pickle.loads(content)  # noqa: S301 - from our own process alone


PICKLED = Pickled()


def framed(content: bytes) -> bytes:
    """A content as it goes over the wire."""
    return LENGTH.pack(len(content)) + content


def send(line: socket.socket, message: Message, codec: Codec[Message, object] = PICKLED) -> None:
    """Send a message, waiting until all of it is on its way."""
    line.sendall(framed(codec.encode(message)))


def receive(line: socket.socket, codec: Codec[Any, Message] = PICKLED) -> Message:
    """Wait for a message.

    Raises:
        EOFError: the other side has ended.
    """
    (length,) = LENGTH.unpack(_exactly(line, LENGTH.size))
    return codec.decode(_exactly(line, length))


def _exactly(line: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        part = line.recv(min(READ_BYTES, size - len(content)))
        if not part:
            raise EOFError
        content += part
    return bytes(content)


class Frames(Generic[Message]):
    """Puts messages together from pieces as they arrive."""

    def __init__(self, codec: Codec[Any, Message]) -> None:
        """Take what makes messages of contents."""
        self._codec = codec
        self._pending = bytearray()

    def whole(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that are complete with these bytes."""
        self._pending += data
        while len(self._pending) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._pending)
            end = LENGTH.size + length
            if len(self._pending) < end:
                return
            content = bytes(memoryview(self._pending)[LENGTH.size : end])
            del self._pending[:end]
            yield self._codec.decode(content)


class Channel(asyncio.Protocol, Generic[Message, Other]):
    """The service's end of a channel; it lives on the event loop."""

    def __init__(
        self,
        codec: Codec[Message, Other],
        hear: Callable[[Other], None],
        end: Callable[[], None],
    ) -> None:
        """Take who hears of messages, and of the end of the process at the other side."""
        self._codec = codec
        self._hear = hear
        self._end = end
        self._frames = Frames(codec)
        self._transport: asyncio.Transport | None = None
        self._ended = asyncio.Event()
        self.is_over = False
        """Whether nothing can be sent any more."""

    @classmethod
    async def opened(
        cls,
        line: socket.socket,
        codec: Codec[Message, Other],
        hear: Callable[[Other], None],
        end: Callable[[], None],
    ) -> "Channel[Message, Other]":
        """A channel over a connected socket."""
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(codec, hear, end), sock=line)
        return channel

    def send(self, message: Message) -> None:
        """Send a message, unless the channel is over."""
        if not self.is_over and self._transport is not None:
            self._transport.write(framed(self._codec.encode(message)))

    def close(self) -> None:
        """End the channel, and with it the process, once all is sent."""
        self.is_over = True
        if self._transport is not None:
            self._transport.close()

    async def wait_closed(self) -> None:
        """Wait until the other side has ended, but not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EXIT_SECONDS):
                await self._ended.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what messages are written to."""
        # uvloop's is one by its methods alone.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand over the messages that have come whole."""
        for message in self._frames.whole(data):
            self._hear(message)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Tell that the other side has ended."""
        self.is_over = True
        self._ended.set()
        self._end()
