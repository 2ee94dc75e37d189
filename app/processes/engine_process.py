"""The engine's process: loads a bundle and computes batches, until its line ends.

Python runs one thread at a time. An engine in a thread of the service would take turns with the
event loop at every operation; in a process of its own both go on. `python -m
app.processes.engine_process N` talks over file descriptor N.
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

from app.error_location import fault_of
from app.processes.channel import PICKLED, framed, receive
from app.processes.engine_messages import (
    BEAT_SECONDS,
    Batch,
    Beat,
    CannotStart,
    Ready,
    Results,
    worked_off,
)
from app.processes.logs import configure_logs
from app.settings import Settings
from dubito.errors import DubitoError

if TYPE_CHECKING:
    from dubito.engine.engine import Engine

log = logging.getLogger("dubito.engine")

WATCHED_SECONDS = 0.0003
"""After each batch."""


class Pulse:
    """Says from a thread of its own that this process runs, and ends it with its service.

    The thread that computes may be busy for long, with a batch or with loading a bundle.
    """

    def __init__(self, line: socket.socket) -> None:
        """Watch a line from now on; there are beats once something was sent."""
        self._line = line
        self._turn = threading.Lock()
        self._is_begun = False
        threading.Thread(target=self._run, name="dubito-pulse", daemon=True).start()

    def send(self, message: object) -> None:
        """Send a message, waiting until all of it is on its way."""
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
        # Nobody is left who waits for a batch, so that none need be finished.
        os._exit(0)


def main(line: socket.socket) -> None:
    """Serve the process at the other end of a line."""
    pulse = Pulse(line)
    # Keras takes seconds to import, in which this process must notice that its service has gone.
    from dubito.bundle import load
    from dubito.bundles.golden import warm
    from dubito.bundles.repository import find

    try:
        settings: Settings = receive(line)
        configure_logs(settings)
        folder = find(settings.models, settings.model, settings.version)
        bundle = load(folder, pinned=settings.digest, threads=settings.threads)
    except DubitoError as error:
        pulse.send(CannotStart(str(error)))
        return
    # What the libraries made lasts as long as the process: the collector need not look again.
    gc.collect()
    gc.freeze()
    program = bundle.engine.program
    portable = program if program is not None and program.portable else None
    # What this begins may take more memory than there is: then nothing was promised yet.
    warm(bundle.engine, bundle.manifest.golden)
    pulse.send(Ready(bundle.manifest, bundle.environment, portable, bundle.cards))
    poll = select.poll()
    poll.register(line, select.POLLIN)
    while True:
        _watch(poll)
        pulse.send(_answer(receive(line), bundle.engine))


def _watch(poll: select.poll) -> None:
    """Look for the next batch a moment: to be woken takes longer than a small one."""
    end = time.perf_counter() + WATCHED_SECONDS
    while time.perf_counter() < end and not poll.poll(0):
        pass


def _answer(batch: Batch, engine: "Engine") -> Results | Exception:
    """What came of a batch."""
    try:
        return worked_off(engine, batch)
    except Exception as error:  # noqa: BLE001 - it is raised where the results are awaited
        log.error("a batch failed: %s", fault_of(error))  # noqa: TRY400 - its text can hold figures
        return _portable(error)


def _portable(error: Exception) -> Exception:
    """An error that the other process can take."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - of our own
    except Exception:  # noqa: BLE001 - an error may refuse in any way
        return RuntimeError(type(error).__name__)
    return error


if __name__ == "__main__":
    # The service ends it: a manager's signal may reach both, and answers are still due.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        main(socket.socket(fileno=int(sys.argv[1])))
    except (EOFError, OSError):
        sys.exit()
