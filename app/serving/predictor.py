"""Predictions of one bundle for many callers at once, batched as they arrive. No Keras in here."""

import asyncio
import math
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from app.serving.batcher import Batcher, Handling, Seen
from app.serving.caller import PATIENT, Caller
from app.serving.compute import Compute
from app.serving.jobs import (
    BLOCK,
    Draws,
    Job,
    Plain,
    Reduction,
    Statistics,
    cut,
    joined,
    work_of,
)
from app.serving.limits import Limits
from dubito.prediction import MonteCarloPrediction, PlainPrediction, check_finite
from dubito.types import Floats, Notice, Query, Signature, Summary
from dubito.uncertainty.adaptive_passes import Estimate, adaptive
from dubito.uncertainty.decomposition import summarise
from dubito.uncertainty.guard import Guard
from dubito.uncertainty.policy import Judge, Judgement, PolicyOptions

BATCH_WORK = 25_600
"""Most rows × passes of a batch: more does not fill the arithmetic any better."""
BATCH_SECONDS = 0.008
"""About how long a batch may take."""
QUIET_SECONDS = 0.016
"""About how long a part of a large request may take where no small ones come."""
SLICE_WORK = 6_400
"""Most rows × passes of a slice of a large request."""
SLICE_SECONDS = 0.002
"""About how long a slice may take, which is what a small request may have to wait for."""
LONG = 3_200
"""Passes from which on one row is a large request, which is cut by passes."""
ROWS_AT_A_TIME = 16
"""Rows that are judged before others have their turn."""


class Predictor:
    """Answers for one bundle, batching what arrives together."""

    def __init__(
        self,
        compute: Compute,
        signature: Signature,
        *,
        queue: int,
        judge: Judge | None = None,
        seen: Seen = lambda *_: None,
        longest: float = math.inf,
    ) -> None:
        """Take what computes, how much work (rows × passes) may wait, and who judges, if anyone.

        `seen` is told of every batch. One that takes `longest` seconds is not waited for any more.
        """
        self._compute = compute
        self._longest = longest
        tells_margin = judge is not None and judge.is_of_cases
        self._guard = Guard(signature, tells_margin=tells_margin)
        self._judge = judge
        limits = Limits(BATCH_WORK, queue, BATCH_SECONDS, QUIET_SECONDS, SLICE_WORK, SLICE_SECONDS)
        handling: Handling[Job, Any] = Handling(work_of, cut, joined)
        self._batcher = Batcher[Job, Any](compute.submit, handling, limits, seen)

    @property
    def backlog(self) -> int:
        """Work that waits."""
        return self._batcher.backlog

    @property
    def trouble(self) -> str | None:
        """Why nothing would be graded now, in a sentence, as far as is known at once."""
        if self._batcher.seconds > self._longest:
            return f"the engine has computed one batch for more than {self._longest:g} s"
        return self._compute.trouble

    def admit(self, rows: int, passes: int, caller: Caller) -> None:
        """While others wait, refuse what is sure to be refused, before more is known of it.

        Raises:
            Overloaded: the queue is full, or the caller's deadline cannot be met.
        """
        if self._batcher.backlog:
            self._batcher.admit(rows * max(passes, BLOCK), caller)

    async def predict(self, rows: Floats, caller: Caller = PATIENT) -> PlainPrediction:
        """The deterministic answer for rows `(N, F)`.

        Raises:
            Overloaded: the queue is full, or the caller's deadline cannot be met.
            DeadlinePassed: it was accepted, and has become too late.
            Abandoned: the caller has gone.
            Ungradable: rows on which the network's numbers overflow.
        """
        probabilities = await self._batcher.submit(Plain(rows), caller)
        check_finite(probabilities)
        notices, _ = await self._judged(rows, None, None)
        return PlainPrediction(probabilities, notices)

    async def predict_mc(
        self,
        query: Query,
        caller: Caller = PATIENT,
        *,
        tolerance: float | None = None,
        keep_draws: bool = False,
        options: PolicyOptions | None = None,
        degrade: bool = False,
    ) -> MonteCarloPrediction:
        """The Monte-Carlo answer for a query.

        Args:
            query: its passes are made, or with a tolerance are the most a row may take.
            caller: who waits for it.
            tolerance: lets each row stop at the first checkpoint with such a half-width.
            keep_draws: whether its draws are answered as well.
            options: which sets and decisions, where there is a judge.
            degrade: whether fewer passes are made rather than none where time is short.

        Raises:
            Overloaded: the queue is full, or the caller's deadline cannot be met.
            DeadlinePassed: it was accepted, and has become too late.
            Abandoned: the caller has gone.
            Ungradable: rows on which the network's numbers overflow.
        """
        wanted = query.passes
        if degrade:
            query = self._affordable(query, caller)
        estimate, draws = await self._estimated(query, caller, tolerance, keep_draws)
        check_finite(estimate.summary.mean)
        notices, judgement = await self._judged(query.features, estimate, options)
        return MonteCarloPrediction(query, estimate, tolerance, draws, notices, judgement, wanted)

    async def _judged(
        self, rows: Floats, estimate: Estimate | None, options: PolicyOptions | None
    ) -> tuple[list[list[Notice]], Judgement | None]:
        """What is to be known of rows beside statistics; others have their turn in between."""
        notices, judged = list[list[Notice]](), list[Judgement]()
        for start in range(0, len(rows), ROWS_AT_A_TIME):
            if start:
                await asyncio.sleep(0)
            part = slice(start, start + ROWS_AT_A_TIME)
            found = self._guard.notices(rows[part])
            notices += found
            if self._judge is not None and estimate is not None:
                own = estimate if len(rows) <= ROWS_AT_A_TIME else estimate.where(part)
                judged.append(
                    self._judge.judge(rows[part], own, found, options or self._judge.usual)
                )
        return notices, Judgement.joined(judged) if judged else None

    def _affordable(self, query: Query, caller: Caller) -> Query:
        """A query with as many of its passes as can be made in time, or as it is."""
        work = work_of(Statistics(query))
        affordable = self._batcher.affordable(work, caller)
        if work <= affordable:
            return query
        passes = int(affordable / len(query.features)) // BLOCK * BLOCK
        return replace(query, passes=min(query.passes, passes)) if passes > 0 else query

    async def _estimated(
        self, query: Query, caller: Caller, tolerance: float | None, keep_draws: bool
    ) -> tuple[Estimate, Floats | None]:
        if tolerance is not None:
            least = 1 if self._judge is None else self._judge.passes
            estimate = await self._driven(adaptive(query, tolerance, least), caller)
            if not keep_draws:
                return estimate, None
            most = replace(query, passes=int(estimate.passes.max()))
            return estimate, await self._batcher.submit(Draws(most), caller, accepted=True)
        if not keep_draws:
            summary = await self._summary(query, caller, accepted=False)
            return Estimate.of(summary, query.passes), None
        draws = await self._batcher.submit(Draws(query), caller)
        return Estimate.of(summarise(draws), query.passes), draws

    async def _driven(self, steps: Generator[Query, Summary, Estimate], caller: Caller) -> Estimate:
        """Compute every query of an adaptive estimate; only the first may be refused."""
        query, accepted = next(steps), False
        while True:
            summary = await self._summary(query, caller, accepted=accepted)
            try:
                query, accepted = steps.send(summary), True
            except StopIteration as end:
                estimate: Estimate = end.value
                return estimate

    async def _summary(self, query: Query, caller: Caller, *, accepted: bool) -> Summary:
        if query.passes > LONG:
            if not accepted:
                self._batcher.admit(work_of(Statistics(query)), caller)
            rows = (Draws(replace(query, features=row[None])) for row in query.features)
            queued = [self._batcher.put(row, caller) for row in rows]
            return Summary.joined(
                await asyncio.gather(*(self._long(draws, caller) for draws in queued))
            )
        summary: Summary = await self._batcher.submit(Statistics(query), caller, accepted=accepted)
        return summary

    async def _long(self, queued: "asyncio.Future[Floats]", caller: Caller) -> Summary:
        """The statistics of one row of an admitted request, whose passes are no single piece."""
        reduction = Reduction(await queued)
        found: Summary = await self._batcher.submit(reduction, caller, accepted=True)
        return found

    def close(self) -> None:
        """Let the batch in flight finish, and end."""
        self._compute.close()
