"""The use case: rows in, grades with uncertainty out. No transport and no Keras in here."""

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from app.errors import NetworkError
from app.serving.batcher import PATIENT, Batcher, Client, Limits
from app.serving.compute import Compute
from app.serving.jobs import BLOCK, Draws, Job, Plain, Reduction, Statistics, work_of
from app.serving.judge import Asked, Judge, Judged
from app.serving.looks import Look, look_until
from app.uncertainty.decomposition import summarise
from app.uncertainty.guard import Guard
from app.values import Floats, Indices, Notice, Query, Signature, Summary

BATCH_WORK = 25_600
"""Most rows × passes of a batch: more does not fill the arithmetic any better."""
BATCH_SECONDS = 0.008
"""About how long a batch may take, which is what a small request may have to wait for."""
PIECE = 3_200
"""Rows × passes from which on a request is cut into pieces of so many."""
ROWS_OF_A_PIECE = PIECE // BLOCK
"""Rows of a piece that is not drawn."""


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
    wanted: int
    """The passes asked for; the query has fewer where time was short."""

    @property
    def summary(self) -> Summary:
        """The statistics, each row's over its own passes."""
        return self.look.summary


class Predictor:
    """Answers for one bundle, batching what arrives together."""

    def __init__(
        self, compute: Compute, signature: Signature, *, queue: int, judge: Judge | None = None
    ) -> None:
        """Take what computes, how much work (rows × passes) may wait, and who judges, if anyone."""
        self._compute = compute
        self._guard = Guard(signature)
        self._judge = judge
        limits = Limits(BATCH_WORK, queue, BATCH_SECONDS)
        self._batcher = Batcher[Job, Any](compute.submit, work_of, limits)

    def admit(self, rows: int, passes: int, client: Client) -> None:
        """While others wait, refuse what is sure to be refused, before more is known of it.

        Raises:
            Overloaded: the queue is full, or the client's deadline cannot be met.
        """
        if self._batcher.backlog:
            work = rows * max(passes, BLOCK)
            self._batcher.admit(work, client, large=work > PIECE)

    async def grade(self, rows: Floats, client: Client = PATIENT) -> Graded:
        """The deterministic answer for rows `(N, F)`.

        Raises:
            Overloaded: the queue is full, or the client's deadline cannot be met.
            DeadlinePassed: it was accepted, and has become too late.
            Abandoned: the client has gone.
            NetworkError: the network's answer is no number.
        """
        probabilities = await self._plain(rows, client)
        return Graded(_finite(probabilities), self._guard.notices(rows))

    async def _plain(self, rows: Floats, client: Client) -> Floats:
        if len(rows) <= ROWS_OF_A_PIECE:
            whole: Floats = await self._batcher.submit(Plain(rows), client)
            return whole
        self._batcher.admit(work_of(Plain(rows)), client, large=True)
        starts = range(0, len(rows), ROWS_OF_A_PIECE)
        parts = (Plain(rows[start : start + ROWS_OF_A_PIECE]) for start in starts)
        put = partial(self._batcher.put, client=client, large=True)
        return np.concatenate(await asyncio.gather(*map(put, parts)))

    async def doubt(
        self,
        query: Query,
        client: Client = PATIENT,
        *,
        tolerance: float | None = None,
        keep_draws: bool = False,
        asked: Asked | None = None,
        degrade: bool = False,
    ) -> Doubted:
        """The Monte-Carlo answer for a query.

        Args:
            query: its passes are made, or with a tolerance are the most a row may take.
            client: who waits for it.
            tolerance: lets each row stop at the first checkpoint with such a half-width.
            keep_draws: whether its draws are answered as well.
            asked: which sets and decisions, where there is a judge.
            degrade: whether fewer passes are made rather than none where time is short.

        Raises:
            Overloaded: the queue is full, or the client's deadline cannot be met.
            DeadlinePassed: it was accepted, and has become too late.
            Abandoned: the client has gone.
            NetworkError: the network's answer is no number.
        """
        wanted = query.passes
        if degrade:
            query = self._affordable(query, client)
        found = self._guard.notices(query.features)
        look, draws = await self._looked(query, client, tolerance, keep_draws)
        judged = None
        if self._judge is not None:
            asked = asked or self._judge.usual
            judged = self._judge.judge(query.features, look, found, asked)
        return Doubted(query, look, tolerance, draws, found, judged, wanted)

    def _affordable(self, query: Query, client: Client) -> Query:
        """A query with as many of its passes as can be made in time, or as it is."""
        work = work_of(Statistics(query))
        affordable = self._batcher.affordable(client, large=work > PIECE)
        if work <= affordable:
            return query
        passes = int(affordable / len(query.features)) // BLOCK * BLOCK
        return replace(query, passes=min(query.passes, passes)) if passes > 0 else query

    async def _looked(
        self, query: Query, client: Client, tolerance: float | None, keep_draws: bool
    ) -> tuple[Look, Floats | None]:
        async def ask(query: Query, *, accepted: bool) -> Summary:
            return await self._summary(query, client, accepted=accepted)

        if tolerance is not None:
            least = 1 if self._judge is None else self._judge.passes
            look = await look_until(query, tolerance, ask, least)
            if not keep_draws:
                return look, None
            most = replace(query, passes=int(look.passes.max()))
            return look, _finite(await self._batcher.submit(Draws(most), client, accepted=True))
        if not keep_draws:
            return Look.of(await ask(query, accepted=False), query.passes), None
        draws = _finite(await self._batcher.submit(Draws(query), client))
        return Look.of(summarise(draws), query.passes), draws

    async def _summary(self, query: Query, client: Client, *, accepted: bool) -> Summary:
        work = work_of(Statistics(query))
        if work <= PIECE:
            job = Statistics(query)
            summary: Summary = await self._batcher.submit(job, client, accepted=accepted)
        else:
            if not accepted:
                self._batcher.admit(work, client, large=True)
            summary = await self._in_pieces(query, client)
        _finite(summary.mean)
        return summary

    async def _in_pieces(self, query: Query, client: Client) -> Summary:
        """A large query, cut by rows, and by passes where one row is too large already."""
        if query.passes > PIECE:
            rows = (replace(query, features=row[None]) for row in query.features)
            queued = [self._queued(row, client) for row in rows]
            return Summary.joined(
                await asyncio.gather(*(self._long(one, client) for one in queued))
            )
        step = PIECE // max(query.passes, BLOCK)
        parts = (
            replace(query, features=query.features[start : start + step])
            for start in range(0, len(query.features), step)
        )
        put = partial(self._batcher.put, client=client, large=True)
        return Summary.joined(await asyncio.gather(*[put(Statistics(part)) for part in parts]))

    def _queued(self, query: Query, client: Client) -> "list[asyncio.Future[Floats]]":
        """The draws to come of one row with more passes than a piece."""
        step = PIECE // BLOCK * BLOCK
        parts = (
            replace(query, first=first, passes=min(step, query.passes - first))
            for first in range(0, query.passes, step)
        )
        return [self._batcher.put(Draws(part), client, large=True) for part in parts]

    async def _long(self, queued: "list[asyncio.Future[Floats]]", client: Client) -> Summary:
        """The statistics of one row whose draws come in order."""
        draws = np.concatenate(await asyncio.gather(*queued))
        found: Summary = await self._batcher.put(Reduction(draws), client, large=True)
        return found

    def close(self) -> None:
        """Let the batch in flight finish, and end."""
        self._compute.close()


def _finite(probabilities: Floats) -> Floats:
    """Probabilities that are numbers: the argmax of NaN is 0, which would read as the first class.

    Raises:
        NetworkError: there are others.
    """
    if not np.isfinite(probabilities).all():
        raise NetworkError("the network answers this row with numbers that are not finite")
    return probabilities
