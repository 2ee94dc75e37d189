"""The terminal that a service was started from: SIGHUP means something else once it is closed."""

import os

CLOSED_SECONDS = 0.1
"""Seconds after SIGHUP within which the kernel has taken a closed terminal away."""


class Terminal:
    """The terminal of this process, if it has one."""

    def __init__(self) -> None:
        """Note whether there is one."""
        self._was_there = _is_there()

    def is_gone(self) -> bool:
        """Whether there was one that has been closed."""
        return self._was_there and not _is_there()


def _is_there() -> bool:
    try:
        opened = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    os.close(opened)
    return True
