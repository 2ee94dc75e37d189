"""Messages between a service and its engine process.

Batches are packed into few large arrays: pickling the few numbers of every row separately would
cost more than computing the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from app.serving.jobs import Job, JobEngine, Statistics, results
from app.settings import Settings
from dubito.bundles.manifest import Manifest
from dubito.engine.program import Program
from dubito.types import MEASURES, Cards, Environment, Floats, Query, Summary, measures

BEAT_SECONDS = 0.5
"""Seconds between two beats of an engine."""


@dataclass(frozen=True, slots=True)
class EngineStart:
    """First message to an engine."""

    settings: Settings
    """Settings that name the bundle."""
    is_patient: bool
    """Whether it leaves the processors to others while it imports TensorFlow."""


@dataclass(frozen=True, slots=True)
class Ready:
    """First message of an engine that has loaded its bundle."""

    manifest: Manifest
    environment: Environment
    programs: tuple[Program, ...]
    """The bundle's networks, if the service may compute small batches itself; otherwise none."""
    cards: Cards


@dataclass(frozen=True, slots=True)
class Checked:
    """Message of the process that checks a bundle."""

    settings: Settings
    """Settings that name the bundle, its version, digest and backend."""
    contents: bytes | None
    """Pickled contents of the bundle, if the service's own process is to compute it: manifest,
    environment, programs and cards. Large ones would keep the event loop that receives them."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Periodic message of an engine's process, sent while it computes as well: it is alive."""


@dataclass(frozen=True, slots=True)
class CannotStart:
    """First message of an engine or a worker that cannot start."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of jobs: queries for statistics as columns, followed by all other jobs."""

    features: Floats
    """Features of all queries' rows, `(N, F)`, query after query."""
    rows: tuple[int, ...]
    """Number of rows of each query."""
    passes: tuple[int, ...]
    seeds: tuple[int, ...]
    firsts: tuple[int, ...]
    others: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """Results of a batch."""

    statistics: Floats
    """Statistics of all queries' rows, `(N, 2 C + M)` with M measures, columns in the order of
    `Summary`'s fields; of an ensemble `C + 1` more."""
    is_ensemble: bool
    others: tuple[Any, ...]
    """Results of all other jobs, in order."""


def packed(jobs: Sequence[Job]) -> Batch:
    """Pack jobs into a batch."""
    queries = [job.query for job in jobs if isinstance(job, Statistics)]
    return Batch(
        features=np.concatenate([query.features for query in queries]) if queries else np.empty(0),
        rows=tuple(len(query.features) for query in queries),
        passes=tuple(query.passes for query in queries),
        seeds=tuple(query.seed for query in queries),
        firsts=tuple(query.first for query in queries),
        others=tuple(job for job in jobs if not isinstance(job, Statistics)),
    )


def worked_off(engine: JobEngine, batch: Batch) -> Results:
    """Compute a batch."""
    queries = [
        Statistics(Query(batch.features[start:stop], passes, seed, first))
        for (start, stop), passes, seed, first in zip(
            _bounds(batch.rows), batch.passes, batch.seeds, batch.firsts, strict=True
        )
    ]
    found = results(engine, [*queries, *batch.others])
    summaries = found[: len(queries)]
    is_ensemble = bool(summaries) and summaries[0].within_std is not None
    return Results(_columns(summaries), is_ensemble, tuple(found[len(queries) :]))


def unpacked(jobs: Sequence[Job], batch: Batch, results: Results) -> list[Any]:
    """Return the results of jobs, in the jobs' order."""
    whole, others = results.statistics, iter(results.others)
    read = Summary.of_ensemble if results.is_ensemble else Summary.of_columns
    parts = (read(whole[start:stop]) for start, stop in _bounds(batch.rows))
    return [next(parts) if isinstance(job, Statistics) else next(others) for job in jobs]


def _columns(summaries: Sequence[Summary]) -> Floats:
    """Join summaries into one array `(N, 2 C + M)`, of an ensemble `(N, 3 C + M + 1)`."""
    if not summaries:
        return np.empty((0, 0))
    classes = summaries[0].mean.shape[1]
    width = 2 * classes + len(MEASURES)
    more = 0 if summaries[0].within_std is None else classes + 1
    found = np.empty((sum(len(summary.mean) for summary in summaries), width + more))
    start = 0
    for summary in summaries:
        part = found[start : start + len(summary.mean)]
        part[:, :classes], part[:, classes : 2 * classes] = summary.mean, summary.std
        for column, values in enumerate(measures(summary), 2 * classes):
            part[:, column] = values
        if summary.within_std is not None:
            part[:, width:-1], part[:, -1] = summary.within_std, summary.between_members
        start += len(part)
    return found


def _bounds(rows: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(accumulate(rows, initial=0)))
