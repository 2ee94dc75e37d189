"""`/predictions/{id}`: what was answered, computed again, corrected, and how it came out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.access import Access
from app.api.body import read_body
from app.api.case import Outcome, RecordedPrediction
from app.api.cases import Cases, WhatIf
from app.api.options import NoOptions
from app.api.refusals import documented
from app.api.replaying import Replay
from app.api.response import json_response
from app.api.route import LeanRoute
from app.api.rows import changes
from app.api.searching import PredictionList, SearchOptions, shown
from app.api.verdicts import Verdicts
from app.settings import Settings
from app.values import Signature


def predictions(
    cases: Cases, verdicts: Verdicts, signature: Signature, settings: Settings
) -> APIRouter:
    """The routes of recorded predictions, documented for the served bundle's signature."""
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    access = Access(settings)
    Options = Annotated[NoOptions, Query()]  # noqa: N806 - a type

    most, seconds = settings.max_body_bytes, settings.body_seconds

    @router.get(
        "/predictions",
        summary="What was answered, the newest first",
        **documented("listPredictions", PredictionList, names=None),
    )
    async def listed(request: Request, options: Annotated[SearchOptions, Query()]) -> Response:
        access.check_records(request)
        return json_response(shown(await cases.search(options.sought)))

    @router.get(
        "/predictions/{id}",
        summary="What was answered",
        **documented("getPrediction", RecordedPrediction),
    )
    async def prediction(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        access.check_records(request)
        return json_response((await cases.case(request)).shown())

    @router.post(
        "/predictions/{id}/replay",
        summary="Compute it again",
        **documented("replayPrediction", Replay),
    )
    async def replay(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        access.check_records(request)
        await read_body(request, most, seconds, optional=True)
        client = cases.client(request)
        return json_response(await cases.replay(await cases.case(request), client))

    @router.post(
        "/predictions/{id}/what-if",
        summary="With other features",
        **documented("whatIf", WhatIf, changes(signature)),
    )
    async def what_if(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        access.check_records(request)
        body = await read_body(request, most, seconds)
        client = cases.client(request)
        return json_response(await cases.what_if(await cases.case(request), body, client))

    @router.put(
        "/predictions/{id}/outcome",
        summary="The true grade",
        **documented("recordOutcome", Outcome, verdicts.known),
    )
    async def outcome(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        access.check_records(request)
        body = await read_body(request, most, seconds)
        return json_response(await verdicts.come_out(request, body))

    return router
