"""Leaves the processors to processes that are in a hurry."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""Priority of the session of a process, where Linux shares the processors among sessions first: the
priority of a process then counts within its session alone, see `sched(7)`."""
RETRY_SECONDS = 0.15
"""Pause between two attempts to set it."""


def be_patient(niceness: int) -> None:
    """Lower the priority of this process, and of its session, which is its own.

    Args:
        niceness: 19 for the lowest priority.
    """
    os.nice(niceness)
    _set(niceness)


@contextmanager
def patient_session(niceness: int) -> Iterator[None]:
    """Lower the priority of this process' session, which is its own, within the block."""
    is_lowered = _set(niceness)
    try:
        yield
    finally:
        # Linux takes few changes a second of all processes together.
        while is_lowered and not _set(0):
            time.sleep(RETRY_SECONDS)


def _set(niceness: int) -> bool:
    """Set the priority of the session; returns False if that is not possible now."""
    try:
        AUTOGROUP.write_text(str(niceness), encoding="ascii")
    except OSError:
        return False
    return True
