"""The caller of a prediction: its deadline, and whether it has disconnected."""

import math
from collections.abc import Callable
from dataclasses import dataclass


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller that waits for an answer."""

    deadline: float = math.inf
    """Time after which the answer is useless, seconds of the event loop's clock."""
    gone: Callable[[], bool] = _never
    """Function that reports whether the caller has disconnected, called in the event loop's
    thread."""


PATIENT = Caller()
"""Caller without a deadline that never disconnects."""
