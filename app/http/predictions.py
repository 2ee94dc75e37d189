"""`/predictions`: search recorded predictions, replay them, and compute them with changes."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.http.access import Access
from app.http.body import read_body
from app.http.case_models import RecordedNumber, RecordedPrediction, Replay, WhatIf
from app.http.connection import hung_up
from app.http.json_body import AnyChanges, read_changes
from app.http.openapi import documented
from app.http.response import json_response
from app.http.route import LeanRoute
from app.http.search_options import (
    NumberPredictionList,
    PredictionList,
    SearchOptions,
    page_of,
)
from app.serving.caller import Caller
from app.settings import Settings
from app.usecases.case import Cases
from app.usecases.replay import Replays
from dubito.inputs.options import NoOptions
from dubito.inputs.rows import changes
from dubito.targets import NumberTarget
from dubito.types import Signature


def predictions(
    cases: Cases, replays: Replays, signatures: Mapping[str, Signature], settings: Settings
) -> APIRouter:
    """Create the routes of recorded predictions, documented for the served bundles.

    Args:
        cases: reads recorded predictions.
        replays: computes them again.
        signatures: signature of each served bundle by its name, of which there is one at least.
        settings: limits, and who may read records.
    """
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    access = Access(settings)
    Options = Annotated[NoOptions, Query()]  # noqa: N806 - a type
    most, seconds = settings.max_body_bytes, settings.body_seconds

    first = next(iter(signatures.values()))
    is_number = any(isinstance(one.target, NumberTarget) for one in signatures.values())
    changed_features = changes(first) if len(signatures) == 1 else AnyChanges
    lists = NumberPredictionList if is_number else PredictionList

    def caller(request: Request) -> Caller:
        """Create the caller of a request whose body was read; it has the default deadline."""
        deadline = asyncio.get_running_loop().time() + settings.deadline_ms / 1e3
        return Caller(deadline, hung_up(request.receive))

    @router.get(
        "/predictions",
        summary="Recorded predictions, newest first",
        **documented("listPredictions", lists, names=None),
    )
    async def listed(request: Request, options: Annotated[SearchOptions, Query()]) -> Response:
        access.check_records(request)
        return json_response(
            page_of(await cases.search(options.search, options.limit, options.place))
        )

    @router.get(
        "/predictions/{id}",
        summary="One recorded prediction",
        **documented("getPrediction", RecordedNumber if is_number else RecordedPrediction),
    )
    async def prediction(request: Request, options: Options) -> Response:  # noqa: ARG001 - allows no parameters
        access.check_records(request)
        return json_response((await cases.named(request.path_params["id"])).shown())

    @router.post(
        "/predictions/{id}/replay",
        summary="Replay: compute the prediction again and compare",
        **documented("replayPrediction", Replay),
    )
    async def replay(request: Request, options: Options) -> Response:  # noqa: ARG001 - allows no parameters
        access.check_records(request)
        await read_body(request, most, seconds, optional=True)
        waiting = caller(request)
        case = await cases.named(request.path_params["id"])
        return json_response(await replays.replay(case, waiting))

    @router.post(
        "/predictions/{id}/what-if",
        summary="What if: compute the prediction with other features",
        **documented("whatIf", WhatIf, changed_features),
    )
    async def what_if(request: Request, options: Options) -> Response:  # noqa: ARG001 - allows no parameters
        access.check_records(request)
        body = await read_body(request, most, seconds)
        waiting = caller(request)
        case = await cases.named(request.path_params["id"])
        changed = read_changes(signatures.get(case.body.model.name, first), body)
        return json_response(await replays.what_if(case, changed, waiting))

    return router
