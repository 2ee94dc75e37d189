"""The pace: how fast work is done, and how much of it to take at a time. Work is rows × passes."""

from app.serving.limits import Limits

MEMORY = 0.2
"""Weight of the last batch in what is measured."""
DISTRUST = 1.1
LEAST_SHARE = 64
"""However long it takes, a portion may have this part of its most."""
FASTEST_LESS, FASTEST_MORE = 0.5, 1.25
"""By how much a portion changes at a time."""


class Portion:
    """How much work is taken at a time, so that it takes about so long.

    It is found by trying: what a batch costs beside its work differs too much between networks for
    a rate to say how long one of another size would take.
    """

    def __init__(self, most: float, seconds: float) -> None:
        """Begin with the most."""
        self._most = most
        self.seconds = seconds
        """To be spent on it."""
        self.work = most

    def saw(self, work: float, seconds: float, beside: float = 0.0) -> None:
        """Learn from a batch: its work, how long it took, and how long what was beside it takes."""
        if work < self.work / 2:
            return
        factor = (self.seconds + beside) / max(seconds, 1e-9)
        wanted = self.work * min(FASTEST_MORE, max(FASTEST_LESS, factor))
        self.work = min(self._most, max(self._most / LEAST_SHARE, wanted))


class Average:
    """An average that forgets; 0 where nothing was measured yet."""

    def __init__(self) -> None:
        self.value = 0.0

    def saw(self, value: float) -> None:
        """Take account of one more."""
        self.value += (value - self.value) * (MEMORY if self.value else 1.0)

    def grow(self) -> None:
        """Trust it a little less: where all is refused for its sake, nothing else corrects it."""
        self.value *= DISTRUST


class Pace:
    """What batches have shown."""

    def __init__(self, limits: Limits) -> None:
        """Begin with the most that may be taken."""
        self._slice_seconds = limits.slice_seconds
        self.batch = Portion(limits.batch, limits.seconds)
        """Of small jobs."""
        self.part = Portion(limits.batch, limits.quiet_seconds)
        """Of large jobs where no small ones come."""
        self.slice = Portion(limits.slice, limits.slice_seconds)
        """Of large jobs beside small ones."""
        self.small_rate, self.large_rate = Average(), Average()
        """Work a second of batches without and with a large job's."""
        self._small_seconds = Average()
        """Of a batch of small jobs alone."""

    def saw(self, large: int, small: int, seconds: float, portion: Portion) -> None:
        """Learn from a batch: its work in large jobs, whose portion it was, and in small ones."""
        rate = (large + small) / max(seconds, 1e-9)
        if not large:
            self.batch.saw(small, seconds)
            self.small_rate.saw(rate)
            self._small_seconds.saw(seconds)
            self.slice.seconds = max(self._slice_seconds, self._small_seconds.value)
            return
        self.large_rate.saw(rate)
        portion.saw(large, seconds, self._small_seconds.value if small else 0.0)
