"""Detects steps of the wall clock by comparing it with the monotonic clock, which cannot be set.

Timestamps are wall-clock times, because people read them. Whatever must not depend on clock
adjustments (durations, and what is erased permanently) is measured with the monotonic clock.
"""

import time

LEAST_SECONDS = 1.0
"""Smallest difference that counts as a step, seconds; the two clocks are not read simultaneously,
which alone gives smaller ones."""


class Clock:
    """Comparison of the wall clock with the monotonic clock since construction."""

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
        """Seconds since 1970, as if the wall clock had never been set since construction."""
        return self._first + time.monotonic()


def describe_step(step: float) -> str:
    """Describe a step in a sentence for the log.

    Args:
        step: seconds the clock was set ahead; negative if it was set back.
    """
    way = "ahead" if step > 0 else "back"
    return f"the clock was set {way} by {abs(step):,.0f} s"


def _ahead() -> float:
    return time.time() - time.monotonic()
