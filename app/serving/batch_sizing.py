"""Adapts batch sizes to the measured speed of the engine. Work is counted in rows × passes."""

from app.serving.limits import BatchLimits

MEMORY = 0.2
"""Weight of the latest batch in the moving averages."""
DISTRUST = 1.1
LEAST_SHARE = 64
"""Divisor of the maximum portion; no portion shrinks below that share, however long it takes."""
SLICE_SHARE = 0.25
"""Least duration of a slice, as a share of a batch of small jobs: a slice costs a batch's overhead,
and small jobs wait for it."""
FASTEST_LESS, FASTEST_MORE = 0.5, 1.25
"""Factors by which a portion may shrink or grow after one batch."""


class Portion:
    """Size of a portion of work, adapted until it takes about a given time.

    The size is found by trial: the fixed cost of a batch differs too much between networks for a
    rate to predict the time of a batch of another size.
    """

    def __init__(self, most: float, seconds: float) -> None:
        """Start with the maximum size.

        Args:
            most: maximum work of the portion, rows × passes.
            seconds: time it should take.
        """
        self._most = most
        self.seconds = seconds
        """Time the portion should take, seconds."""
        self.work = most

    def saw(self, work: float, seconds: float, beside: float = 0.0) -> None:
        """Adapt the size to a batch.

        Args:
            work: work of the batch in this kind of jobs, rows × passes.
            seconds: time the batch took.
            beside: time that the other jobs in the batch would take alone, seconds.
        """
        if work < self.work / 2:
            return
        factor = (self.seconds + beside) / max(seconds, 1e-9)
        wanted = self.work * min(FASTEST_MORE, max(FASTEST_LESS, factor))
        self.work = min(self._most, max(self._most / LEAST_SHARE, wanted))


class Average:
    """Exponential moving average; 0 before the first measurement."""

    def __init__(self) -> None:
        self.value = 0.0

    def saw(self, value: float) -> None:
        """Add a measurement."""
        self.value += (value - self.value) * (MEMORY if self.value else 1.0)

    def grow(self) -> None:
        """Raise the value by a tenth: while all is refused, no measurement would correct it."""
        self.value *= DISTRUST


class Pace:
    """Measured rates and adapted portions of a batcher."""

    def __init__(self, limits: BatchLimits) -> None:
        """Start with the largest portions that the limits allow."""
        self._slice_seconds = limits.slice_seconds
        self.batch = Portion(limits.batch, limits.seconds)
        """Portion of small jobs in a batch."""
        self.part = Portion(limits.batch, limits.quiet_seconds)
        """Portion of large jobs while no small jobs arrive."""
        self.slice = Portion(limits.slice, limits.slice_seconds)
        """Portion of large jobs while small jobs arrive."""
        self.small_rate, self.large_rate = Average(), Average()
        """Rates of batches without and with a large job, rows × passes a second."""
        self._small_seconds = Average()
        """Duration of a batch of small jobs only, seconds."""

    def saw(self, large: int, small: int, seconds: float, portion: Portion) -> None:
        """Adapt portions and rates to a batch.

        Args:
            large: work in large jobs, rows × passes.
            small: work in small jobs, rows × passes.
            seconds: time the batch took.
            portion: portion that limited the large jobs.
        """
        rate = (large + small) / max(seconds, 1e-9)
        if not large:
            self.batch.saw(small, seconds)
            self.small_rate.saw(rate)
            self._small_seconds.saw(seconds)
            least = self._small_seconds.value * SLICE_SHARE
            self.slice.seconds = max(self._slice_seconds, least)
            return
        self.large_rate.saw(rate)
        portion.saw(large, seconds, self._small_seconds.value if small else 0.0)
