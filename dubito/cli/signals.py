"""Signals that shut a process down, and their handling before the service is running."""

import os
import signal
import time

CLOSED_SECONDS = 0.1
"""Seconds after SIGHUP within which the kernel has taken a closed terminal away."""


def ending() -> list[signal.Signals]:
    """Return the signals that shut a process down."""
    return [signal.SIGINT, signal.SIGTERM]


def reloading() -> list[signal.Signals]:
    """Return the signals that have a service load its models anew: SIGHUP, unless ignored.

    It is ignored in a process that nohup started. It also says that a terminal was closed, which
    shuts down what was started from there.
    """
    return [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]


class Terminal:
    """The terminal of this process, if it has one: SIGHUP means something else once it is gone."""

    def __init__(self) -> None:
        """Note whether there is one."""
        self._was_there = _has_terminal()

    def is_gone(self) -> bool:
        """Whether there was one that has been closed; to be asked `CLOSED_SECONDS` after SIGHUP."""
        return self._was_there and not _has_terminal()


def _has_terminal() -> bool:
    try:
        opened = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    os.close(opened)
    return True


def end_at_once() -> None:
    """Exit with code 0 at a signal, while there is nothing yet to shut down.

    There is nothing to load anew either, so that SIGHUP does so only where it says that the
    terminal was closed.

    Handlers are needed because the kernel delivers to process 1, which the service is in a
    container, only signals that it handles. Child processes exit when their channel closes.
    """
    terminal = Terminal()

    def hang_up(*_: object) -> None:
        time.sleep(CLOSED_SECONDS)
        if terminal.is_gone():
            os._exit(0)

    for number in ending():
        signal.signal(number, lambda *_: os._exit(0))
    for number in reloading():
        signal.signal(number, hang_up)
