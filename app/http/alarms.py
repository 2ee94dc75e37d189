"""`/alarms/{name}`: routes to acknowledge an alarm or to restart it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, StringConstraints

from app.errors import NotFound
from app.http.access import Access
from app.http.body import read_body
from app.http.json_body import read_json
from app.http.json_schema import LONGEST_NAME, NoteText
from app.http.openapi import BODY_REFUSALS, REFUSALS, documented
from app.http.response import json_response
from app.http.route import LeanRoute
from app.http.statistics_models import Alarm as ShownAlarm
from app.monitoring.alarm_events import AlarmWords
from app.monitoring.alarm_tests import ALARMS, AlarmName
from app.monitoring.alarms import Sentry
from app.problem_codes import ProblemCode
from app.settings import Settings
from dubito.inputs.options import NoOptions
from dubito.inputs.rows import STRICT

Act = Callable[[AlarmName, AlarmWords], Awaitable[None]]
NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "Name of the alarm.",
    "schema": {"type": "string", "enum": list(ALARMS)},
}
ALARM_REFUSALS = BODY_REFUSALS | {
    403: REFUSALS[403],
    404: "No alarm has this name.",
    422: REFUSALS[422],
    503: "Nothing can be recorded, or the record store does not respond.",
}
CONFLICTING = {409: "The alarm is not raised, or is already acknowledged."}


class AlarmRequest(BaseModel):
    """The person who acknowledges or restarts an alarm, and why."""

    model_config = STRICT

    name: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
    note: NoteText


def alarms(sentry: Sentry, settings: Settings) -> APIRouter:
    """Create the routes that acknowledge and restart alarms."""
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    access = Access(settings)

    @router.post(
        "/alarms/{name}/acknowledgement",
        summary="Acknowledge a raised alarm",
        **_documented("acknowledgeAlarm", ALARM_REFUSALS | CONFLICTING),
    )
    async def acknowledge(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - allows no parameters
        return await say(request, sentry.acknowledge)

    @router.post(
        "/alarms/{name}/beginning",
        summary="Restart an alarm",
        **_documented("beginAlarm", ALARM_REFUSALS),
    )
    async def begin(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - allows no parameters
        return await say(request, sentry.begin_anew)

    async def say(request: Request, act: Act) -> Response:
        access.check_records(request)
        body = await read_body(request, settings.max_body_bytes, settings.body_seconds)
        said = read_json(AlarmRequest, body)
        alarm = _named(request.path_params["name"])
        await act(alarm, AlarmWords(said.name, said.note))
        reports = {report.name: report for report in await sentry.alarms()}
        return json_response(reports[alarm])

    return router


def _documented(operation_id: str, refusals: dict[int, str]) -> dict[str, Any]:
    return documented(operation_id, ShownAlarm, AlarmRequest, names=NAME, refusals=refusals)


def _named(name: str) -> AlarmName:
    """Return the alarm of a name.

    Raises:
        NotFound: no alarm has this name.
    """
    for alarm in ALARMS:
        if alarm == name:
            return alarm
    raise NotFound(ProblemCode.NO_SUCH_ALARM, "no alarm has this name")
