"""Callers: who waits for an answer, and for how long."""

import math
from collections.abc import Callable
from dataclasses import dataclass


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who waits for an answer."""

    deadline: float = math.inf
    """When the answer is of no use any more, by the event loop's clock, seconds."""
    gone: Callable[[], bool] = _never
    """Asked by the event loop's thread: whether nobody waits any more."""


PATIENT = Caller()
"""Waits for ever."""
