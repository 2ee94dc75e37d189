"""The clock beside one that nobody can set: tells when the first was set, and by how much.

Times are told by the wall clock, and people read them. What must not depend on it (durations, and
what is erased for good) is measured by the monotonic one.
"""

import time

LEAST_SECONDS = 1.0
"""Of a step; less is how the two are read one after the other."""


class Clock:
    """Compares both clocks from its making on."""

    def __init__(self) -> None:
        self._first = self._ahead = _ahead()

    def step(self) -> float:
        """Seconds the wall clock was set ahead since the last call; negative if it was set back."""
        step = _ahead() - self._ahead
        if abs(step) < LEAST_SECONDS:
            return 0.0
        self._ahead += step
        return step

    def steady(self) -> float:
        """Seconds since 1970 as they would be if the wall clock had never been set."""
        return self._first + time.monotonic()


def told(step: float) -> str:
    """A sentence for the log."""
    way = "ahead" if step > 0 else "back"
    return f"the clock was set {way} by {abs(step):,.0f} s"


def _ahead() -> float:
    return time.time() - time.monotonic()
