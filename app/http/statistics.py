"""`GET /uncertainty` and `GET /uncertainty/stream`: figures over time, for who polls or listens."""

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
from app.http.body import MEDIA_TYPE
from app.http.json_schema import schema
from app.http.openapi import KEPT_TAG, TAG, Responses, answered, refused
from app.http.problems import Refusal
from app.http.response import names
from app.http.route import LeanRoute
from app.http.statistics_models import UncertaintyFigures
from app.monitoring.monitor import KEPT_SECONDS, Content, Monitor
from app.monitoring.time_windows import STEPS, WINDOWS, Range, Window, fitting, spanning
from app.problem_codes import ProblemCode
from dubito.errors import DubitoError, Fault, FieldCode, InvalidInput
from dubito.inputs.text_types import instant

EVENTS = "text/event-stream"
MOST_LISTENERS = 100
LONGEST = timedelta(days=400)
"""Of a range."""
SILENCE = 15.0
"""Seconds without a change after which a listener is told that the service is still there."""
CACHING = "max-age=1"
STREAMED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Nothing on the way keeps events back, nginx included."""
REFUSED = refused(
    {
        422: "A query parameter is wrong.",
        503: "The records do not answer, or too many listen.",
    }
)


class FigureOptions(BaseModel):
    """Which stretch of time, and in what steps."""

    model_config = ConfigDict(extra="forbid")

    window: Annotated[
        Literal[tuple(WINDOWS)],  # type: ignore[valid-type]
        Field(description="How far back, up to now."),
    ] = "1h"
    step: Annotated[
        Literal[tuple(STEPS)] | None,  # type: ignore[valid-type]
        Field(
            description="Where it is longer than the window, or too short for it, another is "
            "taken, which the answer tells."
        ),
        WithJsonSchema({"type": "string", "enum": list(STEPS)}),
    ] = None

    @property
    def asked(self) -> Window | Range:
        """The window."""
        return fitting(self.window, self.step)


_INSTANT = WithJsonSchema({"type": "string", "format": "date-time"})


class RangeOptions(FigureOptions):
    """The same, or a range with bounds of its own."""

    since: Annotated[
        datetime | None,
        BeforeValidator(instant),
        Field(
            description="Where a range of one's own begins, in place of `window` and together with "
            "`until`: ISO 8601 with its zone. Steps are counted from here. Whole minutes are told; "
            "whole hours of what is longer than 25 hours or older than 8 days."
        ),
        _INSTANT,
    ] = None
    until: Annotated[
        datetime | None,
        BeforeValidator(instant),
        Field(description="Where it ends: later, and at most 400 days."),
        _INSTANT,
    ] = None

    @property
    def asked(self) -> Window | Range:
        """The window or the range.

        Raises:
            InvalidInput: they are no range.
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


def uncertainty(monitor: Monitor, access: Access, is_ready: Callable[[], bool]) -> APIRouter:
    """The routes of figures.

    Args:
        monitor: who tells them.
        access: who decides whom names are shown.
        is_ready: whether the service goes on; once it does not, listeners are let go.
    """
    router = APIRouter(tags=["figures"], route_class=LeanRoute)
    listeners = 0

    @router.get(
        "/uncertainty",
        summary="Figures over time",
        operation_id="getUncertainty",
        responses=_tagged(answered(schema(UncertaintyFigures), "The figures.")) | REFUSED,
        openapi_extra={"parameters": [KEPT_TAG]},
    )
    async def figures(request: Request, options: Annotated[RangeOptions, Query()]) -> Response:
        content = _shown(await monitor.content(options.asked), access, request)
        # Weak, as the answer may be compressed on its way.
        tag = f'W/"{content.tag}"'
        headers = {"ETag": tag, "Cache-Control": CACHING}
        if names(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content.body, media_type=MEDIA_TYPE, headers=headers)

    @router.get(
        "/uncertainty/stream",
        summary="The same as server-sent events, of windows alone",
        operation_id="streamUncertainty",
        responses=answered({"type": "string"}, "Events without end.", EVENTS) | REFUSED,
    )
    async def stream(request: Request, options: Annotated[FigureOptions, Query()]) -> Response:
        first = await monitor.content(options.asked)
        if listeners >= MOST_LISTENERS:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                ProblemCode.TOO_MANY_LISTENERS,
                "too many listen already",
            )
        return _Stream(told(request, options.asked, first), count)

    async def told(
        request: Request, window: Window | Range, content: Content
    ) -> AsyncIterator[bytes]:
        content = _shown(content, access, request)
        yield _event(content)
        tag, silent = content.tag, 0.0
        while is_ready():
            await asyncio.sleep(KEPT_SECONDS)
            silent += KEPT_SECONDS
            # Where the records do not answer for now, the next look may find them.
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


def _shown(content: Content, access: Access, request: Request) -> Content:
    """Figures with the names and notes of alarms, for those whom records are shown."""
    return content if access.shows_records(request) else content.nameless or content


def _tagged(responses: Responses) -> Responses:
    """Answers that a tag names, by which they need not be sent again."""
    told = {status: {**one, "headers": TAG} for status, one in responses.items()}
    return told | {304: {"description": "It is as it was.", "headers": TAG}}


class _Stream(StreamingResponse):
    """Events for one listener, until one of both ends."""

    def __init__(self, events: AsyncIterator[bytes], count: Callable[[int], None]) -> None:
        super().__init__(events, media_type=EVENTS, headers=STREAMED)
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them; who asks for the head alone is no listener."""
        self._count(1)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._count(-1)


def _event(content: Content) -> bytes:
    return b"id: " + content.tag.encode() + b"\ndata: " + content.body + b"\n\n"
