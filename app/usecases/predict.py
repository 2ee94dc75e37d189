"""Prediction of rows with the served bundle: limited, recorded and counted."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from app.monitoring.prediction_metrics import PredictionMetrics
from app.recorded_prediction import Asked
from app.serving.caller import Caller
from app.serving.predictor import ROWS_IN_TURN, Predictor
from app.serving.shadow import Follower
from app.serving.users import Users
from app.usecases.idempotency import Record
from dubito.answer import AnyMonteCarloAnswer, AnyPlainAnswer
from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.inputs.options import MonteCarloOptions
from dubito.inputs.text_types import AUTO
from dubito.prediction import AnswerBuilder
from dubito.system_random import random_bits
from dubito.types import SEED_BITS, Floats, Query

AnswerT = TypeVar("AnswerT", AnyPlainAnswer, AnyMonteCarloAnswer)
Used = TypeVar("Used")

MOST_DRAWS = 100_000
"""Maximum numbers of an answer with draws: rows × passes × classes, or outputs of a head."""


class Turns(Generic[AnswerT]):
    """Answers to rows that are computed, built some rows at a time: other requests go between."""

    def __init__(self, rows: int, answered: Callable[[range], Sequence[AnswerT]]) -> None:
        """Set the number of rows, and the function that builds, records and counts answers."""
        self._rows = rows
        self._answered: Callable[[range], Sequence[AnswerT]] = answered

    async def each(self, use: Callable[[Sequence[AnswerT]], Used]) -> list[Used]:
        """Return what a function makes of the answers, at most `ROWS_IN_TURN` at a time."""
        used = []
        for start in range(0, self._rows, ROWS_IN_TURN):
            if start:
                await asyncio.sleep(0)
            used.append(use(self._answered(range(start, min(self._rows, start + ROWS_IN_TURN)))))
        return used


@dataclass(frozen=True, slots=True)
class Predict:
    """Predicts with one bundle."""

    predictor: Predictor
    answers: AnswerBuilder
    metrics: PredictionMetrics
    outputs: int
    """Number of outputs of the bundle's network a pass."""
    max_work: int
    """Maximum rows × passes of a request."""
    users: Users = field(default_factory=Users)
    """Requests that are being answered."""
    shadow: Follower | None = None
    """Compares answers with those of another version; None without one."""

    def admit(self, rows: int, options: MonteCarloOptions, caller: Caller) -> None:
        """Reject, before parsing, a request that cannot be admitted.

        Under overload most requests are rejected, at little cost to those that are served.

        Args:
            rows: lower bound of the rows of the request.
            options: the options of the request.
            caller: deadline and disconnection of the caller.

        Raises:
            Overloaded: the queue is full.
            DeadlineUnmeetable: the caller's deadline cannot be met.
        """
        if not options.degrade:
            most = max(1, self.max_work // options.least_passes)
            self.predictor.admit(min(rows, most), options.least_passes, caller)

    async def plain(self, rows: Floats, caller: Caller, record: Record) -> Turns[AnyPlainAnswer]:
        """Compute the deterministic answers to rows `(N, F)`.

        Raises:
            Unavailable: the queue is full, or the caller's deadline cannot be met.
            DeadlinePassed: the deadline passed after the request was accepted.
            Abandoned: the caller has disconnected.
            Ungradable: the network's output overflows on some rows.
        """
        prediction = await self.predictor.predict(rows, caller)

        def answered(part: range) -> Sequence[AnyPlainAnswer]:
            answers = self.answers.plain(prediction, part)
            record.add_plain(answers, rows[part.start : part.stop])
            self.metrics.plain(answers)
            return answers

        return Turns(len(rows), answered)

    async def monte_carlo(
        self, rows: Floats, options: MonteCarloOptions, caller: Caller, record: Record
    ) -> Turns[AnyMonteCarloAnswer]:
        """Compute the Monte-Carlo answers to rows `(N, F)`.

        Raises:
            InvalidInput: more work or draws than a request may have.
            Unavailable: the queue is full, or the caller's deadline cannot be met.
            DeadlinePassed: the deadline passed after the request was accepted.
            Abandoned: the caller has disconnected.
            Ungradable: the network's output overflows on some rows.
        """
        self._check_work(options, len(rows))
        prediction = await self.predictor.predict_mc(
            Query(rows, options.most_passes, seed_of(options.seed)),
            caller,
            tolerance=options.reached,
            keep_draws=options.draws,
            options=options.policy,
            degrade=options.degrade,
        )
        ids: list[str] = []
        if self.shadow is not None:
            record.then(partial(self.shadow.offer, prediction, ids, options.policy))
        asked = Asked(options.passes, options.reached, options.degrade, options.policy)
        is_drawn = options.seed is None and options.reached is None

        def answered(part: range) -> Sequence[AnyMonteCarloAnswer]:
            answers = self.answers.monte_carlo(prediction, part)
            own = rows[part.start : part.stop]
            record.add_monte_carlo(answers, own, asked, is_drawn=is_drawn and part.start == 0)
            if self.shadow is not None:
                ids.extend(answer.id for answer in answers)
            self.metrics.monte_carlo(answers)
            return answers

        return Turns(len(rows), answered)

    def _check_work(self, options: MonteCarloOptions, rows: int) -> None:
        work, most = rows * options.most_passes, self.max_work
        if work > most:
            name = "max_passes" if options.passes == AUTO else "passes"
            message = f"times the number of rows must be at most {most} (DUBITO_MAX_WORK)"
            raise _over_limit(name, FieldCode.TOO_MUCH_WORK, message, most)
        if options.draws and work * self.outputs > MOST_DRAWS:
            message = f"are limited to {MOST_DRAWS} numbers: rows × passes × classes"
            raise _over_limit("draws", FieldCode.TOO_MANY_DRAWS, message, MOST_DRAWS)


def _over_limit(name: str, code: FieldCode, message: str, most: int) -> InvalidInput:
    return InvalidInput([Fault((name,), code, message, in_query=True, maximum=most)])


def seed_of(asked: int | None) -> int:
    """Return the requested seed, or a fresh one from the operating system."""
    return random_bits(SEED_BITS) if asked is None else asked
