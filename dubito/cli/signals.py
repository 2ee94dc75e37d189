"""Signals that shut a process down, and their handling before the service is running."""

import os
import signal


def ending() -> list[signal.Signals]:
    """Return the signals that shut a process down."""
    return [signal.SIGINT, signal.SIGTERM]


def reloading() -> list[signal.Signals]:
    """Return the signals that have a service load its models anew: SIGHUP, unless ignored.

    It is ignored in a process that nohup started. It also says that a terminal was closed, which
    shuts down what was started from there.
    """
    return [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]


def end_at_once() -> None:
    """Exit with code 0 at a signal, while there is nothing yet to shut down.

    Handlers are needed because the kernel delivers to process 1, which the service is in a
    container, only signals that it handles. Child processes exit when their channel closes.
    """
    for number in (*ending(), *reloading()):
        signal.signal(number, lambda *_: os._exit(0))
