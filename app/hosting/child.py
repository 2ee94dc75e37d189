"""The engine's process as the service starts and ends it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.hosting.times import EXIT_SECONDS
from app.hosting.wire import send
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """A process that loads a bundle, and the line to it."""

    process: subprocess.Popen[bytes]
    line: socket.socket


@contextmanager
def begun(settings: Settings) -> Iterator[EngineProcess]:
    """An engine's process for the length of a block, which loads while others are imported."""
    line, other = socket.socketpair()
    with other:
        number = other.fileno()
        words = [sys.executable, "-m", "app.hosting.engine", str(number)]
        # A session of its own: Ctrl-C ends the service, and that ends it.
        process = subprocess.Popen(  # noqa: S603 - our own module
            words, pass_fds=[number], stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        send(line, settings)
        yield EngineProcess(process, line)
    except BaseException:
        # Whoever interrupts a start does not wait until the bundle is loaded.
        process.kill()
        raise
    finally:
        line.close()
        try:
            process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
