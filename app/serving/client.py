"""Clients: who waits for an answer, and for how long."""

import math
from collections.abc import Callable
from dataclasses import dataclass


def staying() -> bool:
    """Whether a client has gone that cannot go."""
    return False


@dataclass(frozen=True, slots=True)
class Client:
    """Who waits for an answer."""

    deadline: float = math.inf
    """When the answer is of no use any more, by the event loop's clock."""
    gone: Callable[[], bool] = staying
    """Asked by the event loop's thread: whether nobody waits any more."""


PATIENT = Client()
"""Waits for ever."""
