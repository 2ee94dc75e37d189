"""Adaptive passes, driven by hand: each query is computed at once, and noted."""

from collections.abc import Callable

from dubito.types import Query, Summary
from dubito.uncertainty.adaptive_passes import RowStatistics, adaptive
from dubito.uncertainty.passes import PROBABILITIES


def driven(
    compute: Callable[[Query], Summary], query: Query, tolerance: float, least: int = 1
) -> tuple[RowStatistics, list[Query]]:
    """The estimate of a query, and what was asked for it, in order."""
    steps, asked = adaptive(query, tolerance, PROBABILITIES, least), list[Query]()
    try:
        asked.append(next(steps))
        while True:
            asked.append(steps.send(compute(asked[-1])))
    except StopIteration as end:
        estimate: RowStatistics = end.value
        return estimate, asked
