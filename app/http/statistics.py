"""`GET /uncertainty` and `GET /uncertainty/stream`: statistics over time, polled or streamed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.http.access import Access
from app.http.body import JSON_TYPE
from app.http.json_schema import schema
from app.http.openapi import KEPT_TAG, TAG, Responses, answered, refused
from app.http.problems import Refusal
from app.http.response import names
from app.http.route import LeanRoute
from app.http.statistics_models import NumberUncertaintyFigures, UncertaintyFigures
from app.monitoring.monitor import KEPT_SECONDS, Monitor, ReportJson
from app.monitoring.time_windows import STEPS, WINDOWS, Range, Window, fitting, spanning
from app.problem_codes import ProblemCode
from dubito.errors import DubitoError, Fault, FieldCode, InvalidInput
from dubito.inputs.text_types import instant
from dubito.targets import NumberTarget, Target

EVENTS = "text/event-stream"
MOST_LISTENERS = 100
LONGEST = timedelta(days=400)
"""Longest range of a request."""
SILENCE = 15.0
"""Seconds without a change after which a listener gets a comment that keeps the connection open."""
CACHING = "max-age=1"
STREAMED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Response headers that keep proxies, nginx included, from buffering events."""
REFUSED = refused(
    {
        422: "A query parameter is wrong.",
        503: "The record store does not respond, or too many clients listen.",
    }
)


class FigureOptions(BaseModel):
    """Time window of the statistics, and its division into steps."""

    model_config = ConfigDict(extra="forbid")

    window: Annotated[
        Literal[tuple(WINDOWS)],  # type: ignore[valid-type]
        Field(description="Length of the window, which ends now."),
    ] = "1h"
    step: Annotated[
        Literal[tuple(STEPS)] | None,  # type: ignore[valid-type]
        Field(
            description="Length of a step. If it is longer than the window or too short for "
            "it, another is used, which the response names."
        ),
        WithJsonSchema({"type": "string", "enum": list(STEPS)}),
    ] = None

    @property
    def asked(self) -> Window | Range:
        """The requested window."""
        return fitting(self.window, self.step)


_INSTANT = WithJsonSchema({"type": "string", "format": "date-time"})


class RangeOptions(FigureOptions):
    """Time window of the statistics, or a range with bounds of its own."""

    since: Annotated[
        datetime | None,
        BeforeValidator(instant),
        Field(
            description="Start of a range, instead of `window` and together with `until`: ISO "
            "8601 with a time zone. Steps are counted from here. Counts are by "
            "whole minutes; by whole hours if the range is longer than 25 hours "
            "or older than 8 days."
        ),
        _INSTANT,
    ] = None
    until: Annotated[
        datetime | None,
        BeforeValidator(instant),
        Field(description="End of the range: later than its start, by at most 400 days."),
        _INSTANT,
    ] = None

    @property
    def asked(self) -> Window | Range:
        """The requested window or range.

        Raises:
            InvalidInput: the bounds are not a valid range.
        """
        since, until = self.since, self.until
        if since is None and until is None:
            return super().asked
        if since is None or until is None:
            name = "since" if since is None else "until"
            raise _wrong(name, "is missing beside the other bound", FieldCode.MISSING)
        if "window" in self.model_fields_set:
            raise _wrong("window", "must not be given together with since and until")
        if until <= since:
            raise _wrong("until", "must be later than since")
        if until - since > LONGEST:
            raise _wrong("until", f"must be at most {LONGEST.days} days later than since")
        return spanning(since.timestamp(), until.timestamp(), self.step, time.time())


def _wrong(name: str, message: str, code: FieldCode = FieldCode.NOT_A_RANGE) -> InvalidInput:
    return InvalidInput([Fault((name,), code, message, in_query=True)])


def uncertainty(
    monitor: Monitor, target: Target, access: Access, is_ready: Callable[[], bool]
) -> APIRouter:
    """Create the routes of the statistics.

    Args:
        monitor: computes the statistics.
        target: what the bundle predicts, for the documentation.
        access: decides who may see names and notes.
        is_ready: whether the service keeps running; streams end as soon as it does not.
    """
    router = APIRouter(tags=["figures"], route_class=LeanRoute)
    listeners = 0
    is_number = isinstance(target, NumberTarget)
    model = NumberUncertaintyFigures if is_number else UncertaintyFigures

    @router.get(
        "/uncertainty",
        summary="Statistics over time",
        operation_id="getUncertainty",
        responses=_tagged(answered(schema(model), "The statistics.")) | REFUSED,
        openapi_extra={"parameters": [KEPT_TAG]},
    )
    async def figures(request: Request, options: Annotated[RangeOptions, Query()]) -> Response:
        content = _shown(await monitor.content(options.asked), access, request)
        # The tag is weak, because the response may be compressed on its way.
        tag = f'W/"{content.tag}"'
        headers = {"ETag": tag, "Cache-Control": CACHING}
        if names(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content.body, media_type=JSON_TYPE, headers=headers)

    @router.get(
        "/uncertainty/stream",
        summary="Statistics as server-sent events, for windows only",
        operation_id="streamUncertainty",
        responses=answered({"type": "string"}, "An endless stream of events.", EVENTS) | REFUSED,
    )
    async def stream(request: Request, options: Annotated[FigureOptions, Query()]) -> Response:
        first = await monitor.content(options.asked)
        if listeners >= MOST_LISTENERS:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                ProblemCode.TOO_MANY_LISTENERS,
                "too many clients listen to events already",
            )
        return _Stream(told(request, options.asked, first), count)

    async def told(
        request: Request, window: Window | Range, content: ReportJson
    ) -> AsyncIterator[bytes]:
        content = _shown(content, access, request)
        yield _event(content)
        tag, silent = content.tag, 0.0
        while is_ready():
            await asyncio.sleep(KEPT_SECONDS)
            silent += KEPT_SECONDS
            # If the record store does not respond now, the next query may succeed.
            with suppress(DubitoError):
                content = _shown(await monitor.content(window), access, request)
            if content.tag != tag:
                yield _event(content)
                tag, silent = content.tag, 0.0
            elif silent >= SILENCE:
                yield b": still there\n\n"
                silent = 0.0

    def count(change: int) -> None:
        nonlocal listeners
        listeners += change

    return router


def _shown(content: ReportJson, access: Access, request: Request) -> ReportJson:
    """Return statistics with the names and notes of alarms, if the request may see records."""
    return content if access.shows_records(request) else content.nameless or content


def _tagged(responses: Responses) -> Responses:
    """Document the `ETag` header of responses, and the 304 that needs no body."""
    told = {status: {**one, "headers": TAG} for status, one in responses.items()}
    return told | {304: {"description": "The content is unchanged.", "headers": TAG}}


class _Stream(StreamingResponse):
    """Events for one client, until the client or the service ends."""

    def __init__(self, events: AsyncIterator[bytes], count: Callable[[int], None]) -> None:
        super().__init__(events, media_type=EVENTS, headers=STREAMED)
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; a HEAD request never gets here and counts as no listener."""
        self._count(1)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._count(-1)


def _event(content: ReportJson) -> bytes:
    return b"id: " + content.tag.encode() + b"\ndata: " + content.body + b"\n\n"
