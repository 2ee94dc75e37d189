"""The pace: how fast work was done lately, and so how much of it is done in some time."""

import math

MEMORY = 0.2
"""Weight of the last batch in what is measured."""
LEAST_SHARE = 16
"""However slow it goes, a batch or a slice may have this part of its most."""


class Pace:
    """Rates in work a second, where work is rows × passes; 0 where nothing was measured yet."""

    def __init__(self) -> None:
        self.rate = 0.0
        """Of all batches."""
        self.fast = 0.0
        """Of those with a slice in them: a small batch takes long for what it is."""
        self.small_seconds = 0.0
        """Of a batch of small jobs alone."""

    def saw(self, work: float, seconds: float, *, sliced: bool) -> None:
        """Take account of a batch, and of whether it had a slice of a large job in it."""
        seconds = max(seconds, 1e-9)
        self.rate = _averaged(self.rate, work / seconds)
        if sliced:
            self.fast = _averaged(self.fast, work / seconds)
        else:
            self.small_seconds = _averaged(self.small_seconds, seconds)


def done_in(seconds: float, rate: float, most: float) -> float:
    """About how much work is done in so many seconds, at most so much and never too little."""
    if seconds == math.inf or not rate:
        return most
    return min(most, max(rate * seconds, most / LEAST_SHARE))


def _averaged(before: float, now: float) -> float:
    return before + (now - before) * (MEMORY if before else 1.0)
