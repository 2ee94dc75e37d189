"""Logarithmic bins, of nats or minutes, and quantiles computed from counts of bins."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

LEAST, MOST, BINS = 1e-5, 10.0, 96
"""Smallest and largest edge and number of bins between them: each is 15% wider than the one
before."""
EDGES = tuple(LEAST * (MOST / LEAST) ** (at / BINS) for at in range(BINS + 1))
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels of the quantiles of nats that are reported."""


def place(value: float) -> int:
    """Return the bin of a value: 0 below the lowest edge, `BINS` + 1 above the highest."""
    return bisect_right(EDGES, value)


def every_place(values: Sequence[float]) -> list[int]:
    """Return the bins of values, as in `place`."""
    found: list[int] = np.searchsorted(EDGES, values, side="right").tolist()
    return found


def quantiles(
    counts: Mapping[int, int], most: float, levels: Sequence[float] = LEVELS
) -> dict[str, float | None]:
    """Compute quantiles from counts of bins, exact to the width of a bin.

    Args:
        counts: bin to the number of values in it.
        most: largest possible value.
        levels: levels of the quantiles, 0 to 1.

    Returns:
        Level as text to the quantile; None if there are no values.
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
    """Return the lower and upper edge of a bin, limited to the largest possible value `most`."""
    low = EDGES[at - 1] if at else 0.0
    high = EDGES[at] if at < len(EDGES) else most
    return min(low, most), min(high, most)
