"""Predictions of one bundle for many concurrent callers, batched as they arrive; no Keras."""

import asyncio
import math
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from app.serving.batcher import Batcher, BatchObserver, Handling
from app.serving.caller import PATIENT, Caller
from app.serving.compute import Compute
from app.serving.fair_queue import Turn
from app.serving.jobs import (
    Draws,
    Job,
    Judging,
    Plain,
    Reduction,
    Statistics,
    cut,
    joined,
    work_of,
)
from app.serving.limits import BatchLimits
from dubito.engine.blocks import PASSES
from dubito.prediction import JudgedRows, MonteCarloPrediction, PlainPrediction, check_finite
from dubito.types import Floats, Notice, Query, Signature, Summary
from dubito.uncertainty.adaptive_passes import RowStatistics, adaptive
from dubito.uncertainty.guard import RangeGuard
from dubito.uncertainty.passes import MeanPrecision, balanced
from dubito.uncertainty.policy import Judge, Judgement, PolicyOptions

BATCH_WORK = 25_600
"""Maximum rows × passes of a batch: larger ones use the processor no better."""
BATCH_SECONDS = 0.008
"""Approximate maximum duration of a batch, seconds."""
QUIET_SECONDS = 0.016
"""Approximate maximum duration of a part of a large request while no small ones arrive, seconds."""
SLICE_WORK = 6_400
"""Maximum rows × passes of a slice of a large request."""
SLICE_SECONDS = 0.001
"""Approximate maximum duration of a slice, seconds, which a small request may have to wait."""
UNCUT_PASSES = 3_200
"""Passes up to which a row is never split by its passes."""
ROWS_IN_TURN = 16
"""Rows that are judged before the event loop serves other requests."""


class _Place(NamedTuple):
    """The rows of a request among those that were judged with it."""

    judged: JudgedRows
    start: int


class Predictor:
    """Computes predictions of one bundle, batching concurrent requests."""

    def __init__(
        self,
        compute: Compute,
        signature: Signature,
        *,
        queue: int,
        members: int = 1,
        judge: Judge | None = None,
        seen: BatchObserver = lambda *_: None,
        longest: float = math.inf,
        turn: Turn | None = None,
    ) -> None:
        """Keep the executor, and set up the batcher.

        Args:
            compute: executor of the batches.
            signature: features and target of the bundle.
            queue: maximum queued work, rows × passes.
            members: networks of the bundle, of whose number passes are a multiple.
            judge: decides from the calibration; None without one.
            seen: called for every batch with its work and its seconds.
            longest: seconds after which a running batch counts as trouble.
            turn: place among the models that compute in turn; None if there is no other.
        """
        self._compute = compute
        self._longest = longest
        tells_margin = judge is not None and judge.is_of_cases
        self._guard = RangeGuard(signature, tells_margin=tells_margin)
        self._judge = judge
        self._target = signature.target
        self._precision = MeanPrecision.of(signature.target, members)
        limits = BatchLimits(
            BATCH_WORK, queue, BATCH_SECONDS, QUIET_SECONDS, SLICE_WORK, SLICE_SECONDS
        )
        handling: Handling[Job, Any] = Handling(work_of, cut, joined)
        self._batcher = Batcher[Job, Any](
            compute.submit,
            handling,
            limits,
            seen,
            compute.at_once,
            compute.together,
            self._judged_batch,
            turn,
            compute.near,
        )

    @property
    def backlog(self) -> int:
        """Queued work, rows × passes."""
        return self._batcher.backlog

    @property
    def trouble(self) -> str | None:
        """Sentence on why requests cannot be graded now, as known without waiting; or None."""
        if self._batcher.seconds > self._longest:
            return f"the engine has computed one batch for more than {self._longest:g} s"
        return self._compute.trouble

    def admit(self, rows: int, passes: int, caller: Caller) -> None:
        """Reject, before parsing, requests that cannot be admitted.

        Without a queue, and with a single row where it is short, parsing costs less than this.

        Raises:
            Overloaded: the queue is full.
            DeadlineUnmeetable: the caller's deadline cannot be met.
        """
        if self._batcher.backlog > (BATCH_WORK if rows == 1 else 0):
            self._batcher.admit(rows * max(passes, PASSES), caller)

    async def predict(self, rows: Floats, caller: Caller = PATIENT) -> PlainPrediction:
        """Compute the deterministic prediction of rows `(N, F)`.

        Raises:
            Overloaded: the queue is full.
            DeadlineUnmeetable: the caller's deadline cannot be met.
            DeadlinePassed: the deadline passed after the request was accepted.
            Abandoned: the caller has disconnected.
            Ungradable: the network's output overflows on some rows.
        """
        outputs = await self._batcher.submit(Plain(rows), caller)
        check_finite(outputs)
        notices, _ = await self._judged(rows, None, None)
        return PlainPrediction(outputs, notices, self._target)

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
        """Compute the Monte-Carlo prediction of a query.

        Args:
            query: rows, passes and seed; with a tolerance, its passes are the maximum of a row.
            caller: deadline and disconnection of the caller.
            tolerance: half-width of the mean at which a row stops, at the first checkpoint that has
                it.
            keep_draws: whether the draws are returned as well.
            options: requested set or interval and decision, used if there is a judge.
            degrade: whether to compute fewer passes instead of refusing when time is short.

        Raises:
            Overloaded: the queue is full.
            DeadlineUnmeetable: the caller's deadline cannot be met.
            DeadlinePassed: the deadline passed after the request was accepted.
            Abandoned: the caller has disconnected.
            Ungradable: the network's output overflows on some rows.
        """
        wanted = query.passes
        if degrade:
            query = self._affordable(query, caller)
        if tolerance is None and not keep_draws and self._is_small(query):
            found = await self._batcher.submit(Judging(query, options), caller)
            if isinstance(found, _Place):
                return MonteCarloPrediction(query, found.judged, found.start, None, None, wanted)
            estimate, draws = self._estimate(found, query.passes), None
        else:
            estimate, draws = await self._estimated(query, caller, tolerance, keep_draws)
        check_finite(estimate.summary.mean)
        notices, judgement = await self._judged(query.features, estimate, options)
        judged = JudgedRows(estimate, notices, judgement, self._target)
        return MonteCarloPrediction(query, judged, 0, tolerance, draws, wanted)

    async def judged(
        self, queries: Sequence[Query], options: PolicyOptions | None
    ) -> JudgedRows | None:
        """Compute and judge queries of the same number of passes, for a predictor without callers.

        They wait in no queue, so nothing else may be computed meanwhile.

        Args:
            queries: the queries.
            options: requested set or interval and decision; the usual ones if None.

        Returns:
            The rows of all queries in order; None if a row has no finite result.
        """
        summary = Summary.joined(
            await self._compute.submit([Statistics(query) for query in queries])
        )
        if not math.isfinite(summary.mean.sum()):
            return None
        rows = np.concatenate([query.features for query in queries])
        passes = queries[0].passes
        return await asyncio.to_thread(self._judged_rows, rows, summary, passes, options)

    def _is_small(self, query: Query) -> bool:
        """Whether the rows of a query are judged with its batch."""
        return len(query.features) <= ROWS_IN_TURN and query.passes <= UNCUT_PASSES

    def _judged_batch(self, jobs: Sequence[Job], found: Sequence[Any]) -> Sequence[Any]:
        """Judge the rows of a batch together, those with the same options and passes at a time."""
        alike: dict[tuple[PolicyOptions | None, int], list[int]] = {}
        for at, job in enumerate(jobs):
            if isinstance(job, Judging):
                alike.setdefault((job.options, job.query.passes), []).append(at)
        refined = list(found)
        for (options, passes), places in alike.items():
            summary = Summary.joined([found[at] for at in places])
            # A number that is not finite makes the sum not finite, and so do no probabilities.
            if not math.isfinite(summary.mean.sum()):
                # Each request finds out by itself which of its rows it is about.
                continue
            several = [jobs[at].query.features for at in places]  # type: ignore[union-attr]
            rows = np.concatenate(several) if len(several) > 1 else several[0]
            judged, start = self._judged_rows(rows, summary, passes, options), 0
            for at, own in zip(places, several, strict=True):
                refined[at] = _Place(judged, start)
                start += len(own)
        return refined

    def _judged_rows(
        self, rows: Floats, summary: Summary, passes: int, options: PolicyOptions | None
    ) -> JudgedRows:
        estimate, notices = self._estimate(summary, passes), self._guard.notices(rows)
        judgement = None
        if self._judge is not None:
            judgement = self._judge.judge(rows, estimate, notices, options or self._judge.usual)
        return JudgedRows(estimate, notices, judgement, self._target)

    def _estimate(self, summary: Summary, passes: int) -> RowStatistics:
        return RowStatistics.of(summary, passes, self._precision)

    async def _judged(
        self, rows: Floats, estimate: RowStatistics | None, options: PolicyOptions | None
    ) -> tuple[list[list[Notice]], Judgement | None]:
        """Compute notices and judgements of rows, in parts; the event loop runs in between."""
        notices, judged = list[list[Notice]](), list[Judgement]()
        for start in range(0, len(rows), ROWS_IN_TURN):
            if start:
                await asyncio.sleep(0)
            part = slice(start, start + ROWS_IN_TURN)
            found = self._guard.notices(rows[part])
            notices += found
            if self._judge is not None and estimate is not None:
                own = estimate if len(rows) <= ROWS_IN_TURN else estimate.where(part)
                judged.append(
                    self._judge.judge(rows[part], own, found, options or self._judge.usual)
                )
        return notices, Judgement.joined(judged) if judged else None

    def _affordable(self, query: Query, caller: Caller) -> Query:
        """Reduce the passes of a query to those computable in time, if at least a block is.

        A block gives all members of an ensemble as many passes.
        """
        work = work_of(Statistics(query))
        affordable = self._batcher.affordable(work, caller)
        if work <= affordable:
            return query
        block = balanced(PASSES, self._precision.members)
        passes = int(affordable / len(query.features)) // block * block
        return replace(query, passes=min(query.passes, passes)) if passes > 0 else query

    async def _estimated(
        self, query: Query, caller: Caller, tolerance: float | None, keep_draws: bool
    ) -> tuple[RowStatistics, Floats | None]:
        if tolerance is not None:
            least = 1 if self._judge is None else self._judge.passes
            steps = adaptive(query, tolerance, self._precision, least)
            estimate = await self._driven(steps, caller)
            if not keep_draws:
                return estimate, None
            most = replace(query, passes=int(estimate.passes.max()))
            return estimate, await self._batcher.submit(Draws(most), caller, accepted=True)
        if not keep_draws:
            summary = await self._summary(query, caller, accepted=False)
            return self._estimate(summary, query.passes), None
        draws = await self._batcher.submit(Draws(query), caller)
        summary = await self._batcher.submit(Reduction(draws), caller, accepted=True)
        return self._estimate(summary, query.passes), draws

    async def _driven(
        self, steps: Generator[Query, Summary, RowStatistics], caller: Caller
    ) -> RowStatistics:
        """Compute each query of an adaptive estimate; only the first may be refused."""
        query, accepted = next(steps), False
        while True:
            summary = await self._summary(query, caller, accepted=accepted)
            try:
                query, accepted = steps.send(summary), True
            except StopIteration as end:
                estimate: RowStatistics = end.value
                return estimate

    async def _summary(self, query: Query, caller: Caller, *, accepted: bool) -> Summary:
        if query.passes > max(UNCUT_PASSES, self._batcher.portion.work):
            if not accepted:
                self._batcher.admit(work_of(Statistics(query)), caller)
            rows = (Draws(replace(query, features=row[None])) for row in query.features)
            queued = [self._batcher.put(row, caller, is_new=False) for row in rows]
            return Summary.joined(
                await asyncio.gather(*(self._long(draws, caller) for draws in queued))
            )
        summary: Summary = await self._batcher.submit(Statistics(query), caller, accepted=accepted)
        return summary

    async def _long(self, queued: "asyncio.Future[Floats]", caller: Caller) -> Summary:
        """Compute the statistics of one row of an admitted request from its queued draws."""
        reduction = Reduction(await queued)
        found: Summary = await self._batcher.submit(reduction, caller, accepted=True)
        return found

    def close(self) -> None:
        """Wait for the running batch, then stop."""
        self._compute.close()
