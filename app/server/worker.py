"""A worker: one of several processes that serve one port, and its pipe to the supervisor."""

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from app.errors import StartError
from app.model_source import ModelSource
from app.monitoring.multiprocess_dir import folder
from app.processes.engine_messages import CannotStart
from app.processes.logs import configure_logs
from app.server.fleet import Fleet
from app.settings import Settings
from dubito.errors import DubitoError

SPAWN = multiprocessing.get_context("spawn")
"""Start method of workers: a fork of a process that has used TensorFlow hangs."""


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """A process, and the pipe on which it says that it serves, or `CannotStart`."""

    process: SpawnProcess
    line: Connection


def begin(
    settings: Settings, sources: Sequence[ModelSource], opened: socket.socket, generation: int
) -> Worker:
    """Start a worker on a bound socket, after a number of swaps."""
    line, other = SPAWN.Pipe()
    process = SPAWN.Process(target=_work, args=(settings, sources, opened, generation, other))
    process.start()
    other.close()
    return Worker(process, line)


def _work(
    settings: Settings,
    sources: Sequence[ModelSource],
    opened: socket.socket,
    generation: int,
    line: Connection,
) -> None:
    """Serve until told to stop, or until the supervisor ends."""
    # Ctrl-C reaches every process of a terminal's session; only the supervisor passes it on.
    os.setsid()
    configure_logs(log_requests=settings.log_requests)
    fleet = Fleet(line, generation)
    threading.Thread(target=_listen, args=(line, fleet), daemon=True).start()
    # These imports take seconds, and the supervisor never needs them.
    from app.processes.subprocesses import early_recorder, start_children

    try:
        if not (folder() or Path()).is_dir():
            raise StartError("the folder of the workers' counts is missing")
        with (
            early_recorder(settings) as recorder,
            start_children(settings, sources, recorder) as children,
        ):
            from app.server.server import serve

            serve(settings, sources, opened, children, fleet.tell_start, joining=fleet.join)
    except DubitoError as error:
        line.send(CannotStart(str(error)))


def _listen(line: Connection, fleet: Fleet) -> None:
    """Pass on what the supervisor says, and end with it."""
    try:
        while True:
            fleet.hear(line.recv())
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
