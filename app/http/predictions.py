"""`/predictions/{id}`: what was answered, computed again, corrected, and how it came out."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.http.access import Access
from app.http.body import read_body
from app.http.case_models import Outcome, RecordedPrediction, Replay, WhatIf
from app.http.connection import hung_up
from app.http.feedback_models import outcome_request
from app.http.json_body import read_changes, read_json
from app.http.openapi import documented
from app.http.response import json_response
from app.http.route import LeanRoute
from app.http.search_options import PredictionList, SearchOptions, shown
from app.serving.caller import Caller
from app.settings import Settings
from app.usecases.case import Cases
from app.usecases.feedback import Feedback
from app.usecases.replay import Replays
from dubito.inputs.options import NoOptions
from dubito.inputs.rows import changes
from dubito.types import Signature


def predictions(
    cases: Cases, replays: Replays, feedback: Feedback, signature: Signature, settings: Settings
) -> APIRouter:
    """The routes of recorded predictions, documented for the served bundle's signature."""
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    access = Access(settings)
    Options = Annotated[NoOptions, Query()]  # noqa: N806 - a type
    Said = outcome_request(signature.classes)  # noqa: N806 - a type
    most, seconds = settings.max_body_bytes, settings.body_seconds

    def caller(request: Request) -> Caller:
        """Who asks, and waits as long as one who names no deadline; its body was read."""
        deadline = asyncio.get_running_loop().time() + settings.deadline_ms / 1e3
        return Caller(deadline, hung_up(request.receive))

    @router.get(
        "/predictions",
        summary="What was answered, the newest first",
        **documented("listPredictions", PredictionList, names=None),
    )
    async def listed(request: Request, options: Annotated[SearchOptions, Query()]) -> Response:
        access.check_records(request)
        return json_response(
            shown(await cases.search(options.search, options.limit, options.place))
        )

    @router.get(
        "/predictions/{id}",
        summary="What was answered",
        **documented("getPrediction", RecordedPrediction),
    )
    async def prediction(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        access.check_records(request)
        return json_response((await cases.named(request.path_params["id"])).shown())

    @router.post(
        "/predictions/{id}/replay",
        summary="Compute it again",
        **documented("replayPrediction", Replay),
    )
    async def replay(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        access.check_records(request)
        await read_body(request, most, seconds, optional=True)
        waiting = caller(request)
        case = await cases.named(request.path_params["id"])
        return json_response(await replays.replay(case, waiting))

    @router.post(
        "/predictions/{id}/what-if",
        summary="With other features",
        **documented("whatIf", WhatIf, changes(signature)),
    )
    async def what_if(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        access.check_records(request)
        body = await read_body(request, most, seconds)
        waiting = caller(request)
        case = await cases.named(request.path_params["id"])
        changed = read_changes(signature, body)
        return json_response(await replays.what_if(case, changed, waiting))

    @router.put(
        "/predictions/{id}/outcome",
        summary="The true grade",
        **documented("recordOutcome", Outcome, Said),
    )
    async def outcome(request: Request, options: Options) -> Response:  # noqa: ARG001 - there are none
        access.check_records(request)
        said = read_json(Said, await read_body(request, most, seconds))
        prediction = request.path_params["id"]
        return json_response(await feedback.come_out(prediction, said.grade, said.correction))

    return router
