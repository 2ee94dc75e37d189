"""Requests that come when they come, however slow the answers are: an open loop.

A latency counts from when its request was due, so that a stall is not hidden by requests that were
never sent.
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
    """What became of a request."""

    status: int
    """0: the connection broke."""
    seconds: float
    """From when it was due to its last byte."""
    due: float
    """Seconds after the first."""


class Connections:
    """Connections to a service of this machine, made as they are needed and kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()

    async def ask(self, path: str, body: str) -> int:
        """The status of the answer to a POST; 0 where the connection broke."""
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
        """Where a request went and the head of its answer; a kept connection may be closed."""
        while self._idle:
            reader, writer = self._idle.pop()
            with suppress(OSError, asyncio.IncompleteReadError):
                writer.write(request)
                return reader, writer, await reader.readuntil(b"\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request)
        return reader, writer, await reader.readuntil(b"\r\n\r\n")

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


class Arrivals:
    """Sends requests at random times of a given rate to a service of this machine."""

    def __init__(self, port: int, path: str, body: str) -> None:
        self._connections = Connections(port)
        self._path, self._body = path, body

    async def send(self, rate: float, seconds: float, seed: int) -> list[Answer]:
        """The answers to Poisson arrivals of `rate` a second."""
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
