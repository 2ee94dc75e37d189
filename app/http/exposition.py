"""`GET /metrics`, for Prometheus. It tells of no single row, so it is no record to be guarded."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.http.route import LeanRoute
from dubito.inputs.options import NoOptions

OPENMETRICS = "application/openmetrics-text"

Page = Callable[[str], Awaitable[tuple[bytes, str]]]
"""From an Accept header to the page and its media type."""


def exposition(page: Page) -> APIRouter:
    """The route of metrics."""
    router = APIRouter(tags=["information"], route_class=LeanRoute)
    content: Any = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", OPENMETRICS)}

    @router.get(
        "/metrics",
        summary="Figures for Prometheus, of all workers together",
        operation_id="getMetrics",
        responses={200: {"description": "All of them.", "content": content}},
    )
    async def metrics(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - says that there are none
        figures, media_type = await page(request.headers.get("accept", ""))
        return Response(figures, media_type=media_type)

    return router
