"""Runs the service in one process: event loop, start, and orderly shutdown."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.bundle_loader import LoadedBundle, open_checked, open_in_thread
from app.checked_bundle import CheckedBundle
from app.errors import EngineLost, RecorderLost
from app.main import create_app
from app.model_source import ModelSource
from app.processes.check_client import check_bundle
from app.processes.engine_client import open_engine as opened_by
from app.processes.port import ANSWER_SECONDS, BACKLOG, Started, handles, listen
from app.processes.subprocesses import Child, ChildProcesses, records_location, started_engine
from app.record_ports import Memory
from app.server.connections import ConnectionLimits, Connections
from app.server.protocol import Connection
from app.settings import Settings
from app.swaps import Joining, join_alone
from dubito.cli.signals import CLOSED_SECONDS, Terminal, ending, reloading
from dubito.errors import DubitoError

log = logging.getLogger("dubito")

DEAF_SECONDS = 3
"""Seconds, during a shutdown, after which a connection whose client reads nothing is closed."""

SWITCH_SECONDS = 0.0001
"""Longest wait of the engine's thread for the interpreter's lock while the event loop has work: at
Python's 5 ms, a small request beside a large answer took 100 ms."""


def serve(
    settings: Settings,
    sources: Sequence[ModelSource],
    opened: socket.socket,
    children: ChildProcesses,
    started: Started,
    checked: Mapping[str, CheckedBundle] | None = None,
    joining: Joining = join_alone,
) -> None:
    """Serve bundles on a bound socket; return after a signal to end.

    Args:
        settings: the settings.
        sources: the bundles of the models.
        opened: the bound socket.
        children: the engines' processes and the recorder's.
        started: called once the service is ready.
        checked: the bundles that have been checked already, by their names.
        joining: returns what loads a model anew.

    Raises:
        StartError: the bundle must not be served (no client could connect yet), or another process
            listens at the address.
        RecordsError: the records cannot be opened.
        EngineLost: the engine ended unexpectedly, and the service with it.
        RecorderLost: the recorder ended unexpectedly, and the service with it.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=_configured(None).get_loop_factory()) as runner:
        runner.run(_serve(settings, sources, opened, children, started, checked or {}, joining))


async def _serve(
    settings: Settings,
    sources: Sequence[ModelSource],
    opened: socket.socket,
    children: ChildProcesses,
    started: Started,
    checked: Mapping[str, CheckedBundle],
    joining: Joining,
) -> None:
    lost: asyncio.Future[DubitoError] = asyncio.get_running_loop().create_future()

    ended = partial(_lose, lost, EngineLost())

    @asynccontextmanager
    async def opening(asked: Settings) -> AsyncIterator[LoadedBundle]:
        seconds = settings.engine_seconds
        async with AsyncExitStack() as stack:
            # What takes over later is another object, even of the same name.
            if any(asked is source.settings for source in sources):
                engine = children.engines.get(asked.model)
                opened = (
                    open_in_thread(asked, checked.get(asked.model))
                    if engine is None
                    else opened_by(engine, ended, seconds)
                )
                yield await stack.enter_async_context(opened)
                return
            found = await check_bundle(asked)
            if found.contents is not None:
                near = open_checked(found.contents, found.settings)
                yield await stack.enter_async_context(near)
                return
            engine = await stack.enter_async_context(_engine_beside(found.settings))
            # Those that have been replaced have ended well.
            children.later[:] = [one for one in children.later if one.process.poll() is None]
            children.later.append(engine)
            yield await stack.enter_async_context(opened_by(engine, ended, seconds))

    @asynccontextmanager
    async def lending(asked: Settings) -> AsyncIterator[LoadedBundle]:
        async with AsyncExitStack() as stack:
            if asked.backend == "native":
                yield await stack.enter_async_context(open_in_thread(asked))
                return
            engine = await stack.enter_async_context(_engine_beside(asked))
            # If it ends, the service goes on.
            ended = partial(_tell_end, asked)
            opened = opened_by(engine, ended, settings.engine_seconds)
            yield await stack.enter_async_context(opened)

    @asynccontextmanager
    async def remembering(asked: Settings) -> AsyncIterator[Memory | None]:
        if children.recorder is None:
            yield None
            return
        async with _remembered(
            children.recorder, asked, partial(_lose, lost, RecorderLost())
        ) as memory:
            yield memory

    app = create_app(settings, opening, remembering, sources, lending, joining)
    async with app.router.lifespan_context(app):
        # Objects made by imports live as long as the process, so the garbage collector can skip
        # them.
        gc.collect()
        gc.freeze()
        gc.enable()
        listen(opened)
        started(app.state.identities)
        connections = Connections(ConnectionLimits.of(settings), app.state.refused)
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


def _tell_end(settings: Settings) -> None:
    name, version = settings.model, settings.version
    log.error("the engine of %s/%s, which is not the served one, has ended", name, version)


def _lose(lost: "asyncio.Future[DubitoError]", why: DubitoError) -> None:
    """Record that a process has ended without which the service cannot run."""
    if not lost.done():
        lost.set_result(why)


@asynccontextmanager
async def _remembered(
    recorder: Child, settings: Settings, lost: Callable[[], None]
) -> AsyncIterator[Memory]:
    """Open the record store, which another process writes."""
    # Importing the records takes time that a service without them does not need to spend.
    from app.processes.recorder_client import open_recorder
    from app.records.store import elsewhere

    waits = settings.records == "durable"
    place = records_location(settings)
    async with open_recorder(recorder, lost) as pages, elsewhere(place, pages) as kept:
        yield Memory(kept.writer, kept.reader, kept.forget, waits)


@asynccontextmanager
async def _engine_beside(settings: Settings) -> AsyncIterator[Child]:
    """Start an engine for another bundle, which leaves the processors to the served ones."""
    with ExitStack() as stack:
        yield stack.enter_context(started_engine(settings, is_patient=True))
        # `close` waits for the engine's process to end, which takes a moment.
        await asyncio.to_thread(stack.close)


async def _end_without(lost: "asyncio.Future[DubitoError]", server: "Server") -> None:
    """End the server once a process is lost, so that the process manager notices."""
    await asyncio.shield(lost)
    server.is_told = server.should_exit
    server.should_exit = True


class Server(uvicorn.Server):
    """Shuts down in three steps: report not ready, refuse new connections, finish all responses."""

    def __init__(self, app: FastAPI, connections: Connections, drain_seconds: float) -> None:
        """Set the application, and the seconds to accept requests after reporting not ready."""
        config = _configured(app)
        # uvicorn accepts any factory of protocols here, as long as it is not a string.
        config.http = partial(Connection, connections=connections)  # type: ignore[assignment]
        super().__init__(config)
        self.is_told = True
        """Whether the server was told to end, rather than ending because a process was lost."""
        self._state = app.state
        self._drain_seconds = drain_seconds
        self._loop = asyncio.get_running_loop()
        self._haste = asyncio.Event()
        self._terminal = Terminal()
        self._reloads = set[asyncio.Task[None]]()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Shut down at a signal; later signals are ignored until everything is written.

        uvicorn would raise the signal again after its shutdown.
        """
        for number in ending():
            signal.signal(number, self.handle_exit)
        for number in reloading():
            signal.signal(number, self._hang_up)
        yield

    def _hang_up(self, sig: int, frame: FrameType | None) -> None:
        """Load all models anew, or shut down if it means that the terminal was closed."""

        def act() -> None:
            if self._terminal.is_gone():
                self.handle_exit(sig, frame)
                return
            task = self._loop.create_task(self._state.reload())
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

        self._loop.call_soon_threadsafe(self._loop.call_later, CLOSED_SECONDS, act)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start the shutdown; after Ctrl-C it does not wait for load balancers to notice."""
        if sig == signal.SIGINT:
            self._loop.call_soon_threadsafe(self._haste.set)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down in three steps."""
        self._state.ready = False
        # Responses now close their connection, so that no connection is closed under a request.
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
        """Close connections whose clients read nothing, so that the shutdown need not wait."""
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
        # The application does not use client addresses, so proxy headers stay unread.
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=ANSWER_SECONDS,
    )
