"""`POST /predict` and `POST /predict/mc`."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from app.api.answers import Answers, listed
from app.api.body import MEDIA_TYPE, read_body
from app.api.connection import hung_up
from app.api.options import MonteCarloOptions, PlainOptions, monte_carlo_options, plain_options
from app.api.recording import Record, Recorder
from app.api.refusals import CASE, KEY, Responses, answered, refused
from app.api.response import InParts
from app.api.route import LeanRoute
from app.api.rows import INSTANCES, RowReader, example
from app.api.schema import any_of
from app.api.spelling import AUTO
from app.codes import FieldCode
from app.errors import Fault, InvalidInput, Ungradable
from app.monitoring.meter import Meter
from app.serving.client import Client
from app.serving.predictor import Predictor
from app.serving.readiness import Readiness
from app.settings import Settings
from app.values import MAX_SEED, Calibration, Floats, Signature
from app.values import Query as Passes

MOST_DRAWS = 100_000
"""Numbers of a `draws=true` answer: rows × passes × classes."""

ROWS_AT_A_TIME = 16
"""Rows whose answers are written before others have their turn."""

PLAIN = {"endpoint": "/predict"}
"""What is recorded of how a deterministic pass was asked for."""

Answered = TypeVar("Answered")

REFUSALS = {
    400: "The body is not JSON.",
    403: "A page of another site asks.",
    408: "The body was too slow.",
    409: "The Idempotency-Key came with another request, or that is being answered.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    422: "What cannot be graded, field by field, or is over a limit.",
    503: "The queue is full, the deadline cannot be met, or the engine or the records are in "
    "trouble: nothing was answered.",
    504: "The deadline passed after the request was accepted. The answer may be recorded all the "
    "same; the same request with the same Idempotency-Key finds out.",
}


def grading(
    predictor: Predictor,
    recorder: Recorder,
    readiness: Readiness,
    answers: Answers,
    meter: Meter,
    signature: Signature,
    default_passes: int,
    calibration: Calibration | None,
    settings: Settings,
) -> APIRouter:
    """The routes that grade, for one bundle."""
    router = APIRouter(tags=["grading"], route_class=LeanRoute)
    reader = RowReader(signature, settings.max_rows)
    options_model = monte_carlo_options(
        default_passes, settings.max_passes, calibration, settings.deadline_ms
    )
    plain_model = plain_options(settings.deadline_ms)

    async def body_of(request: Request) -> bytes:
        return await read_body(request, settings.max_body_bytes, settings.body_seconds)

    @router.post(
        "/predict",
        summary="Grade by the deterministic pass",
        operation_id="predict",
        responses=_responses(answers.graded),
        openapi_extra=_request(reader, signature),
    )
    async def predict(
        request: Request,
        options: Annotated[plain_model, Query()],  # type: ignore[valid-type]
    ) -> Response:
        readiness.check()
        client = _client(request, options)
        body = await body_of(request)
        with recorder.of(request, body, client.deadline) as record:
            if (earlier := await record.earlier()) is not None:
                return earlier
            rows, many = await reader.read_in_turns(body)
            graded = await _placed(predictor.grade(rows, client), many)
            answers_of = partial(answers.of_graded, graded)
            answered = _Answered(answers_of, rows, PLAIN, meter.graded, is_drawn=False)
            return await _response(answered, record, many)

    @router.post(
        "/predict/mc",
        summary="Grade with uncertainty, by Monte-Carlo dropout",
        operation_id="predictMonteCarlo",
        responses=_responses(answers.drawn, answers.doubted),
        openapi_extra=_request(reader, signature),
    )
    async def predict_mc(
        request: Request,
        options: Annotated[options_model, Query()],  # type: ignore[valid-type]
    ) -> Response:
        asked: MonteCarloOptions = options
        readiness.check()
        client = _client(request, asked)
        body = await body_of(request)
        with recorder.of(request, body, client.deadline) as record:
            if (earlier := await record.earlier()) is not None:
                return earlier
            if not asked.degrade:
                # Under overload most are refused, and should not cost those who are answered.
                most = max(1, settings.max_work // asked.least_passes)
                predictor.admit(min(_rows_at_least(body), most), asked.least_passes, client)
            rows, many = await reader.read_in_turns(body)
            _check_work(asked, len(rows), len(signature.classes), settings.max_work)
            doubting = predictor.doubt(
                Passes(rows, asked.most_passes, _seed(asked.seed)),
                client,
                tolerance=asked.reached,
                keep_draws=asked.draws,
                asked=asked.asked,
                degrade=asked.degrade,
            )
            doubted = await _placed(doubting, many)
            answers_of = partial(answers.of_doubted, doubted)
            is_drawn = asked.seed is None and asked.reached is None
            answered = _Answered(answers_of, rows, asked.recorded, meter.doubted, is_drawn)
            return await _response(answered, record, many)

    return router


async def _placed(answering: Awaitable[Answered], many: bool) -> Answered:
    """What comes of rows; those that cannot be graded are named by where the body has them."""
    try:
        return await answering
    except Ungradable as error:
        raise (error.within(INSTANCES) if many else error) from None


def _client(request: Request, options: PlainOptions) -> Client:
    """Who asks; the deadline counts from here."""
    now = asyncio.get_running_loop().time()
    return Client(now + options.deadline_ms / 1e3, hung_up(request.receive))


def _rows_at_least(body: bytes) -> int:
    """Rows of a body that is not read yet, if it is JSON as it should be."""
    return max(1, body.count(b"{") - 1)


def _seed(asked: int | None) -> int:
    """The seed asked for, or a fresh one from the operating system."""
    return secrets.randbelow(MAX_SEED + 1) if asked is None else asked


def _check_work(options: MonteCarloOptions, rows: int, classes: int, most: int) -> None:
    work = rows * options.most_passes
    if work > most:
        name = "max_passes" if options.passes == AUTO else "passes"
        message = f"times the number of rows must be at most {most} (DUBITO_MAX_WORK)"
        code = FieldCode.TOO_MUCH_WORK
        raise InvalidInput([Fault((name,), code, message, in_query=True, maximum=most)])
    if options.draws and work * classes > MOST_DRAWS:
        message = f"are limited to {MOST_DRAWS} numbers: rows × passes × classes"
        code = FieldCode.TOO_MANY_DRAWS
        raise InvalidInput([Fault(("draws",), code, message, in_query=True, maximum=MOST_DRAWS)])


@dataclass(frozen=True, slots=True)
class _Answered:
    """Rows that were graded."""

    answers: Callable[[range], list[dict[str, Any]]]
    """Of some of them."""
    rows: Floats
    asked: dict[str, Any]
    """As it is recorded."""
    count: Callable[[list[dict[str, Any]]], None]
    """Takes answers for metrics."""
    is_drawn: bool
    """Whether passes and seed were fixed before, the seed by chance."""

    def part(self, start: int, record: Record) -> bytes:
        """The answers to a few rows in JSON, without the brackets of the list."""
        stop = min(len(self.rows), start + ROWS_AT_A_TIME)
        answers = self.answers(range(start, stop))
        is_drawn = self.is_drawn and start == 0
        content = to_json(answers)
        record.add(answers, content, self.rows[start:stop], self.asked, is_drawn=is_drawn)
        self.count(answers)
        return content[1:-1]


async def _response(answered: _Answered, record: Record, many: bool) -> Response:
    """The answers of all rows; between some of them the event loop may look after others."""
    parts = [answered.part(0, record)]
    if not many:
        (content,) = await record.keep(parts)
        return Response(content, media_type=MEDIA_TYPE)
    for start in range(ROWS_AT_A_TIME, len(answered.rows), ROWS_AT_A_TIME):
        await asyncio.sleep(0)
        parts.append(answered.part(start, record))
    listed = [b'{"predictions":[', *_separated(parts), b"]}"]
    return InParts(await record.keep(listed), MEDIA_TYPE)


def _separated(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Parts with commas between them."""
    for at, part in enumerate(parts):
        if at:
            yield b","
        yield part


def _responses(*models: type[BaseModel]) -> Responses:
    """What a grading route answers, for OpenAPI; models from the one with most members."""
    forms = any_of([*models, *map(listed, models)])
    good = answered(forms, "One answer, or one for each of `instances`.")
    return good | refused(REFUSALS)


def _request(reader: RowReader, signature: Signature) -> dict[str, Any]:
    """Headers and body that a grading route reads, for OpenAPI: it reads them by itself."""
    usual = example(signature)
    examples = {
        "one": {"summary": "One row", "value": usual},
        "many": {"summary": "Several rows", "value": {"instances": [usual, usual]}},
    }
    content = {"schema": any_of([reader.row, reader.rows], "validation"), "examples": examples}
    body = {"required": True, "content": {MEDIA_TYPE: content}}
    return {"parameters": [KEY, CASE], "requestBody": body}
