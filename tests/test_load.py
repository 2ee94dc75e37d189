"""Under load, over real connections: no answer crossed, and nothing computed for who has gone."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import uvicorn

from app.bundle_loader import LoadedBundle, open_in_thread
from app.main import create_app
from app.serving.compute import Compute
from app.serving.jobs import Job, work_of
from app.settings import Settings
from dubito.bundle import Bundle, load
from dubito.bundles.repository import find_version
from dubito.inputs.rows import example
from dubito.types import Query
from tests.service import ROOT, serving

SETTINGS = Settings(models=ROOT / "models", version=1, records="off")
CONNECTIONS = 48
SECONDS = 120
HEAD = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """A seeded request."""

    rows: list[dict[str, Any]]
    passes: int
    seed: int

    def bytes(self) -> bytes:
        """The request as it goes over a connection."""
        body = json.dumps({"instances": self.rows}).encode()
        head = HEAD.format(path=f"/predict/mc?passes={self.passes}&seed={self.seed}")
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def requests(bundle: Bundle, count: int) -> Iterator[Asked]:
    """Requests of which no two are alike."""
    random, usual = np.random.default_rng(0), example(bundle.manifest.signature)
    for seed in range(count):
        changed = [
            {**usual, "annual_income": float(random.integers(1_000, 10**6)), "delinq_2y": seed % 7}
            for _ in range(int(random.choice([1, 1, 1, 2, 3])))
        ]
        yield Asked(changed, int(random.choice([1, 20, 50, 100, 100, 130])), seed)


async def answered(port: int, asked: Sequence[Asked]) -> list[Any]:
    """The answers to all requests, which many connections take in turn."""
    found: list[Any] = [None] * len(asked)
    remaining = iter(range(len(asked)))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for at in remaining:
            writer.write(asked[at].bytes())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            assert head.startswith(b"HTTP/1.1 200"), body
            found[at] = json.loads(body)["predictions"]
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return found


@pytest.mark.parametrize("version", [1, 3])
@pytest.mark.claim("concurrent requests", test=600, proof=50_000)
def test_no_answer_is_lost_or_crossed(version: int, record_property: Any, count: int) -> None:
    """Seeded requests from 48 connections at once: each answer is that to it alone, bit for bit."""
    bundle = load(find_version(SETTINGS.models, SETTINGS.model, version))
    names, asked = bundle.manifest.signature.names, list(requests(bundle, count))
    with serving(f"loan-grade/{version}") as service:
        found = asyncio.run(asyncio.wait_for(answered(service.port, asked), 60 * SECONDS))
    for one, answers in zip(asked, found, strict=True):
        rows = np.array([[row[name] for name in names] for row in one.rows])
        (alone,) = bundle.engine.summarise([Query(rows, one.passes, one.seed)])
        assert [one.seed] * len(rows) == [answer["seed"] for answer in answers]
        assert alone.mean.tolist() == [list(answer["mean"].values()) for answer in answers]
        assert alone.std.tolist() == [list(answer["std"].values()) for answer in answers]
    record_property("figure", f"{count:,} answers compared, none differs")


@dataclass(slots=True)
class Counting:
    """Computes as another does when it is let, and remembers how much."""

    compute: Compute
    let: threading.Event
    begun: threading.Event = field(default_factory=threading.Event)
    work: list[int] = field(default_factory=list)

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Begin a batch."""
        self.work.append(sum(map(work_of, jobs)))
        return asyncio.ensure_future(self._when_let(jobs))

    async def _when_let(self, jobs: Sequence[Job]) -> list[Any]:
        self.begun.set()
        await asyncio.to_thread(self.let.wait)
        return await self.compute.submit(jobs)

    near = 0

    def together(self, jobs: Sequence[Job]) -> None:
        """Compute nothing."""

    def at_once(self, job: Job) -> None:
        """Compute nothing: every job is to be held up."""

    @property
    def trouble(self) -> str | None:
        return self.compute.trouble

    def close(self) -> None:
        """End."""
        self.compute.close()


@contextmanager
def counted() -> Iterator[tuple[Counting, int]]:
    """A service on a port of this machine, and what it computes."""
    made: list[Counting] = []

    @asynccontextmanager
    async def opening(settings: Settings) -> AsyncIterator[LoadedBundle]:
        async with open_in_thread(settings) as opened:
            made.append(Counting(opened.compute, threading.Event()))
            yield LoadedBundle(opened.manifest, opened.environment, made[0])

    app = create_app(SETTINGS, opening)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            assert thread.is_alive()
            thread.join(0.05)
        try:
            yield made[0], listening.getsockname()[1]
        finally:
            made[0].let.set()
            server.should_exit = True
            thread.join()


@pytest.mark.claim("hang-ups", test=200, proof=1_000)
def test_clients_that_hang_up_cost_nothing(record_property: Any, count: int) -> None:
    """Clients that hang up while a batch computes: the next batch has none of their requests."""
    bundle = load(find_version(SETTINGS.models, SETTINGS.model, 1))
    first, *others, last = requests(bundle, count + 2)
    with counted() as (compute, port):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(first.bytes())
        assert compute.begun.wait(SECONDS)
        gone = [socket.create_connection(("127.0.0.1", port)) for _ in others]
        for client, asked in zip(gone, others, strict=True):
            client.sendall(asked.bytes())
        # The service has read them all when it answers a client that came after them.
        assert b"200 OK" in _answer(port, b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for client in gone:
            client.close()
        for _ in range(3):
            _answer(port, b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        compute.let.set()
        assert one.recv(1 << 16).startswith(b"HTTP/1.1 200")
        one.close()
        assert b"200 OK" in _answer(port, last.bytes())
        works = [len(asked.rows) * max(50, asked.passes) for asked in (first, last)]
        assert works == compute.work
    record_property("figure", f"{len(gone):,} hung up, none of them was computed")


def _answer(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
        client.sendall(request)
        return client.recv(1 << 16)
