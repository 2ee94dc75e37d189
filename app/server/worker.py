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
from app.settings import Settings
from dubito.errors import DubitoError

SPAWN = multiprocessing.get_context("spawn")
"""Start method of workers: a fork of a process that has used TensorFlow hangs."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process, and the pipe on which it sends the bundles once it serves, or `CannotStart`."""

    process: SpawnProcess
    line: Connection


def begin(settings: Settings, sources: Sequence[ModelSource], opened: socket.socket) -> Worker:
    """Start a worker on a bound socket."""
    line, other = SPAWN.Pipe()
    process = SPAWN.Process(target=_work, args=(settings, sources, opened, other))
    process.start()
    other.close()
    return Worker(process, line)


def _work(
    settings: Settings, sources: Sequence[ModelSource], opened: socket.socket, line: Connection
) -> None:
    """Serve until told to stop, or until the supervisor ends."""
    # Ctrl-C reaches every process of a terminal's session; only the supervisor passes it on.
    os.setsid()
    configure_logs(log_requests=settings.log_requests)
    threading.Thread(target=_end_with_supervisor, args=(line,), daemon=True).start()
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

            serve(settings, sources, opened, children, line.send)
    except DubitoError as error:
        line.send(CannotStart(str(error)))


def _end_with_supervisor(line: Connection) -> None:
    try:
        line.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
