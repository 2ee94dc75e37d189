"""`GET /` and `/assets/{name}`: the dashboard's files and its Content-Security-Policy."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.dashboard.asset import PAGE, Assets
from app.http.route import LeanRoute
from dubito.inputs.options import NoOptions

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        # The charts position their parts by inline styles.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
HEADERS = {
    # Browsers may store the files but must revalidate them each time, so that an update is seen.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class PageOptions(BaseModel):
    """The model that the page is about, which its own program reads."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str | None, Field(description="Name of the model; by default the first.")] = (
        None
    )


def dashboard_routes() -> APIRouter:
    """Create the routes of the dashboard."""
    router = APIRouter(route_class=LeanRoute, include_in_schema=False)
    assets = Assets(HEADERS)

    @router.get("/")
    async def index(request: Request, options: Annotated[PageOptions, Query()]) -> Response:  # noqa: ARG001 - the page reads it itself
        return await assets.get_response(PAGE, request.scope)

    @router.get("/assets/{name}")
    async def asset(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - allows no parameters
        return await assets.get_response(request.path_params["name"], request.scope)

    return router
