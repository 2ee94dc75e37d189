"""Adaptive passes: each row gets more passes until its mean is precise enough."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dubito.types import Booleans, Floats, Indices, Query, Summary
from dubito.uncertainty.passes import checkpoints, floor, half_widths


@dataclass(frozen=True, slots=True)
class Estimate:
    """The statistics of `N` rows, each over its own number of passes, and their precision."""

    summary: Summary
    passes: Indices
    """`(N,)`"""
    half_widths: Floats
    """`(N,)`, of a 95% interval of the mean, see `dubito.uncertainty.passes`."""

    @classmethod
    def of(cls, summary: Summary, passes: int) -> "Estimate":
        """All rows after one number of passes."""
        counts = np.full(len(summary.mean), passes, dtype=np.intp)
        return cls(summary, counts, half_widths(summary.std, passes))

    @classmethod
    def joined(cls, parts: Sequence["Estimate"]) -> "Estimate":
        """Several sets of rows, one after the other."""
        return cls(
            Summary.joined([part.summary for part in parts]),
            np.concatenate([part.passes for part in parts]),
            np.concatenate([part.half_widths for part in parts]),
        )

    def where(self, rows: Indices | Booleans | slice) -> "Estimate":
        """The rows of a selection, in its order."""
        return Estimate(self.summary.where(rows), self.passes[rows], self.half_widths[rows])


def adaptive(query: Query, tolerance: float, least: int = 1) -> Generator[Query, Summary, Estimate]:
    """Give every row the passes after which its half-width is within the tolerance.

    A generator without input or output of its own: it yields a query, is sent the statistics over
    that query's passes, and returns the estimate of all rows in order. Every query starts from
    pass 0 again, which at most doubles the work: so a row's answer is, to the last bit, the one
    for that number of passes alone.

    Args:
        query: its passes are the most a row may take; after them it is answered as it is.
        tolerance: the half-width to reach.
        least: passes below which nothing is promised. Rows that stopped before would be the sure
            ones, and what is promised of all rows would be kept by the doubtful ones alone.
    """
    open_rows = np.arange(len(query.features))
    rows: list[Indices] = []
    estimates: list[Estimate] = []
    for passes in _stops(query.passes, tolerance, least):
        part = replace(query, features=query.features[open_rows], passes=passes)
        estimate = Estimate.of((yield part), passes)
        # A half-width that is no number, as of passes that overflow, will not become one.
        enough = ~(estimate.half_widths > tolerance) | (passes == query.passes)
        rows.append(open_rows[enough])
        estimates.append(estimate.where(enough))
        open_rows = open_rows[~enough]
        if not open_rows.size:
            break
    return Estimate.joined(estimates).where(np.argsort(np.concatenate(rows)))


def _stops(most: int, tolerance: float, least: int) -> Iterator[int]:
    """The checkpoints at which a row can be within the tolerance and promised, and the last."""
    first = least if least <= most else 1
    return (
        passes
        for passes in checkpoints(most)
        if passes == most or (passes >= first and floor(passes) <= tolerance)
    )
