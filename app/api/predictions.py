"""`/predictions/{id}`: what was answered, computed again, corrected, and how it came out."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from app.api.body import MEDIA_TYPE, read_body
from app.api.case import CaseModel, OutcomeModel
from app.api.cases import Cases, Changes, WhatIf
from app.api.exposure import Exposure
from app.api.options import NoOptions
from app.api.problems import MEDIA_TYPE as PROBLEM
from app.api.problems import InvalidProblem, Problem
from app.api.replaying import Replay
from app.api.route import LeanRoute
from app.api.schema import schema
from app.settings import Settings

PATH = [
    {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "Identifier of the answer.",
        "schema": {"type": "string", "format": "uuid"},
    }
]
REFUSALS = {
    400: "The body is not JSON.",
    403: "The request comes from where it must not.",
    404: "No such prediction is recorded.",
    408: "The body was too slow.",
    409: "It contradicts what is recorded, or another bundle answered.",
    410: "The features were erased.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    503: "Too much waits, or the records do not answer.",
    504: "It took too long.",
}


def predictions(cases: Cases, settings: Settings) -> APIRouter:
    """The routes of recorded predictions."""
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    exposure = Exposure(settings)
    Options = Annotated[NoOptions, Query()]  # noqa: N806 - a type

    async def body_of(request: Request) -> bytes:
        return await read_body(request, settings.max_body_bytes, settings.body_seconds)

    @router.get("/predictions/{id}", summary="What was answered", **_documented(CaseModel))
    async def prediction(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        exposure.check(request)
        return _json((await cases.case(request)).shown())

    @router.post("/predictions/{id}/replay", summary="Compute it again", **_documented(Replay))
    async def replay(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        exposure.check(request)
        await body_of(request)
        return _json(await cases.replay(await cases.case(request)))

    @router.post(
        "/predictions/{id}/what-if", summary="With other features", **_documented(WhatIf, Changes)
    )
    async def what_if(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        exposure.check(request)
        body = await body_of(request)
        return _json(await cases.what_if(await cases.case(request), body))

    @router.put(
        "/predictions/{id}/outcome",
        summary="The true grade",
        **_documented(OutcomeModel, cases.known),
    )
    async def outcome(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        exposure.check(request)
        body = await body_of(request)
        return _json(await cases.come_out(request, body))

    return router


def _json(content: dict[str, Any]) -> Response:
    return Response(to_json(content, inf_nan_mode="null"), media_type=MEDIA_TYPE)


def _documented(model: type[BaseModel], body: type[BaseModel] | None = None) -> dict[str, Any]:
    """What OpenAPI is told of a route, whose handler reads path and body by itself."""
    refused: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": {PROBLEM: {"schema": schema(Problem)}}}
        for status, text in REFUSALS.items()
    }
    refused[422] = {
        "description": "What is wrong, field by field.",
        "content": {PROBLEM: {"schema": schema(InvalidProblem)}},
    }
    extra: dict[str, Any] = {"parameters": PATH}
    if body is not None:
        content = {MEDIA_TYPE: {"schema": schema(body)}}
        extra["requestBody"] = {"required": True, "content": content}
    return {"responses": {200: {"model": model}, **refused}, "openapi_extra": extra}
