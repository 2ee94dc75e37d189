"""Looks: rows that are asked for with more and more passes, each until its mean is near enough."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from app.uncertainty.passes import checkpoints, floor, half_widths
from app.values import Booleans, Floats, Indices, Query, Summary


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of `N` rows, each after its own number of passes."""

    summary: Summary
    passes: Indices
    """`(N,)`"""
    half_widths: Floats
    """`(N,)`, of a 95% interval of the mean, see `app.uncertainty.passes`."""

    @classmethod
    def of(cls, summary: Summary, passes: int) -> "Look":
        """All rows after one number of passes."""
        counts = np.full(len(summary.mean), passes, dtype=np.intp)
        return cls(summary, counts, half_widths(summary.std, passes))

    @classmethod
    def joined(cls, parts: Sequence["Look"]) -> "Look":
        """Several sets of rows, one after the other."""
        return cls(
            Summary.joined([part.summary for part in parts]),
            np.concatenate([part.passes for part in parts]),
            np.concatenate([part.half_widths for part in parts]),
        )

    def where(self, rows: Indices | Booleans | slice) -> "Look":
        """The rows of a selection, in its order."""
        return Look(self.summary.where(rows), self.passes[rows], self.half_widths[rows])


class Ask(Protocol):
    """Answers a query; one that goes on with a request that was begun is never refused."""

    async def __call__(self, query: Query, *, accepted: bool) -> Summary:
        """Statistics over the passes of the query."""


async def look_until(query: Query, tolerance: float, ask: Ask, least: int = 1) -> Look:
    """Every row after the first checkpoint at which its half-width is within the tolerance.

    A look starts from pass 0 again, which at most doubles the work: so a row's answer is, to the
    last bit, the one for that number of passes alone.

    Args:
        query: its passes are the most a row may take; after them it is answered as it is.
        tolerance: the half-width to reach.
        ask: answers a query.
        least: passes below which nothing is promised. Rows that stopped before would be the sure
            ones, and what is promised of all rows would be kept by the doubtful ones alone.
    """
    open_rows = np.arange(len(query.features))
    rows: list[Indices] = []
    looks: list[Look] = []
    for look_at in _worth_looking(query.passes, tolerance, least):
        part = replace(query, features=query.features[open_rows], passes=look_at)
        look = Look.of(await ask(part, accepted=bool(looks)), look_at)
        # A half-width that is no number, as of passes that overflow, will not become one.
        enough = ~(look.half_widths > tolerance) | (look_at == query.passes)
        rows.append(open_rows[enough])
        looks.append(look.where(enough))
        open_rows = open_rows[~enough]
        if not open_rows.size:
            break
    return Look.joined(looks).where(np.argsort(np.concatenate(rows)))


def _worth_looking(most: int, tolerance: float, least: int) -> Iterator[int]:
    """The checkpoints at which a row can be within the tolerance and promised, and the last."""
    first = least if least <= most else 1
    return (
        at for at in checkpoints(most) if at == most or (at >= first and floor(at) <= tolerance)
    )
