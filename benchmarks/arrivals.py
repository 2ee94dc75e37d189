"""Open-loop load generator: Poisson arrivals that do not wait for earlier responses.

A latency counts from the time its request was due, so a stall is not hidden by requests that a
closed loop would not have sent.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

HEAD = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Outcome of one request."""

    status: int
    """Status code; 0 if the connection broke."""
    seconds: float
    """Seconds between the time the request was due and the last byte of its response."""
    due: float
    """Seconds between the start of the load and the time the request was due."""


class Connections:
    """Pool of persistent connections to a service on this machine, opened on demand."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()

    async def ask(self, path: str, body: str) -> int:
        """Send a POST and return the status of its response; 0 if the connection broke."""
        content = body.encode()
        try:
            return await self._exchange(
                HEAD.format(path=path, length=len(content)).encode() + content
            )
        except (OSError, asyncio.IncompleteReadError):
            return 0

    async def _exchange(self, request: bytes) -> int:
        reader, writer, head = await self._sent(request)
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        await reader.readexactly(int(lines[b"content-length"]))
        if lines.get(b"connection") == b"close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(head.split(b" ", 2)[1])

    async def _sent(
        self, request: bytes
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """Send a request on a pooled connection that is still open, else on a new one.

        Returns:
            Reader and writer of the connection, and the head of the response.
        """
        while self._idle:
            reader, writer = self._idle.pop()
            with suppress(OSError, asyncio.IncompleteReadError):
                writer.write(request)
                return reader, writer, await reader.readuntil(b"\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request)
        return reader, writer, await reader.readuntil(b"\r\n\r\n")

    def close(self) -> None:
        """Close the idle connections."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


class Arrivals:
    """Sends requests as a Poisson process of a given rate to a service on this machine."""

    def __init__(self, port: int, path: str, body: str) -> None:
        self._connections = Connections(port)
        self._path, self._body = path, body

    async def send(self, rate: float, seconds: float, seed: int) -> list[Answer]:
        """Send Poisson arrivals at `rate` per second, and return the outcome of each."""
        gaps = np.random.default_rng(seed).exponential(1 / rate, int(rate * seconds))
        start, tasks = time.perf_counter() + 0.1, []
        for due in np.cumsum(gaps).tolist():
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            tasks.append(asyncio.create_task(self._ask(start, due)))
        answers = await asyncio.gather(*tasks)
        self._connections.close()
        return answers

    async def _ask(self, start: float, due: float) -> Answer:
        status = await self._connections.ask(self._path, self._body)
        return Answer(status, time.perf_counter() - start - due, due)
