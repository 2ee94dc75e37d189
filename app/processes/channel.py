"""Message channels between a service and its child processes, over local sockets.

A message is its length followed by its content. A codec defines the content: pickle for the engine,
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
"""Length prefix of a message: the number of content bytes that follow."""
READ_BYTES = 1 << 20
EXIT_SECONDS = 10
"""Longest wait for a child process to end after its channel was closed, seconds."""

Sent = TypeVar("Sent", contravariant=True)
Heard = TypeVar("Heard", covariant=True)
Message = TypeVar("Message")
Other = TypeVar("Other")


class Codec(Protocol[Sent, Heard]):
    """Encodes the messages of one side of a channel and decodes those of the other side."""

    def encode(self, message: Sent, /) -> bytes:
        """Return the content of a message."""

    def decode(self, content: bytes, /) -> Heard:
        """Return the message of a content."""


class Pickled:
    """Codec for any Python object; only for processes of one service, which trust each other."""

    def encode(self, message: object) -> bytes:
        """Return the content of a message."""
        return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)

    def decode(self, content: bytes) -> Any:
        """Return the message of a content."""
        return pickle.loads(content)  # noqa: S301 - sent by a process of this service


PICKLED = Pickled()


def framed(content: bytes) -> bytes:
    """Return a content preceded by its length."""
    return LENGTH.pack(len(content)) + content


def send(line: socket.socket, message: Message, codec: Codec[Message, object] = PICKLED) -> None:
    """Send a message; blocks until all of it is written to the socket."""
    line.sendall(framed(codec.encode(message)))


def receive(line: socket.socket, codec: Codec[Any, Message] = PICKLED) -> Message:
    """Wait for a message.

    Raises:
        EOFError: the other side has closed the channel.
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
    """Assembles messages from bytes as they arrive."""

    def __init__(self, codec: Codec[Any, Message]) -> None:
        """Set the codec."""
        self._codec = codec
        self._pending = bytearray()

    def whole(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that these bytes complete."""
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
    """The service's end of a channel. Used on the event loop."""

    def __init__(
        self,
        codec: Codec[Message, Other],
        hear: Callable[[Other], None],
        end: Callable[[], None],
    ) -> None:
        """Set the codec, and the callbacks for messages and for the end of the other process."""
        self._codec = codec
        self._hear = hear
        self._end = end
        self._frames = Frames(codec)
        self._transport: asyncio.Transport | None = None
        self._ended = asyncio.Event()
        self.is_over = False
        """Whether the channel is closed, so that messages are discarded."""

    @classmethod
    async def opened(
        cls,
        line: socket.socket,
        codec: Codec[Message, Other],
        hear: Callable[[Other], None],
        end: Callable[[], None],
    ) -> "Channel[Message, Other]":
        """Open a channel over a connected socket."""
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(codec, hear, end), sock=line)
        return channel

    def send(self, message: Message) -> None:
        """Send a message, unless the channel is closed."""
        if not self.is_over and self._transport is not None:
            self._transport.write(framed(self._codec.encode(message)))

    def close(self) -> None:
        """Close the channel once everything is sent, which ends the other process."""
        self.is_over = True
        if self._transport is not None:
            self._transport.close()

    async def wait_closed(self) -> None:
        """Wait until the other side has closed the channel, at most `EXIT_SECONDS`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EXIT_SECONDS):
                await self._ended.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        # uvloop's transport has the methods of `asyncio.Transport`, but is no subclass of it.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Decode the messages that are complete, and pass them on."""
        for message in self._frames.whole(data):
            self._hear(message)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Report that the other side has closed the channel."""
        self.is_over = True
        self._ended.set()
        self._end()
