"""`GET /metrics` for Prometheus: aggregates of all rows, hence not restricted like records."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.http.route import LeanRoute
from dubito.inputs.options import NoOptions

OPENMETRICS = "application/openmetrics-text"

Page = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Function from an Accept header to the metrics page and its media type."""


def exposition(page: Page) -> APIRouter:
    """Create the route of the metrics."""
    router = APIRouter(tags=["information"], route_class=LeanRoute)
    content: Any = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", OPENMETRICS)}

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus, of all workers together",
        operation_id="getMetrics",
        responses={200: {"description": "All metrics.", "content": content}},
    )
    async def metrics(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - allows no parameters
        figures, media_type = await page(request.headers.get("accept", ""))
        return Response(figures, media_type=media_type)

    return router
