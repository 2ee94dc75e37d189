"""Jobs: what a batch is made of, and how an engine works them off."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from dubito.types import Floats, Query, Summary
from dubito.uncertainty.decomposition import summarise

BLOCK = 50
"""Passes that are computed at least."""
DRAWS_OF_A_PASS = 4
"""Draws whose reduction takes as long as a pass."""


class Engine(Protocol):
    """What jobs need of a network."""

    def predict(self, rows: Floats) -> Floats:
        """Probabilities `(N, C)` of the deterministic pass over rows `(N, F)`."""

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        """Statistics over the passes for the rows of every query, in order."""

    def draws(self, query: Query) -> Floats:
        """Probabilities `(T, N, C)` of every pass."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Rows for the deterministic pass: probabilities `(N, C)`."""

    rows: Floats


@dataclass(frozen=True, slots=True)
class Statistics:
    """Rows for statistics over their passes: a `Summary`."""

    query: Query


@dataclass(frozen=True, slots=True)
class Draws:
    """Rows for every pass: `(T, N, C)`."""

    query: Query


@dataclass(frozen=True, slots=True)
class Reduction:
    """Draws `(T, N, C)` for statistics: a `Summary`."""

    draws: Floats


Job = Plain | Statistics | Draws | Reduction


def work_of(job: Job) -> int:
    """Rows × passes; what is less than a block costs as much as one."""
    if isinstance(job, Plain):
        return len(job.rows) * BLOCK
    if isinstance(job, Reduction):
        return max(BLOCK, len(job.draws) // DRAWS_OF_A_PASS)
    return len(job.query.features) * max(job.query.passes, BLOCK)


def cut(job: Job, most: int) -> tuple[Job, Job | None]:
    """A job's first part, of so much work or else of one row or block, and its rest, if any.

    It is cut by rows; where the draws of one row are asked for, by passes.
    """
    if isinstance(job, Reduction):
        return job, None
    if isinstance(job, Plain):
        rows = max(1, most // BLOCK)
        return (
            (Plain(job.rows[:rows]), Plain(job.rows[rows:]))
            if rows < len(job.rows)
            else (job, None)
        )
    query, kind = job.query, type(job)
    if isinstance(job, Draws) and len(query.features) == 1:
        passes = max(1, most // BLOCK) * BLOCK
        if passes >= query.passes:
            return job, None
        later = replace(query, first=query.first + passes, passes=query.passes - passes)
        return Draws(replace(query, passes=passes)), Draws(later)
    rows = max(1, most // max(query.passes, BLOCK))
    if rows >= len(query.features):
        return job, None
    parts = query.features[:rows], query.features[rows:]
    first, rest = (kind(replace(query, features=part)) for part in parts)
    return first, rest


def joined(job: Job, parts: list[Any]) -> Any:
    """A job's result, from those of its parts."""
    if isinstance(job, Statistics):
        return Summary.joined(parts)
    return _drawn(job.query, parts) if isinstance(job, Draws) else np.concatenate(parts)


def _drawn(query: Query, parts: list[Floats]) -> Floats:
    """Draws `(T, N, C)` from those of rows, the last of which may have come by passes."""
    found = np.empty((query.passes, len(query.features), parts[0].shape[-1]))
    row = passed = 0
    for part in parts:
        passes, rows, _ = part.shape
        found[passed : passed + passes, row : row + rows] = part
        passed += passes
        if passed == query.passes:
            row, passed = row + rows, 0
    return found


def results(engine: Engine, jobs: Sequence[Job]) -> list[Any]:
    """What comes of a batch, in order; each kind of job is done at once."""
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
            found[at] = summarise(job.draws)
    return [found[at] for at in range(len(jobs))]
