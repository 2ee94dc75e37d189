"""Adaptive number of passes: each row gets more until the interval of its mean is narrow enough."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from dubito.types import Booleans, Floats, Indices, Query, Summary
from dubito.uncertainty.passes import MeanPrecision, checkpoints


@dataclass(frozen=True, slots=True)
class RowStatistics:
    """Statistics of `N` rows, each over its own number of passes, and their precision."""

    summary: Summary
    passes: Indices
    """`(N,)` number of passes of each row."""
    half_widths: Floats
    """`(N,)` half-width of a 95% interval of the mean, see `dubito.uncertainty.passes`."""

    @classmethod
    def of(cls, summary: Summary, passes: int, precision: MeanPrecision) -> "RowStatistics":
        """Make the estimate of rows that all have the same number of passes."""
        counts = np.full(len(summary.mean), passes, dtype=np.intp)
        return cls(summary, counts, precision.half_widths(summary.sampling_std, passes))

    @classmethod
    def joined(cls, parts: Sequence["RowStatistics"]) -> "RowStatistics":
        """Concatenate the estimates of several sets of rows."""
        return cls(
            Summary.joined([part.summary for part in parts]),
            np.concatenate([part.passes for part in parts]),
            np.concatenate([part.half_widths for part in parts]),
        )

    def where(self, rows: Indices | Booleans | slice) -> "RowStatistics":
        """Select some rows, in the order of the selection."""
        return RowStatistics(self.summary.where(rows), self.passes[rows], self.half_widths[rows])


def adaptive(
    query: Query, tolerance: float, precision: MeanPrecision, least: int = 1
) -> Generator[Query, Summary, RowStatistics]:
    """Give every row the passes after which its half-width is within the tolerance.

    The caller computes: the generator yields a query, is sent the statistics over that query's
    passes, and returns the estimate of all rows in order. Every query starts again from pass 0,
    which at most doubles the work, so that a row's result is, to the last bit, the one for that
    number of passes alone.

    Args:
        query: rows and seed; its passes are the most a row may take. A row that does not reach the
            tolerance by then keeps the result it has.
        tolerance: half-width to reach.
        precision: of the target's means.
        least: passes below which nothing is promised; no row stops earlier, if `query` allows so
            many. Rows that stopped earlier would be the certain ones, so that a promise about all
            rows would have to hold among the uncertain ones alone.
    """
    steps = adaptive_rows(len(query.features), query.passes, tolerance, precision, least)
    wanted = next(steps)
    while True:
        part = replace(query, features=query.features[wanted.rows], passes=wanted.passes)
        try:
            wanted = steps.send((yield part))
        except StopIteration as end:
            estimate: RowStatistics = end.value
            return estimate


class WantedRows(NamedTuple):
    """Rows that need more passes."""

    rows: Indices
    """`(n,)` places of the rows."""
    passes: int
    """Number of passes that are needed of them, from the first."""


def adaptive_rows(
    count: int, most: int, tolerance: float, precision: MeanPrecision, least: int = 1
) -> Generator[WantedRows, Summary, RowStatistics]:
    """Give every row the passes that `adaptive` gives it, whatever the rows' seeds.

    Args:
        count: number of rows.
        most: most passes a row may take.
        tolerance: half-width to reach.
        precision: of the target's means.
        least: see `adaptive`.
    """
    open_rows = np.arange(count)
    rows: list[Indices] = []
    estimates: list[RowStatistics] = []
    for passes in _stops(most, tolerance, precision, least):
        estimate = RowStatistics.of((yield WantedRows(open_rows, passes)), passes, precision)
        # `not >` instead of `<=`: NaN, from passes that overflow, stays NaN with more passes.
        enough = ~(estimate.half_widths > tolerance) | (passes == most)
        rows.append(open_rows[enough])
        estimates.append(estimate.where(enough))
        open_rows = open_rows[~enough]
        if not open_rows.size:
            break
    return RowStatistics.joined(estimates).where(np.argsort(np.concatenate(rows)))


def _stops(most: int, tolerance: float, precision: MeanPrecision, least: int) -> Iterator[int]:
    """Return the last checkpoint, and those with `least` passes that can reach the tolerance."""
    first = least if least <= most else 1
    return (
        passes
        for passes in checkpoints(most, precision.members)
        if passes == most or (passes >= first and precision.floor(passes) <= tolerance)
    )
