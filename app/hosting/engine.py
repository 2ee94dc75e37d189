"""The engine's process: loads a bundle and computes batches, until its line ends.

Python runs one thread at a time. An engine in a thread of the service would take turns with the
event loop at every operation; in a process of its own both go on. `python -m app.hosting.engine N`
talks over file descriptor N.
"""

import gc
import pickle
import select
import signal
import socket
import sys
import time

from app.errors import DubitoError
from app.hosting.wire import Failed, Ready, receive, send, worked_off
from app.network.bundle import load
from app.network.catalog import find
from app.network.engine import Engine
from app.network.golden import warm
from app.settings import Settings

WATCHED_SECONDS = 0.0003
"""After each batch."""


def main(line: socket.socket) -> None:
    """Serve the process at the other end of a line."""
    try:
        settings: Settings = receive(line)
        folder = find(settings.models, settings.model, settings.version)
        bundle = load(folder, pinned=settings.digest, threads=settings.threads)
    except DubitoError as error:
        send(line, Failed(str(error)))
        return
    # What the libraries made lasts as long as the process: the collector need not look again.
    gc.collect()
    gc.freeze()
    program = bundle.engine.program
    portable = program if program is not None and program.portable else None
    send(line, Ready(bundle.manifest, bundle.environment, portable, bundle.card))
    warm(bundle.engine, bundle.manifest.golden)
    poll = select.poll()
    poll.register(line, select.POLLIN)
    while True:
        _watch(poll)
        _answer(line, bundle.engine)


def _watch(poll: select.poll) -> None:
    """Look for the next batch a moment: to be woken takes longer than a small one."""
    end = time.perf_counter() + WATCHED_SECONDS
    while time.perf_counter() < end and not poll.poll(0):
        pass


def _answer(line: socket.socket, engine: Engine) -> None:
    batch = receive(line)
    try:
        send(line, worked_off(engine, batch))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - it is raised where the results are awaited
        send(line, _portable(error))


def _portable(error: Exception) -> Exception:
    """An error that the other process can take."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - of our own
    except Exception:  # noqa: BLE001 - an error may refuse in any way
        return RuntimeError(type(error).__name__)
    return error


if __name__ == "__main__":
    # The service ends it: a manager's SIGTERM may reach both, and answers are still due.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        main(socket.socket(fileno=int(sys.argv[1])))
    except (EOFError, OSError):
        sys.exit()
