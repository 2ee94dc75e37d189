"""The processes that a service needs beside its own, as it starts and ends them."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from signal import Signals
from typing import Literal

from app.errors import EngineLost, RecorderLost, StartError
from app.processes.channel import EXIT_SECONDS, send
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Child:
    """A process, and the line to it."""

    process: subprocess.Popen[bytes]
    line: socket.socket


@dataclass(frozen=True, slots=True)
class Children:
    """What a service needs: who computes for it, and who records if anything is recorded."""

    engine: Child
    recorder: Child | None


@contextmanager
def begun(settings: Settings) -> Iterator[Children]:
    """Both processes for the length of a block; they load while others are imported.

    Raises:
        StartError: the block has lost one; the sentence says how that ended.
    """
    with ExitStack() as stack:
        engine = stack.enter_context(child("engine", settings))
        is_off = settings.records == "off"
        recorder = None if is_off else stack.enter_context(child("recorder", settings))
        try:
            yield Children(engine, recorder)
        except EngineLost as error:
            raise StartError(f"{error}: its process {end_of(engine)}") from None
        except RecorderLost as error:
            assert recorder is not None  # noqa: S101 - only one that was there is lost
            raise StartError(f"{error}: its process {end_of(recorder)}") from None


def end_of(child: Child) -> str:
    """How a process that ends has ended, as part of a sentence."""
    code = child.process.wait()
    return f"ended with code {code}" if code >= 0 else f"was ended by {Signals(-code).name}"


@contextmanager
def child(module: Literal["engine", "recorder"], settings: Settings) -> Iterator[Child]:
    """One of them for the length of a block."""
    line, other = socket.socketpair()
    with other:
        number = other.fileno()
        words = [sys.executable, "-m", f"app.processes.{module}_process", str(number)]
        # A session of its own: Ctrl-C ends the service, and that ends it.
        process = subprocess.Popen(  # noqa: S603 - our own module
            words, pass_fds=[number], stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        send(line, settings)
        yield Child(process, line)
    except BaseException:
        # Whoever interrupts a start does not wait until a bundle is loaded.
        process.kill()
        raise
    finally:
        line.close()
        try:
            process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
