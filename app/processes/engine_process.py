"""The engine process: loads a bundle and computes batches until its socket is closed.

Python runs one thread at a time, so an engine in a thread of the service would compete with the
event loop at every operation; in a process of its own both run in parallel. `python -m
app.processes.engine_process N` uses the socket with file descriptor N.
"""

import gc
import logging
import os
import pickle
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from app.error_location import locate_error
from app.processes.channel import PICKLED, framed, receive
from app.processes.engine_messages import (
    BEAT_SECONDS,
    Batch,
    Beat,
    CannotStart,
    EngineStart,
    Ready,
    Results,
    worked_off,
)
from app.processes.logs import configure_logs
from app.processes.patience import patient_session
from app.serving.jobs import SHARED
from dubito.errors import DubitoError
from dubito.types import Threads

if TYPE_CHECKING:
    from dubito.engine.engine import Engine

log = logging.getLogger("dubito.engine")

NICENESS = 10
"""Priority of an import that is in no hurry: a tenth of another's share of a busy processor."""
WATCHED_SECONDS = 0.0003
"""Time of polling for the next batch after each batch, seconds."""


class Pulse:
    """Sends beats from a thread of its own, and ends the process when its service has ended.

    The main thread may be busy for long, with a batch or with loading a bundle.
    """

    def __init__(self, line: socket.socket) -> None:
        """Start to watch the socket; beats begin after the first message."""
        self._line = line
        self._turn = threading.Lock()
        self._is_begun = False
        threading.Thread(target=self._run, name="dubito-pulse", daemon=True).start()

    def send(self, message: object) -> None:
        """Send a message; blocks until all of it is written to the socket."""
        content = framed(PICKLED.encode(message))
        with self._turn:
            self._line.sendall(content)
            self._is_begun = True

    def _run(self) -> None:
        hung_up = select.poll()
        hung_up.register(self._line, 0)
        while not hung_up.poll(BEAT_SECONDS * 1e3):
            if self._is_begun:
                with suppress(OSError):
                    self.send(Beat())
        # With the service gone no caller waits for a batch, so none has to be finished.
        os._exit(0)


def main(line: socket.socket) -> None:
    """Serve the process at the other end of a socket."""
    pulse = Pulse(line)
    # What imports make stays; searching it for garbage would take a quarter of their time.
    gc.disable()
    start: EngineStart = receive(line)
    if start.is_patient and start.settings.backend != "numpy":
        _import_patiently()
    # Importing takes a while, during which the end of the service must be noticed.
    from dubito.bundle import load
    from dubito.bundles.golden import warm
    from dubito.bundles.repository import find_version

    try:
        settings = start.settings
        configure_logs()
        folder = find_version(settings.models, settings.model, settings.version)
        bundle = load(
            folder,
            pinned=settings.digest,
            threads=Threads(settings.threads, SHARED),
            backend=settings.backend,
        )
    except DubitoError as error:
        pulse.send(CannotStart(str(error)))
        return
    gc.freeze()
    gc.enable()
    programs = bundle.engine.programs
    simple = programs if all(program.is_simple for program in programs) else ()
    # The warm-up may need more memory than available; it precedes `Ready`, before any promise.
    warm(bundle.engine, bundle.manifest.golden)
    pulse.send(Ready(bundle.manifest, bundle.environment, simple, bundle.cards))
    poll = select.poll()
    poll.register(line, select.POLLIN)
    while True:
        _watch(poll)
        pulse.send(_answer(receive(line), bundle.engine))


def _import_patiently() -> None:
    """Import TensorFlow in a thread that leaves the processors to everything else.

    A thread's low priority is inherited by those that it starts, and cannot be raised again. So
    NumPy, whose threads compute later, is imported before; TensorFlow starts its own later.
    """
    import numpy  # noqa: F401, ICN001

    def imported() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        import dubito.engine.backends.tensorflow  # noqa: F401

    thread = threading.Thread(target=imported, name="dubito-import")
    with patient_session(NICENESS):
        thread.start()
        thread.join()


def _watch(poll: select.poll) -> None:
    """Poll for the next batch for a moment: waking up would take longer than a small batch."""
    end = time.perf_counter() + WATCHED_SECONDS
    while time.perf_counter() < end and not poll.poll(0):
        pass


def _answer(batch: Batch, engine: "Engine") -> Results | Exception:
    """Compute a batch; return its results, or the error."""
    try:
        return worked_off(engine, batch)
    except Exception as error:  # noqa: BLE001 - raised where the results are awaited
        log.error("a batch failed: %s", locate_error(error))  # noqa: TRY400 - its text can hold data
        return _portable(error)


def _portable(error: Exception) -> Exception:
    """Return an error that can be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled here
    except Exception:  # noqa: BLE001 - an error may refuse in any way
        return RuntimeError(type(error).__name__)
    return error


if __name__ == "__main__":
    # The service ends this process: a process manager's signal may reach both while responses are
    # still due.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        main(socket.socket(fileno=int(sys.argv[1])))
    except (EOFError, OSError):
        sys.exit()
