"""Starts and ends the child processes of a service: the engine and the recorder."""

import socket
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from signal import Signals
from typing import Literal

from app.errors import EngineLost, RecorderLost, StartError
from app.model_source import ModelSource, of_role
from app.processes.channel import EXIT_SECONDS, send
from app.processes.engine_messages import EngineStart
from app.records.location import RecordsLocation
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Child:
    """A child process, and the socket to it."""

    process: subprocess.Popen[bytes]
    line: socket.socket


@dataclass(frozen=True, slots=True)
class ChildProcesses:
    """The child processes of a service."""

    engines: Mapping[str, Child]
    """Engines by the name of their model; none for those that the native backend computes, in the
    service's own process."""
    recorder: Child | None
    """None if recording is off."""
    later: list[Child] = field(default_factory=list)
    """Engines of bundles that took the place of others."""


@contextmanager
def early_recorder(settings: Settings) -> Iterator[Child | None]:
    """Start a recorder within a block, which imports its modules and then waits.

    Nothing of the records is opened or made before `start_children` says what they are.

    Yields:
        The process; None if recording is off.
    """
    if settings.records == "off":
        yield None
        return
    with child("recorder") as recorder:
        yield recorder


@contextmanager
def start_children(
    settings: Settings, sources: Sequence[ModelSource], recorder: Child | None
) -> Iterator[ChildProcesses]:
    """Run the processes within a block; they load while the service imports its modules.

    Args:
        settings: the settings.
        sources: the bundles of the models, each with its backend.
        recorder: what `early_recorder` yielded.

    Raises:
        StartError: the block lost a process; the sentence says how the process ended.
        AddressError: the settings name no database that can store records.
    """
    with ExitStack() as stack:
        if recorder is not None:
            _begin(recorder, records_location(settings))
        engines = {
            one.settings.model: stack.enter_context(started_engine(one.settings))
            for one in of_role(sources, "served")
            if one.fault is None and one.settings.backend != "native"
        }
        children = ChildProcesses(engines, recorder)
        try:
            yield children
        except EngineLost as error:
            lost = _lost([*engines.values(), *children.later])
            raise StartError(f"{error}: its process {end_of(lost)}") from None
        except RecorderLost as error:
            assert recorder is not None  # noqa: S101 - only a recorder that exists can be lost
            raise StartError(f"{error}: its process {end_of(recorder)}") from None


def _begin(recorder: Child, location: RecordsLocation) -> None:
    try:
        send(recorder.line, location)
    except ConnectionError:
        raise StartError(f"the recorder's process {end_of(recorder)}") from None


def records_location(settings: Settings) -> RecordsLocation:
    """Return where the records of a service are.

    Raises:
        AddressError: the URL of the settings does not name a database that can store records.
    """
    if settings.records_url is not None:
        # Imported late: the usual database needs no check, and this imports what talks to it.
        from app.records.address import url_of

        url_of(settings.records_url, settings.state)
    return RecordsLocation(settings.records_url, settings.records_key_file, settings.state)


def _lost(engines: Collection[Child]) -> Child:
    """Return the engine that has ended by itself: the others end well, with the service."""
    codes = [(one, one.process.poll()) for one in engines]
    return max(codes, key=lambda one: (one[1] is not None, bool(one[1])))[0]


def end_of(child: Child) -> str:
    """Wait for a process to end; return how it ended, as part of a sentence."""
    code = child.process.wait()
    return f"ended with code {code}" if code >= 0 else f"was ended by {Signals(-code).name}"


@contextmanager
def started_engine(settings: Settings, *, is_patient: bool = False) -> Iterator[Child]:
    """Run an engine within a block, which loads the bundle of the settings.

    Args:
        settings: the settings.
        is_patient: whether it leaves the processors to others while it imports TensorFlow.
    """
    with child("engine") as engine:
        send(engine.line, EngineStart(settings, is_patient))
        yield engine


@contextmanager
def child(module: Literal["check", "engine", "recorder"]) -> Iterator[Child]:
    """Run one child process within a block; it waits for its first message."""
    line, other = socket.socketpair()
    with other:
        number = other.fileno()
        words = [sys.executable, "-m", f"app.processes.{module}_process", str(number)]
        # A session of its own: Ctrl-C reaches the service only, which then ends the child.
        process = subprocess.Popen(  # noqa: S603 - a module of this package
            words, pass_fds=[number], stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield Child(process, line)
    except BaseException:
        # A start that is interrupted does not wait until the bundle is loaded.
        process.kill()
        raise
    finally:
        line.close()
        try:
            process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
