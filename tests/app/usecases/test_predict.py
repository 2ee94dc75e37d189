"""Predictions as values: answered in parts, recorded and counted as they leave, within limits."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from msgspec import json

from app.errors import Abandoned, Conflict, DeadlinePassedRecording, RecordingFailed
from app.problem_codes import ProblemCode
from app.record_events import MonteCarloPart, PlainPart
from app.recorded_prediction import MonteCarloBody, PlainBody, parse_body, read_personal
from app.serving.caller import PATIENT, Caller
from app.serving.predictor import ROWS_IN_TURN
from app.usecases.bundles import Served
from app.usecases.idempotency import Record, Recorder, RequestName
from app.usecases.predict import MOST_DRAWS, Predict, Turns
from dubito.answer import (
    AnyAnswer,
    AnyMonteCarloAnswer,
    AnyPlainAnswer,
    MonteCarloAnswer,
    PlainAnswer,
)
from dubito.errors import FieldCode, InvalidInput
from dubito.inputs.options import MonteCarloOptions, monte_carlo_options
from dubito.types import MAX_SEED, Floats, Query
from tests.app.usecases.kept import Ledger, bundle, memory, run
from tests.networks import rows as loans

NAMES = bundle().signature.names


@dataclass
class Counted:
    """What was counted."""

    answers: list[AnyAnswer] = field(default_factory=list)

    def plain(self, answers: Sequence[PlainAnswer]) -> None:
        self.answers += answers

    def monte_carlo(self, answers: Sequence[MonteCarloAnswer]) -> None:
        self.answers += answers


def options(**given: str) -> MonteCarloOptions:
    """As they were asked for."""
    manifest = bundle().manifest
    return monte_carlo_options(
        manifest.target, manifest.passes, 10_000, manifest.calibration
    ).model_validate(given)


def predict_by(served: Served, metrics: Any, most: int = 1_000_000) -> Predict:
    return Predict(served.predictor, served.answers, metrics, 7, most)


async def parts(
    answering: Awaitable[Turns[AnyPlainAnswer]] | Awaitable[Turns[AnyMonteCarloAnswer]],
) -> list[list[Any]]:
    return await (await answering).each(list)


def record_in(ledger: Ledger | None, **name: Any) -> tuple[Recorder, Any]:
    recorder = Recorder(None if ledger is None else memory(ledger))
    return recorder, recorder.of(RequestName(**name), float("inf"))


ROWS: Floats = np.floor(loans(40, 4))


def test_rows_are_answered_recorded_and_counted_in_parts() -> None:
    """Each part as it leaves; the numbers are the engine's."""
    ledger, counted = Ledger(), Counted()

    async def asked(served: Served) -> list[list[MonteCarloAnswer]]:
        _, opened = record_in(ledger, reference="case")
        with opened as record:
            found = await parts(
                predict_by(served, counted).monte_carlo(
                    ROWS, options(passes="100", seed="5"), PATIENT, record
                )
            )
            assert [b"whole"] == await record.keep([b"whole"])
        return found

    found = run(asked)
    assert [ROWS_IN_TURN, ROWS_IN_TURN, 8] == [len(part) for part in found]
    answers = [answer for part in found for answer in part]
    assert answers == counted.answers
    assert 40 == len({answer.id for answer in answers})
    (summary,) = bundle().engine.summarise([Query(ROWS, 100, 5)])
    assert summary.mean.tolist() == [list(one.result.mean.values()) for one in answers]
    assert summary.std.tolist() == [list(one.result.std.values()) for one in answers]

    assert [answer.id for answer in answers] == [event.prediction for event in ledger.events]
    for answer, event, row in zip(answers, ledger.events, ROWS.tolist(), strict=True):
        body, personal = parse_body(event.body), read_personal(event.personal)
        assert isinstance(body, MonteCarloBody)
        assert (answer.result, answer.model) == (body.answer, body.model)
        assert personal is not None
        assert (dict(zip(NAMES, row, strict=True)), "case") == (
            personal.features,
            personal.reference,
        )
        assert (100, None) == (body.asked.passes, body.asked.tolerance)
        assert body.asked.judged is not None


def test_deterministic_answers_are_recorded_and_counted() -> None:
    """By the other way of asking; a seed is of no matter."""
    ledger, counted = Ledger(), Counted()

    async def asked(served: Served) -> list[list[PlainAnswer]]:
        _, opened = record_in(ledger)
        with opened as record:
            found = await parts(predict_by(served, counted).plain(ROWS, PATIENT, record))
            await record.keep([])
        return found

    found = run(asked)
    answers = [answer for part in found for answer in part]
    assert answers == counted.answers
    probabilities = bundle().engine.predict(ROWS)
    assert probabilities.tolist() == [list(one.result.probabilities.values()) for one in answers]
    bodies = [parse_body(event.body) for event in ledger.events]
    assert [one.result for one in answers] == [
        body.answer for body in bodies if isinstance(body, PlainBody)
    ]


@pytest.mark.parametrize(
    ("given", "is_drawn"),
    [
        ({}, [True, False, False]),
        ({"seed": "5"}, [False] * 3),
        ({"passes": "auto"}, [False] * 3),
    ],
)
def test_a_part_says_whether_its_seed_was_drawn(
    given: dict[str, str], is_drawn: list[bool]
) -> None:
    """For its first row alone: others of the request have the same."""

    class Noting:
        def __init__(self) -> None:
            self.drawn: list[bool] = []
            self.parts: list[PlainPart | MonteCarloPart] = []

        def add_monte_carlo(self, answers: Any, rows: Any, asked: Any, *, is_drawn: bool) -> None:
            self.drawn.append(is_drawn)

    async def asked(served: Served) -> tuple[list[bool], set[int]]:
        noting: Any = Noting()
        found = await parts(
            predict_by(served, Counted()).monte_carlo(ROWS, options(**given), PATIENT, noting)
        )
        return noting.drawn, {answer.result.seed for part in found for answer in part}

    drawn, seeds = run(asked)
    assert is_drawn == drawn
    (seed,) = seeds
    assert 0 <= seed <= MAX_SEED


@pytest.mark.parametrize(
    ("given", "name", "code", "most"),
    [
        ({"passes": "101"}, "passes", FieldCode.TOO_MUCH_WORK, 4_000),
        ({"passes": "auto", "max_passes": "101"}, "max_passes", FieldCode.TOO_MUCH_WORK, 4_000),
        ({"passes": "auto"}, "max_passes", FieldCode.TOO_MUCH_WORK, 4_000),
    ],
)
def test_more_work_than_a_request_may_ask_for_is_refused(
    given: dict[str, str], name: str, code: FieldCode, most: int
) -> None:
    """Rows × passes, by the option that says how many; what is exactly as much is answered."""
    ledger, counted = Ledger(), Counted()

    async def asked(served: Served, given: dict[str, str]) -> int:
        _, opened = record_in(ledger)
        with opened as record:
            predict = predict_by(served, counted, most)
            return len(await parts(predict.monte_carlo(ROWS, options(**given), PATIENT, record)))

    with pytest.raises(InvalidInput) as refused:
        run(lambda served: asked(served, given))
    (fault,) = refused.value.faults
    assert ((name,), code, most, True) == (fault.where, fault.code, fault.maximum, fault.in_query)
    assert [] == counted.answers
    assert 3 == run(lambda served: asked(served, {"passes": "100"}))


def test_more_draws_than_an_answer_may_list_are_refused() -> None:
    """Rows × passes × classes."""

    async def asked(served: Served, passes: int) -> int:
        _, opened = record_in(None)
        with opened as record:
            given = options(passes=str(passes), draws="true")
            return len(
                await parts(predict_by(served, Counted()).monte_carlo(ROWS, given, PATIENT, record))
            )

    most = MOST_DRAWS // (40 * 7)
    assert 3 == run(lambda served: asked(served, most))
    with pytest.raises(InvalidInput) as refused:
        run(lambda served: asked(served, most + 1))
    (fault,) = refused.value.faults
    assert (("draws",), FieldCode.TOO_MANY_DRAWS) == (fault.where, fault.code)


def test_who_has_gone_is_not_answered() -> None:
    """Nothing is recorded and nothing counted."""
    ledger, counted = Ledger(), Counted()

    async def asked(served: Served) -> None:
        _, opened = record_in(ledger)
        with opened as record:
            caller = Caller(gone=lambda: True)
            await parts(predict_by(served, counted).plain(ROWS, caller, record))

    with pytest.raises(Abandoned):
        run(asked)
    assert ([], []) == (ledger.events, counted.answers)


# Records of requests.


async def kept(served: Served, record: Record, body: bytes) -> Sequence[bytes]:
    """The answer to one row, recorded."""
    await parts(predict_by(served, Counted()).plain(ROWS[:1], PATIENT, record))
    return await record.keep([body])


def test_a_key_is_answered_once() -> None:
    """The first answer again; another request of the same key, and one beside it, is a conflict."""
    ledger = Ledger()

    async def asked(served: Served) -> None:
        recorder, opened = record_in(ledger, key="k", digest=b"1")
        with opened as record:
            assert await record.earlier() is None
            with pytest.raises(Conflict) as beside, recorder.of(RequestName(None, "k"), 0):
                pass
            assert ProblemCode.KEY_IN_USE == beside.value.code
            assert [b"first"] == await kept(served, record, b"first")
        with recorder.of(RequestName(None, "k", b"1"), float("inf")) as record:
            assert b"first" == await record.earlier()
        with recorder.of(RequestName(None, "k", b"2"), float("inf")) as record:
            with pytest.raises(Conflict) as other:
                await record.earlier()
            assert ProblemCode.KEY_REUSED == other.value.code

    run(asked)
    assert 1 == len(ledger.events)


def test_another_process_may_be_first() -> None:
    """Its answer is given then, and ours is not recorded."""
    ledger = Ledger()

    async def asked(served: Served) -> None:
        _, ours = record_in(ledger, key="k", digest=b"1")
        _, theirs = record_in(ledger, key="k", digest=b"1")
        with ours as one, theirs as other:
            assert [b"theirs"] == await kept(served, other, b"theirs")
            assert [b"theirs"] == await kept(served, one, b"ours")

    run(asked)
    assert 1 == len(ledger.events)


def test_what_could_not_be_recorded_is_not_answered() -> None:
    """The next may be."""
    ledger = Ledger(faults=[RecordingFailed()])

    async def asked(served: Served) -> None:
        _, opened = record_in(ledger)
        with opened as record:
            with pytest.raises(RecordingFailed):
                await kept(served, record, b"lost")
            assert [b"kept"] == await record.keep([b"kept"])

    run(asked)
    assert 1 == len(ledger.events)


def test_nobody_waits_for_a_record_longer_than_they_said() -> None:
    """It may be written all the same, and the sentence says so."""

    class Slow(Ledger):
        def put(self, entry: Any) -> "asyncio.Future[bool]":
            return asyncio.get_running_loop().create_future()

    async def asked(served: Served) -> None:
        soon = asyncio.get_running_loop().time() + 0.05
        opened = Recorder(memory(Slow())).of(RequestName(), soon)
        with opened as record, pytest.raises(DeadlinePassedRecording):
            await kept(served, record, b"late")

    run(asked)


def test_without_a_memory_nothing_is_recorded() -> None:
    """The body leaves as it is, and no key has an earlier answer."""

    async def asked(served: Served) -> None:
        _, opened = record_in(None, key="k", digest=b"1")
        with opened as record:
            assert await record.earlier() is None
            assert [b"body"] == await kept(served, record, b"body")

    run(asked)


def test_bodies_hold_nothing_personal() -> None:
    """Neither a value nor the client's reference is in what is never erased."""
    ledger = Ledger()
    row = ROWS[:1].copy()
    row[0, 0] = 4_815_162_342

    async def asked(served: Served) -> None:
        _, opened = record_in(ledger, reference="secret case")
        with opened as record:
            await parts(predict_by(served, Counted()).plain(row, PATIENT, record))
            await record.keep([])

    run(asked)
    (event,) = ledger.events
    assert b"4815162342" not in event.body
    assert b"secret" not in event.body
    assert event.personal is not None
    assert b"4815162342" in event.personal
    assert ["out_of_range"] == [one["kind"] for one in json.decode(event.body)["warnings"]]
