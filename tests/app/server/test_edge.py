"""The edge: whatever a client sends, each complete request has one answer, and no other has two."""

import asyncio
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.app.server.forms import CANARY, KINDS, Exchange, Form, Maker
from tests.service import Service, serving

LIMITS = (
    *("--records", "off", "--header-seconds", "3", "--keep-alive-seconds", "3"),
    *("--unread-seconds", "3", "--body-seconds", "3", "--max-connections", "2000"),
    *("--max-url-bytes", "8192", "--max-header-bytes", "32768", "--max-headers", "100"),
)
AT_ONCE = 256
"""Connections that are open at a time, of which most wait for something."""
ESTABLISHED = "01"
"""State of an open connection in /proc/net/tcp."""
LOOK_SECONDS = 0.25
"""Between two looks at whether the service has closed a connection."""
PATIENCE = 60.0
"""Seconds after which a client gives up, and the service has failed."""
BETWEEN = 5_000
"""Connections between two looks at the memory."""
MOST_GROWTH, SLOWEST = 1.05, 0.1
"""Of memory after the first quarter; in seconds, of all but one in 1,000 answers on liveness."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service with short limits."""
    with serving("loan-grade/1", *LIMITS) as found:
        yield found


@lru_cache(maxsize=1)
def _connections(_: float) -> str:
    """All connections of this machine, read once for all who look at about the same time."""
    return Path("/proc/net/tcp").read_text()


class Client:
    """One client, who does what an exchange says and reads what comes back."""

    def __init__(self, port: int, exchange: Exchange) -> None:
        self._port = port
        self._exchange = exchange
        self._buffer = b""

    async def faults(self) -> list[str]:
        """What was wrong with what came back; nothing, if all was as it should be."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._played()
        except TimeoutError:
            return ["the service neither answers nor closes"]

    async def _played(self) -> list[str]:
        exchange = self._exchange
        self._socket = socket.socket()
        self._socket.setblocking(False)  # noqa: FBT003 - the method's own form
        if not exchange.reads:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(self._socket, ("127.0.0.1", self._port))
            sending = asyncio.create_task(self._send())
            try:
                return await self._judged(sending)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        finally:
            self._socket.close()

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            for part in self._exchange.parts:
                if isinstance(part, bytes):
                    await loop.sock_sendall(self._socket, part)
                else:
                    await asyncio.sleep(part)
            if self._exchange.ends_side:
                self._socket.shutdown(socket.SHUT_WR)

    async def _judged(self, sending: "asyncio.Task[None]") -> list[str]:
        exchange = self._exchange
        if exchange.hangs_up:
            await sending
            if len(exchange.parts) % 2:
                self._socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            return []
        if not exchange.reads:
            return await self._until_closed(sending)
        faults = list[str]()
        for name, statuses in exchange.answers:
            answer = await self._answer()
            if answer is None:
                return [*faults, "a complete request has no answer"]
            status, headers = answer
            if status not in statuses:
                faults.append(f"status {status} instead of {sorted(statuses)}")
            if headers.get(b"x-request-id") != name.encode():
                faults.append("an answer is another request's")
        return faults + await self._ended(sending)

    async def _ended(self, sending: "asyncio.Task[None]") -> list[str]:
        """What is wrong with what comes after the answers to complete requests."""
        exchange = self._exchange
        if exchange.broken is None and not (exchange.ends_side or exchange.is_closed):
            # Whatever else was taken for a request would be answered before this one.
            await sending
            last = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: last\r\n\r\n"
            with suppress(ConnectionError):
                await asyncio.get_running_loop().sock_sendall(self._socket, last)
            answer = await self._answer()
            is_last = answer is not None and answer[1].get(b"x-request-id") == b"last"
            return [] if is_last else [f"the next request is answered with {answer}"]
        answer = await self._answer()
        allowed = exchange.broken or frozenset()
        if answer is not None and answer[0] not in allowed:
            return [f"{answer[0]} to what is no request, instead of {sorted(allowed)}"]
        if answer is not None and await self._answer() is not None:
            return ["two answers to what is no request"]
        return []

    async def _until_closed(self, sending: "asyncio.Task[None]") -> list[str]:
        """Take nothing until the service has closed the connection, most of it unsent."""
        await asyncio.sleep(2 * LOOK_SECONDS)
        while self._is_open_there():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(LOOK_SECONDS)
        while await self._more():
            pass
        await sending
        asked, answered = self._exchange.unread, self._buffer.count(b"HTTP/1.1 200")
        return [] if answered < asked else ["who reads nothing is written all"]

    def _is_open_there(self) -> bool:
        """Whether the service has not closed its side, as the kernel knows.

        Reading would tell the service that somebody reads.
        """
        ports = self._port, self._socket.getsockname()[1]
        service, client = (f"0100007F:{port:04X}" for port in ports)
        return f" {service} {client} {ESTABLISHED} " in _connections(time.time() // LOOK_SECONDS)

    async def _answer(self) -> tuple[int, dict[bytes, bytes]] | None:
        """The next answer, its body read; None where the connection ends without one."""
        head = await self._head()
        if head is None:
            return None
        line, *lines = head.split(b"\r\n")
        status = int(line.split(b" ", 2)[1])
        if status < 200:
            return await self._answer()
        headers = {
            name.lower(): value.strip() for name, _, value in (one.partition(b":") for one in lines)
        }
        if headers.get(b"x-request-id", b"").decode() not in self._exchange.heads:
            await self._skip(int(headers[b"content-length"]))
        return status, headers

    async def _skip(self, length: int) -> None:
        """Read a body."""
        while len(self._buffer) < length:
            assert await self._more(), "an answer breaks off"
        self._buffer = self._buffer[length:]

    async def _head(self) -> bytes | None:
        while b"\r\n\r\n" not in self._buffer:
            if not await self._more():
                assert not self._buffer, "an answer breaks off"
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    async def _more(self) -> bool:
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, self._exchange.pace)
        except ConnectionError:
            return False
        self._buffer += data
        return bool(data)


async def run(
    service: Service, forms: list[tuple[str, Form]], random: Random
) -> tuple[list[str], list[int]]:
    """Play forms, many at a time.

    Returns what was wrong, with the name of the form, and the service's memory now and then.
    """
    free = asyncio.Semaphore(AT_ONCE)
    sizes = list[int]()

    async def play(at: int, name: str, form: Form, seed: int) -> list[str]:
        async with free:
            maker = Maker(Random(seed), f"127.0.0.1:{service.port}")
            exchange = form(maker)
            found = await Client(service.port, exchange).faults()
        if at % BETWEEN == BETWEEN - 1:
            sizes.append(memory(service))
        return [f"{name} ({seed}): {fault}" for fault in found]

    played = (play(at, *form, random.getrandbits(32)) for at, form in enumerate(forms))
    return [fault for faults in await asyncio.gather(*played) for fault in faults], sizes


def drawn(count: int, random: Random) -> list[tuple[str, Form]]:
    """Forms of all kinds, each about as often as the others."""
    forms = [(f"{kind}, {name}", form) for kind, own in KINDS.items() for name, form in own.items()]
    found = [forms[at % len(forms)] for at in range(count)]
    random.shuffle(found)
    return found


def requests_of(service: Service, label: str) -> float:
    """How many requests of a route or status were answered."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    line = re.compile(rf'dubito_requests_total{{[^}}]*"{label}"[^}}]*}} (\S+)')
    return sum(map(float, line.findall(text)))


def memory(service: Service) -> int:
    """Resident memory of the process that speaks HTTP, in KiB."""
    text = Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii")
    return int(text.partition("VmRSS:")[2].split()[0])


@contextmanager
def polled(service: Service, waits: list[float]) -> Iterator[None]:
    """Note for the length of a block how long `/health/live` takes, in seconds."""
    words = [sys.executable, str(Path(__file__).with_name("poller.py")), str(service.port)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as poller:
        yield
        told, _ = poller.communicate()
    assert 0 == poller.returncode
    waits += map(float, told.split())


@pytest.mark.claim("the edge", test=800, proof=100_000)
def test_each_complete_request_has_one_answer(
    service: Service, record_property: Any, count: int
) -> None:
    """Whatever comes: one answer to a complete request, at most one and a close to another."""
    random = Random(count)
    waits: list[float] = []

    with polled(service, waits):
        faults, sizes = asyncio.run(run(service, drawn(count, random), random))
    sizes.append(memory(service))
    assert [] == faults[:5]
    assert 0 == requests_of(service, CANARY) < requests_of(service, "/predict")
    # What is refused before it is a request is counted as well.
    assert requests_of(service, "431") > 0
    slowest = float(np.quantile(waits, 0.999))
    growth = sizes[-1] / sizes[len(sizes) // 4]
    record_property(
        "figure",
        f"{count:,} connections of {sum(map(len, KINDS.values()))} forms; memory × {growth:.3f}; "
        f"liveness p99.9 {slowest * 1e3:.0f} ms",
    )
    if count > 2_000:
        assert growth <= MOST_GROWTH
        assert slowest <= SLOWEST
