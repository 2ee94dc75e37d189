"""Buffers counts and observations for Prometheus until they are read.

A dozen observations of a request, one by one, cost as much as grading its row; many of one series
together cost as much as one.
"""

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Sequence

from prometheus_client import Counter, Histogram

MOST_VALUES = 256
"""Values of one histogram that are buffered at most."""


class BulkHistogram(Histogram):
    """A histogram that takes many values at once."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Observe values, as if one by one."""
        self._raise_if_not_observable()  # type: ignore[no-untyped-call]
        # A bucket has the values up to its bound, inclusive. NumPy would release the interpreter's
        # lock, and the event loop would then wait for it.
        bounds = self._upper_bounds
        for at, count in Counts(bisect_left(bounds, value) for value in values).items():
            self._buckets[at].inc(count)
        self._sum.inc(sum(values))


class MetricBuffer:
    """Counts and values that the instruments do not have yet. Used on the event loop."""

    def __init__(self, *, is_shared: bool) -> None:
        """Create an empty buffer.

        Args:
            is_shared: whether other processes show the instruments, so that nothing may wait.
        """
        self._is_shared = is_shared
        self._counts: dict[Counter, float] = {}
        self._values: dict[BulkHistogram, list[float]] = {}

    def count(self, counter: Counter, more: float = 1) -> None:
        """Add to a counter."""
        if self._is_shared:
            counter.inc(more)
            return
        self._counts[counter] = self._counts.get(counter, 0) + more

    def observe(self, histogram: BulkHistogram, value: float) -> None:
        """Add a value to a histogram."""
        if self._is_shared:
            histogram.observe(value)
            return
        values = self._values.get(histogram)
        if values is None:
            values = self._values[histogram] = []
        values.append(value)
        if len(values) >= MOST_VALUES:
            self.flush()

    def flush(self) -> None:
        """Give the instruments what is buffered."""
        for counter, count in self._counts.items():
            counter.inc(count)
        for histogram, values in self._values.items():
            histogram.observe_all(values)
        self._counts.clear()
        self._values.clear()
