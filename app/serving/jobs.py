"""Jobs that make up a batch, how they are split and joined, and how an engine computes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from dubito.engine.blocks import PASSES
from dubito.types import Floats, Query, Summary
from dubito.uncertainty.policy import PolicyOptions

DRAWS_OF_A_PASS = 4
"""Number of draws whose reduction takes as long as one pass."""
SHARED = 1 << 23
"""Least multiplications of a call that several threads share. Alone a quarter of it is enough, but
an event loop needs a core as well: sharing less costs a sixth of a service's rate."""


class JobEngine(Protocol):
    """What jobs require of an engine."""

    def predict(self, rows: Floats) -> Floats:
        """Compute probabilities `(N, C)` of the deterministic pass over rows `(N, F)`."""

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        """Compute statistics over the passes for the rows of each query, in order."""

    def draws(self, query: Query) -> Floats:
        """Compute probabilities `(T, N, C)` of every pass."""

    def reduced(self, draws: Floats) -> Summary:
        """Compute the statistics of draws `(T, N, C)`."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Job of a deterministic pass; the result is probabilities `(N, C)`."""

    rows: Floats


@dataclass(frozen=True, slots=True)
class Statistics:
    """Job of statistics over the passes of rows; the result is a `Summary`."""

    query: Query


@dataclass(frozen=True, slots=True)
class Judging(Statistics):
    """Job of statistics whose rows are judged together with others of the batch.

    The result is the place of its rows among those that were judged; a `Summary`, not judged, if
    the job was split or a row has no finite result.
    """

    options: PolicyOptions | None
    """Requested set and decision; None for the usual ones."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Job of the draws of rows; the result is probabilities `(T, N, C)`."""

    query: Query


@dataclass(frozen=True, slots=True)
class Reduction:
    """Job that reduces draws `(T, N, C)` to statistics; the result is a `Summary`."""

    draws: Floats


Job = Plain | Statistics | Draws | Reduction


def work_of(job: Job) -> int:
    """Measure the work of a job, rows × passes; less than a block costs as much as a block."""
    if isinstance(job, Plain):
        return len(job.rows) * PASSES
    if isinstance(job, Reduction):
        return max(PASSES, len(job.draws) // DRAWS_OF_A_PASS)
    return len(job.query.features) * max(job.query.passes, PASSES)


def cut(job: Job, most: int) -> tuple[Job, Job | None]:
    """Split a job into a part of at most `most` work (or one row or block) and the rest, if any.

    A job is split by rows; if the draws of a single row are requested, by passes.
    """
    if isinstance(job, Reduction):
        return job, None
    if isinstance(job, Plain):
        rows = max(1, most // PASSES)
        return (
            (Plain(job.rows[:rows]), Plain(job.rows[rows:]))
            if rows < len(job.rows)
            else (job, None)
        )
    query, kind = job.query, Draws if isinstance(job, Draws) else Statistics
    if isinstance(job, Draws) and len(query.features) == 1:
        passes = max(1, most // PASSES) * PASSES
        if passes >= query.passes:
            return job, None
        later = replace(query, first=query.first + passes, passes=query.passes - passes)
        return Draws(replace(query, passes=passes)), Draws(later)
    rows = max(1, most // max(query.passes, PASSES))
    if rows >= len(query.features):
        return job, None
    parts = query.features[:rows], query.features[rows:]
    first, rest = (kind(replace(query, features=part)) for part in parts)
    return first, rest


def joined(job: Job, parts: list[Any]) -> Any:
    """Join the results of a job's parts, in order, to its result."""
    if isinstance(job, Statistics):
        return Summary.joined(parts)
    return _drawn(job.query, parts) if isinstance(job, Draws) else np.concatenate(parts)


def _drawn(query: Query, parts: list[Floats]) -> Floats:
    """Join draws `(T, N, C)` of groups of rows; those of one row may be in parts of its passes."""
    found = np.empty((query.passes, len(query.features), parts[0].shape[-1]))
    row = passed = 0
    for part in parts:
        passes, rows, _ = part.shape
        found[passed : passed + passes, row : row + rows] = part
        passed += passes
        if passed == query.passes:
            row, passed = row + rows, 0
    return found


def results(engine: JobEngine, jobs: Sequence[Job]) -> list[Any]:
    """Compute the results of a batch, in order; jobs of the same kind are computed together."""
    if len(jobs) == 1 and isinstance(jobs[0], Statistics):
        return engine.summarise([jobs[0].query])
    found: dict[int, Any] = {}
    plain = {at: job.rows for at, job in enumerate(jobs) if isinstance(job, Plain)}
    if plain:
        rows = list(plain.values())
        ends = np.cumsum([len(part) for part in rows])[:-1]
        whole = engine.predict(np.concatenate(rows))
        found.update(zip(plain, np.split(whole, ends), strict=True))
    asked = {at: job.query for at, job in enumerate(jobs) if isinstance(job, Statistics)}
    if asked:
        summaries = engine.summarise(list(asked.values()))
        found.update(zip(asked, summaries, strict=True))
    for at, job in enumerate(jobs):
        if isinstance(job, Draws):
            found[at] = engine.draws(job.query)
        elif isinstance(job, Reduction):
            found[at] = engine.reduced(job.draws)
    return [found[at] for at in range(len(jobs))]
