"""Messages between a service and its engine's process.

Batches are packed as few large arrays: pickling each row's handful of numbers by itself would cost
more than the network does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from app.serving.jobs import Engine, Job, Statistics, results
from dubito.bundles.manifest import Manifest
from dubito.engine.program import Program
from dubito.types import Cards, Environment, Floats, Query, Summary

BEAT_SECONDS = 0.5
"""Seconds between two signs of life of an engine."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What an engine says once it has loaded its bundle."""

    manifest: Manifest
    environment: Environment
    program: Program | None
    """Its network, where a process without Keras can run it."""
    cards: Cards


@dataclass(frozen=True, slots=True)
class Beat:
    """What an engine says now and then, also while it computes: its process runs."""


@dataclass(frozen=True, slots=True)
class CannotStart:
    """What an engine says that cannot begin."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs: queries for statistics as columns, then all others."""

    features: Floats
    """`(N, F)` of all queries, one after the other."""
    rows: tuple[int, ...]
    """Number of rows of each query."""
    passes: tuple[int, ...]
    seeds: tuple[int, ...]
    firsts: tuple[int, ...]
    others: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """What came of a batch."""

    statistics: Floats
    """`(N, 2 C + 4)` of all rows of all queries, as `Summary` has them."""
    others: tuple[Any, ...]
    """Results of all other jobs, in order."""


def packed(jobs: Sequence[Job]) -> Batch:
    """Jobs as a batch."""
    queries = [job.query for job in jobs if isinstance(job, Statistics)]
    return Batch(
        features=np.concatenate([query.features for query in queries]) if queries else np.empty(0),
        rows=tuple(len(query.features) for query in queries),
        passes=tuple(query.passes for query in queries),
        seeds=tuple(query.seed for query in queries),
        firsts=tuple(query.first for query in queries),
        others=tuple(job for job in jobs if not isinstance(job, Statistics)),
    )


def worked_off(engine: Engine, batch: Batch) -> Results:
    """What comes of a batch."""
    queries = [
        Statistics(Query(batch.features[start:stop], passes, seed, first))
        for (start, stop), passes, seed, first in zip(
            _bounds(batch.rows), batch.passes, batch.seeds, batch.firsts, strict=True
        )
    ]
    found = results(engine, [*queries, *batch.others])
    return Results(_columns(found[: len(queries)]), tuple(found[len(queries) :]))


def unpacked(jobs: Sequence[Job], batch: Batch, results: Results) -> list[Any]:
    """The results of jobs, in their order."""
    whole, others = results.statistics, iter(results.others)
    parts = (_summary(whole[start:stop]) for start, stop in _bounds(batch.rows))
    return [next(parts) if isinstance(job, Statistics) else next(others) for job in jobs]


def _columns(summaries: Sequence[Summary]) -> Floats:
    """Summaries side by side in one array."""
    if not summaries:
        return np.empty((0, 0))
    classes = summaries[0].mean.shape[1]
    found = np.empty((sum(len(summary.mean) for summary in summaries), 2 * classes + 4))
    start = 0
    for summary in summaries:
        part = found[start : start + len(summary.mean)]
        part[:, :classes], part[:, classes:-4] = summary.mean, summary.std
        part[:, -4], part[:, -3] = summary.predictive_entropy, summary.expected_entropy
        part[:, -2], part[:, -1] = summary.mutual_information, summary.variation_ratio
        start += len(part)
    return found


def _summary(columns: Floats) -> Summary:
    classes = columns.shape[1] // 2 - 2
    last = (columns[:, index] for index in range(-4, 0))
    return Summary(columns[:, :classes], columns[:, classes:-4], *last)


def _bounds(rows: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(accumulate(rows, initial=0)))
