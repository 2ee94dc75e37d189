"""One process that serves: its event loop from the start to an orderly end."""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.bundle_loader import Opened
from app.errors import EngineLost, RecorderLost
from app.main import create_app
from app.processes.engine_client import opened as opened_by
from app.processes.port import BACKLOG, handles, listen
from app.processes.recorder_client import opened as pages_of
from app.processes.subprocesses import Child, Children, child
from app.processes.worker import ANSWER_SECONDS
from app.record_ports import Memory
from app.server.connections import Connections, Limits
from app.server.protocol import Connection
from app.settings import Settings
from dubito.cli.signals import ending
from dubito.errors import DubitoError
from dubito.types import Identity

DEAF_SECONDS = 3
"""Seconds, in an end, for a client that has stopped reading its answer."""

Started = Callable[[Identity], None]


def serve(settings: Settings, opened: socket.socket, children: Children, started: Started) -> None:
    """Serve what an engine has loaded on a bound socket, and return after a signal to end.

    Raises:
        StartError: the bundle must not be served, and nobody could connect.
        RecordsError: the records cannot be opened.
        StartError: another process listens there.
        EngineLost: the engine ended by itself, whereupon the service did.
        RecorderLost: the recorder did.
    """
    with asyncio.Runner(loop_factory=_configured(None).get_loop_factory()) as runner:
        runner.run(_serve(settings, opened, children, started))


async def _serve(
    settings: Settings, opened: socket.socket, children: Children, started: Started
) -> None:
    lost: asyncio.Future[DubitoError] = asyncio.get_running_loop().create_future()

    @asynccontextmanager
    async def opening(asked: Settings) -> AsyncIterator[Opened]:
        if asked == settings:
            ended, silence = partial(_lose, lost, EngineLost()), settings.engine_seconds
            async with opened_by(children.engine, ended, silence) as bundle:
                yield bundle
            return
        async with _beside(asked) as bundle:
            yield bundle

    @asynccontextmanager
    async def remembering(asked: Settings) -> AsyncIterator[Memory | None]:
        if children.recorder is None:
            yield None
            return
        async with _remembered(
            children.recorder, asked, partial(_lose, lost, RecorderLost())
        ) as memory:
            yield memory

    app = create_app(settings, opening, remembering)
    async with app.router.lifespan_context(app):
        # What the libraries made lasts as long as this process: the collector need not look again.
        gc.collect()
        gc.freeze()
        listen(opened)
        started(app.state.identity)
        connections = Connections(Limits.of(settings), app.state.refused)
        server = Server(app, connections, settings.drain_seconds)
        watching = [
            asyncio.create_task(_end_without(lost, server)),
            asyncio.create_task(connections.watch()),
        ]
        await server.serve(sockets=handles(opened, settings.workers))
        for task in watching:
            task.cancel()
    if lost.done() and not (server.is_told and isinstance(lost.result(), EngineLost)):
        raise lost.result()


def _lose(lost: "asyncio.Future[DubitoError]", why: DubitoError) -> None:
    """Note that a process has ended without which there is no service."""
    if not lost.done():
        lost.set_result(why)


@asynccontextmanager
async def _remembered(
    recorder: Child, settings: Settings, lost: Callable[[], None]
) -> AsyncIterator[Memory]:
    """The memory, written by another process."""
    # A service without records does without what this imports.
    from app.records import database, store

    url = database.url_of(settings.records_url, settings.state)
    waits = settings.records == "durable"
    async with pages_of(recorder, lost) as pages, store.elsewhere(url, pages) as kept:
        yield Memory(kept.writer, kept.reader, kept.forget, waits)


@asynccontextmanager
async def _beside(settings: Settings) -> AsyncIterator[Opened]:
    """Another bundle, for replays; should its engine end, the service goes on."""
    with ExitStack() as stack:
        engine = stack.enter_context(child("engine", settings))
        async with opened_by(engine, lambda: None, settings.engine_seconds) as bundle:
            yield bundle
        # A process takes a moment to end.
        await asyncio.to_thread(stack.close)


async def _end_without(lost: "asyncio.Future[DubitoError]", server: "Server") -> None:
    """Nothing can be graded any more: whoever started the service shall see it."""
    await asyncio.shield(lost)
    server.is_told = server.should_exit
    server.should_exit = True


class Server(uvicorn.Server):
    """Ends in three steps: not ready any more, no new connections, all answers given."""

    def __init__(self, app: FastAPI, connections: Connections, drain_seconds: float) -> None:
        """Take the application, and how long it takes requests when it is not ready any more."""
        config = _configured(app)
        # uvicorn takes any maker of protocols, as long as it is no text.
        config.http = partial(Connection, connections=connections)  # type: ignore[assignment]
        super().__init__(config)
        self.is_told = True
        """Whether it was told to end, and does not end because a process was lost."""
        self._state = app.state
        self._drain_seconds = drain_seconds
        self._loop = asyncio.get_running_loop()
        self._haste = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Begin the end at a signal. One that comes later changes nothing, until all is written.

        uvicorn would raise it again once it has stopped.
        """
        for number in ending():
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end; who presses Ctrl-C does not wait for load balancers to notice."""
        if sig == signal.SIGINT:
            self._loop.call_soon_threadsafe(self._haste.set)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in three steps."""
        self._state.ready = False
        # From now on every answer closes its connection, so that none is closed under a request.
        self.server_state.default_headers = [
            *self.server_state.default_headers,
            (b"connection", b"close"),
        ]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain_seconds):
                await self._haste.wait()
        deaf = asyncio.create_task(self._let_go_of_the_deaf())
        await super().shutdown(sockets)
        deaf.cancel()

    async def _let_go_of_the_deaf(self) -> None:
        """Close connections on which nothing is read any more; the end need not wait for them."""
        before: dict[Any, int] = {}
        while True:
            left = {
                connection.transport: connection.transport.get_write_buffer_size()
                for connection in self.server_state.connections
            }
            for transport, size in left.items():
                if size and size == before.get(transport):
                    transport.abort()
            before = left
            await asyncio.sleep(DEAF_SECONDS)


def _configured(app: FastAPI | None) -> uvicorn.Config:
    return uvicorn.Config(
        app or "app.main:create_app",
        lifespan="off",
        log_config=None,
        access_log=False,
        # Nothing here asks where a request came from.
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=ANSWER_SECONDS,
    )
