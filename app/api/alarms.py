"""`/alarms/{name}`: a person acknowledges an alarm, or begins it anew."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, StringConstraints

from app.api.access import Access
from app.api.body import read_body
from app.api.cases import read_small
from app.api.figures_model import Alarm as ShownAlarm
from app.api.options import NoOptions
from app.api.refusals import REFUSALS, documented
from app.api.response import json_response
from app.api.route import LeanRoute
from app.api.verdicts import LONGEST_NAME, LONGEST_NOTE, STRICT
from app.codes import ProblemCode
from app.errors import NotFound
from app.monitoring.alarms import Words
from app.monitoring.sentry import Sentry
from app.monitoring.state import ALARMS, Alarm
from app.settings import Settings

Act = Callable[[Alarm, Words], Awaitable[None]]
NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "Which alarm.",
    "schema": {"type": "string", "enum": list(ALARMS)},
}
REFUSED = {
    status: text for status, text in REFUSALS.items() if status not in {404, 409, 410, 504}
} | {404: "There is no such alarm.", 503: "Nothing can be recorded, or the records do not answer."}
CONFLICTING = {409: "The alarm is not raised, or is acknowledged already."}


class AlarmRequest(BaseModel):
    """Who says something of an alarm, and why."""

    model_config = STRICT

    name: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)]


def alarms(sentry: Sentry, settings: Settings) -> APIRouter:
    """The routes of what a person says of an alarm."""
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    access = Access(settings)

    @router.post(
        "/alarms/{name}/acknowledgement",
        summary="Acknowledge a raised alarm",
        **_documented("acknowledgeAlarm", REFUSED | CONFLICTING),
    )
    async def acknowledge(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - there are none
        return await say(request, sentry.acknowledge)

    @router.post(
        "/alarms/{name}/beginning",
        summary="Begin an alarm anew",
        **_documented("beginAlarm", REFUSED),
    )
    async def begin(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - there are none
        return await say(request, sentry.begin_anew)

    async def say(request: Request, act: Act) -> Response:
        access.check_records(request)
        body = await read_body(request, settings.max_body_bytes, settings.body_seconds)
        said = read_small(AlarmRequest, body)
        alarm = _named(request.path_params["name"])
        await act(alarm, Words(said.name, said.note))
        shown = {one["name"]: one for one in await sentry.alarms()}
        return json_response(shown[alarm])

    return router


def _documented(operation_id: str, refusals: dict[int, str]) -> dict[str, Any]:
    return documented(operation_id, ShownAlarm, AlarmRequest, names=NAME, refusals=refusals)


def _named(name: str) -> Alarm:
    """The alarm of a name.

    Raises:
        NotFound: there is none.
    """
    for alarm in ALARMS:
        if alarm == name:
            return alarm
    raise NotFound(ProblemCode.NO_SUCH_ALARM, "there is no such alarm")
