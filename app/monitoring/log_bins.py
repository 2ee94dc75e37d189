"""A scale of nats, or minutes: bins that grow by a constant factor; their counts tell quantiles."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

LEAST, MOST, BINS = 1e-5, 10.0, 96
"""Values between which the bins lie: each is 15% wider than the one before it."""
EDGES = tuple(LEAST * (MOST / LEAST) ** (at / BINS) for at in range(BINS + 1))
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the quantiles that are shown of nats."""


def place(value: float) -> int:
    """The bin of a value: 0 below the scale, `BINS` + 1 above it."""
    return bisect_right(EDGES, value)


def quantiles(
    counts: Mapping[int, int], most: float, levels: Sequence[float] = LEVELS
) -> dict[str, float | None]:
    """Quantiles of values of which only the bins are known, right but for the width of a bin.

    Args:
        counts: bin to values in it.
        most: the largest that a value can be.
        levels: which quantiles.

    Returns:
        Level as text to a value; None where there are no values.
    """
    order = sorted(counts)
    reached = list(accumulate(counts[at] for at in order))
    return {str(level): _quantile(order, reached, level, most) for level in levels}


def _quantile(
    order: Sequence[int], reached: Sequence[int], level: float, most: float
) -> float | None:
    if not order:
        return None
    rank = level * reached[-1]
    at = next(at for at, count in enumerate(reached) if count >= rank)
    before = reached[at - 1] if at else 0
    share = (rank - before) / (reached[at] - before)
    low, high = bounds(order[at], most)
    return low + share * (high - low)


def bounds(at: int, most: float) -> tuple[float, float]:
    """Where a bin begins and ends, with a largest value."""
    low = EDGES[at - 1] if at else 0.0
    high = EDGES[at] if at < len(EDGES) else most
    return min(low, most), min(high, most)
