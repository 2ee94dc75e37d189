"""`POST /predict` and `POST /predict/mc`: the routes that grade rows."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.http.answers import answer_models, listed
from app.http.body import JSON_TYPE, read_body
from app.http.connection import hung_up
from app.http.json_schema import any_of
from app.http.openapi import BODY_REFUSALS, CASE, KEY, Responses, answered, refused
from app.http.request_name import request_name
from app.http.response import InParts, WholeJson
from app.http.route import LeanRoute
from app.serving.caller import Caller
from app.serving.readiness import Readiness
from app.settings import Settings
from app.usecases.idempotency import Record, Recorder
from app.usecases.predict import Predict, Turns
from dubito.answer import AnyAnswer, AnyMonteCarloAnswer, AnyPlainAnswer, to_json
from dubito.bundles.manifest import Manifest
from dubito.errors import Ungradable
from dubito.features import INSTANCES
from dubito.inputs.options import (
    MonteCarloOptions,
    PlainOptions,
    monte_carlo_options,
    plain_options,
)
from dubito.inputs.rows import RowReader, example
from dubito.targets import ClassTarget
from dubito.types import Signature

GRADING_REFUSALS = BODY_REFUSALS | {
    403: "A page of another site sent the request.",
    409: "The Idempotency-Key was used for another request, or its request is still "
    "being answered.",
    422: "The request cannot be graded or is over a limit; the faults are listed field by field.",
    503: "The queue is full, the deadline cannot be met, or the engine or the record "
    "store reports trouble: nothing was answered.",
    504: "The deadline passed after the request was accepted. The answer may be "
    "recorded nevertheless; the same request with the same Idempotency-Key "
    "returns it if so.",
}


def grading(
    predict: Predict,
    recorder: Recorder,
    readiness: Readiness,
    manifest: Manifest,
    settings: Settings,
) -> APIRouter:
    """Create the routes that predict with one bundle."""
    router = APIRouter(tags=["grading"], route_class=LeanRoute)
    is_of_classes = isinstance(manifest.target, ClassTarget)
    models = answer_models(manifest.signature, manifest.calibration, manifest.members)
    reader = RowReader(manifest.signature, settings.max_rows)
    options_model = monte_carlo_options(
        manifest.target,
        manifest.passes,
        settings.max_passes,
        manifest.calibration,
        settings.deadline_ms,
        manifest.members,
    )
    plain_model = plain_options(settings.deadline_ms)

    async def body_of(request: Request) -> bytes:
        return await read_body(request, settings.max_body_bytes, settings.body_seconds)

    @router.post(
        "/predict",
        summary="Grade by the deterministic pass"
        if is_of_classes
        else "Predict a number by the deterministic pass",
        operation_id="predict",
        responses=_responses(models.plain),
        openapi_extra=_request(reader, manifest.signature),
    )
    async def plain(
        request: Request,
        options: Annotated[plain_model, Query()],  # type: ignore[valid-type]
    ) -> Response:
        readiness.check()
        caller = _caller(request, options)
        with predict.users:
            body = await body_of(request)
            with recorder.of(request_name(request, body), caller.deadline) as record:
                if (earlier := await record.earlier()) is not None:
                    return Response(earlier, media_type=JSON_TYPE)
                rows, many = await reader.read_in_turns(body)
                return await _response(predict.plain(rows, caller, record), record, many)

    @router.post(
        "/predict/mc",
        summary="Grade with uncertainty, by Monte-Carlo dropout"
        if is_of_classes
        else "Predict a number with uncertainty, by Monte-Carlo dropout",
        operation_id="predictMonteCarlo",
        responses=_responses(models.with_draws, models.monte_carlo),
        openapi_extra=_request(reader, manifest.signature),
    )
    async def monte_carlo(
        request: Request,
        options: Annotated[options_model, Query()],  # type: ignore[valid-type]
    ) -> Response:
        asked: MonteCarloOptions = options
        readiness.check()
        caller = _caller(request, asked)
        with predict.users:
            body = await body_of(request)
            with recorder.of(request_name(request, body), caller.deadline) as record:
                if (earlier := await record.earlier()) is not None:
                    return Response(earlier, media_type=JSON_TYPE)
                predict.admit(_rows_at_least(body), asked, caller)
                rows, many = await reader.read_in_turns(body)
                return await _response(
                    predict.monte_carlo(rows, asked, caller, record), record, many
                )

    return router


def _caller(request: Request, options: PlainOptions) -> Caller:
    """Create the caller of a request; its deadline counts from now."""
    now = asyncio.get_running_loop().time()
    return Caller(now + options.deadline_ms / 1e3, hung_up(request.receive))


def _rows_at_least(body: bytes) -> int:
    """Return a lower bound of the rows in an unparsed body, which holds if the body is valid."""
    return max(1, body.count(b"{") - 1)


async def _response(
    answering: Awaitable[Turns[AnyPlainAnswer]] | Awaitable[Turns[AnyMonteCarloAnswer]],
    record: Record,
    many: bool,
) -> Response:
    """Write the response to all rows; ungradable rows are named by their place in the body."""
    try:
        written = await (await answering).each(_joined)
    except Ungradable as error:
        raise (error.within(INSTANCES) if many else error) from None
    if not many:
        (content,) = await record.keep(written)
        return WholeJson(content)
    whole = [b'{"predictions":[', *_separated(written), b"]}"]
    return InParts(await record.keep(whole), JSON_TYPE)


def _joined(answers: Sequence[AnyAnswer]) -> bytes:
    return to_json(answers[0]) if len(answers) == 1 else b",".join(map(to_json, answers))


def _separated(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the parts with commas between them."""
    for index, part in enumerate(parts):
        if index:
            yield b","
        yield part


def _responses(*models: type[BaseModel]) -> Responses:
    """Describe the responses of a grading route; the model with the most members comes first."""
    forms = any_of([*models, *map(listed, models)])
    good = answered(forms, "One prediction, or one for each of `instances`.")
    return good | refused(GRADING_REFUSALS)


def _request(reader: RowReader, signature: Signature) -> dict[str, Any]:
    """Describe headers and body of a grading route for OpenAPI: the route parses them itself."""
    usual = example(signature)
    examples = {
        "one": {"summary": "One row", "value": usual},
        "many": {"summary": "Several rows", "value": {"instances": [usual, usual]}},
    }
    content = {"schema": any_of([reader.row, reader.rows], "validation"), "examples": examples}
    body = {"required": True, "content": {JSON_TYPE: content}}
    return {"parameters": [KEY, CASE], "requestBody": body}
