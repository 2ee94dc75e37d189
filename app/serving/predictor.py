"""The use case: rows in, grades with uncertainty out. No transport and no Keras in here."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from app.errors import NetworkError
from app.serving.batcher import Batcher, Limits
from app.serving.judge import Asked, Judge, Judged
from app.serving.looks import Look, look_until
from app.uncertainty.decomposition import summarise
from app.uncertainty.guard import notices
from app.values import Floats, Indices, Notice, Query, Signature, Summary

BATCH_WORK = 25_600
"""Rows × passes of a batch: large enough to fill the arithmetic, a few milliseconds of it."""


class Engine(Protocol):
    """What the predictor needs of a network."""

    def predict(self, rows: Floats) -> Floats:
        """Probabilities `(N, C)` of the deterministic pass over rows `(N, F)`."""

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        """Statistics over the passes for the rows of every query, in order."""

    def draws(self, query: Query) -> Floats:
        """Probabilities `(T, N, C)` of every pass."""


@dataclass(frozen=True, slots=True)
class Graded:
    """The deterministic answer for `N` rows."""

    probabilities: Floats
    """`(N, C)`"""
    notices: list[list[Notice]]
    """For each row."""

    @property
    def grades(self) -> Indices:
        """`(N,)` class indices: the argmax, a tie to the lower index."""
        grades: Indices = np.argmax(self.probabilities, axis=1)
        return grades


@dataclass(frozen=True, slots=True)
class Doubted:
    """The Monte-Carlo answer for `N` rows."""

    query: Query
    look: Look
    tolerance: float | None
    """The half-width that decided each row's passes; None where they were fixed."""
    draws: Floats | None
    """`(T, N, C)` where asked for; a row's own passes are the first ones."""
    notices: list[list[Notice]]
    """For each row."""
    judged: Judged | None
    """Sets and decisions of a calibrated bundle."""

    @property
    def summary(self) -> Summary:
        """The statistics, each row's over its own passes."""
        return self.look.summary


class Predictor:
    """Answers for one bundle, batching what arrives together."""

    def __init__(
        self, engine: Engine, signature: Signature, *, queue: int, judge: Judge | None = None
    ) -> None:
        """Take the network, how much work (rows × passes) may wait, and who judges, if anyone."""
        self._engine = engine
        self._signature = signature
        self._judge = judge
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dubito-engine")
        limits = Limits(self._thread, batch=BATCH_WORK, queue=queue)
        self._plain = Batcher[Floats, Floats](self._predict, len, limits)
        self._summaries = Batcher[Query, Summary](engine.summarise, _work, limits)
        self._draws = Batcher[Query, Floats](self._draw, _work, limits)

    async def grade(self, rows: Floats) -> Graded:
        """The deterministic answer for rows `(N, F)`.

        Raises:
            Overloaded: the queue is full.
            NetworkError: the network's answer is no number.
        """
        probabilities = _finite(await self._plain.submit(rows))
        return Graded(probabilities, notices(rows, self._signature))

    async def doubt(
        self,
        query: Query,
        *,
        tolerance: float | None = None,
        keep_draws: bool = False,
        asked: Asked | None = None,
    ) -> Doubted:
        """The Monte-Carlo answer for a query.

        Args:
            query: its passes are made, or with a tolerance are the most a row may take.
            tolerance: lets each row stop at the first checkpoint with such a half-width.
            keep_draws: whether its draws are answered as well.
            asked: which sets and decisions, where there is a judge.

        Raises:
            Overloaded: the queue is full.
            NetworkError: the network's answer is no number.
        """
        found = notices(query.features, self._signature)
        look, draws = await self._looked(query, tolerance, keep_draws)
        judged = None
        if self._judge is not None:
            asked = asked or self._judge.usual
            judged = self._judge.judge(query.features, look, found, asked)
        return Doubted(query, look, tolerance, draws, found, judged)

    async def _looked(
        self, query: Query, tolerance: float | None, keep_draws: bool
    ) -> tuple[Look, Floats | None]:
        if tolerance is not None:
            least = 1 if self._judge is None else self._judge.passes
            look = await look_until(query, tolerance, self._summary, least)
            most = replace(query, passes=int(look.passes.max()))
            return look, await self._drawn(most, accepted=True) if keep_draws else None
        if not keep_draws:
            return Look.of(await self._summary(query, accepted=False), query.passes), None
        draws = await self._drawn(query, accepted=False)
        return Look.of(summarise(draws), query.passes), draws

    async def _summary(self, query: Query, *, accepted: bool) -> Summary:
        summary = await self._summaries.submit(query, accepted=accepted)
        _finite(summary.mean)
        return summary

    async def _drawn(self, query: Query, *, accepted: bool) -> Floats:
        return _finite(await self._draws.submit(query, accepted=accepted))

    def close(self) -> None:
        """Let the batch in flight finish and end the thread."""
        self._thread.shutdown()

    def _predict(self, jobs: Sequence[Floats]) -> list[Floats]:
        ends = np.cumsum([len(rows) for rows in jobs])[:-1]
        return np.split(self._engine.predict(np.concatenate(jobs)), ends)

    def _draw(self, queries: Sequence[Query]) -> list[Floats]:
        return [self._engine.draws(query) for query in queries]


def _finite(probabilities: Floats) -> Floats:
    """Probabilities that are numbers: the argmax of NaN is 0, which would read as the first class.

    Raises:
        NetworkError: there are others.
    """
    if not np.isfinite(probabilities).all():
        raise NetworkError("the network answers this row with numbers that are not finite")
    return probabilities


def _work(query: Query) -> int:
    return len(query.features) * query.passes
