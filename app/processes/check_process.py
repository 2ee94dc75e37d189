"""The process that checks a bundle which is to take over, and leaves the processors to others.

Checking takes as long as a thousand answers. In the service's own process it would compete with the
event loop for the interpreter, and for the processors at the same priority. This process checks the
files and the golden rows, hands over what was read, and ends. Most of its work are imports, which
therefore come after the change of priority. `python -m app.processes.check_process N` uses the
socket with file descriptor N.
"""

import gc
import signal
import socket
import sys
from typing import TYPE_CHECKING

from app.processes.patience import be_patient

if TYPE_CHECKING:
    from app.processes.engine_messages import Checked
    from app.settings import Settings

NICENESS = 8
"""Priority of a check: a sixth of the share that others have of a busy processor. At 5 clients
notice it, and at the least priority, 19, a bundle would not take over for a minute while requests
keep all processors busy."""


def main(line: socket.socket) -> None:
    """Check the bundle that the settings name which the other end of a socket sends."""
    be_patient(NICENESS)
    gc.disable()
    from app.processes.channel import receive, send
    from app.processes.engine_messages import CannotStart
    from app.processes.logs import configure_logs
    from dubito.errors import DubitoError

    settings: Settings = receive(line)
    configure_logs()
    try:
        send(line, _checked(settings))
    except DubitoError as error:
        send(line, CannotStart(str(error)))


def _checked(settings: "Settings") -> "Checked":
    """Check a bundle; what TensorFlow computes is checked by its engine, which has TensorFlow.

    Raises:
        BundleError: it must not be served.
    """
    from app.model_source import ModelSource
    from app.pinned_model import pin_model
    from app.processes.channel import PICKLED
    from app.processes.engine_messages import Checked

    pinned = pin_model(ModelSource(settings))
    found = pinned.source.settings
    inspected = pinned.checked.take()
    if found.backend != "native" or inspected is None:
        return Checked(found, None)
    # Imported late: a bundle whose files are broken does not need it.
    from app.serving.jobs import SHARED
    from dubito.bundle import load_inspected
    from dubito.bundles.repository import find_version
    from dubito.types import Threads

    folder = find_version(found.models, found.model, found.version)
    threads = Threads(found.threads, SHARED)
    bundle = load_inspected(inspected, folder, threads=threads, backend="native")
    programs = tuple(bundle.engine.programs)
    parts = (bundle.manifest, bundle.environment, programs, bundle.cards)
    return Checked(found, PICKLED.encode(parts))


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        main(socket.socket(fileno=int(sys.argv[1])))
    except (EOFError, OSError):
        sys.exit()
