"""`GET /uncertainty` and `GET /uncertainty/stream`: figures over time, for who polls or listens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.access import Access
from app.api.body import MEDIA_TYPE
from app.api.figures_model import UncertaintyFigures
from app.api.problems import Refusal
from app.api.refusals import KEPT_TAG, TAG, Responses, answered, refused
from app.api.response import names
from app.api.route import LeanRoute
from app.api.schema import schema
from app.errors import DubitoError
from app.monitoring.monitor import KEPT_SECONDS, Content, Monitor
from app.monitoring.window import STEPS, WINDOWS, Window, fitting

EVENTS = "text/event-stream"
MOST_LISTENERS = 100
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
    def asked(self) -> Window:
        """The window."""
        return fitting(self.window, self.step)


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
    async def figures(request: Request, options: Annotated[FigureOptions, Query()]) -> Response:
        content = _shown(await monitor.content(options.asked), access, request)
        tag = f'"{content.tag}"'
        headers = {"ETag": tag, "Cache-Control": CACHING}
        if names(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content.body, media_type=MEDIA_TYPE, headers=headers)

    @router.get(
        "/uncertainty/stream",
        summary="The same as server-sent events",
        operation_id="streamUncertainty",
        responses=answered({"type": "string"}, "Events without end.", EVENTS) | REFUSED,
    )
    async def stream(request: Request, options: Annotated[FigureOptions, Query()]) -> Response:
        first = await monitor.content(options.asked)
        if listeners >= MOST_LISTENERS:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many listen already")
        return _Stream(told(request, options.asked, first), count)

    async def told(request: Request, window: Window, content: Content) -> AsyncIterator[bytes]:
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
