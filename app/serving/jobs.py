"""Jobs: what a batch is made of, and how an engine works them off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from app.uncertainty.decomposition import summarise
from app.values import Floats, Query, Summary

BLOCK = 50
"""Passes that are computed at least."""


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
        return BLOCK
    return len(job.query.features) * max(job.query.passes, BLOCK)


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
