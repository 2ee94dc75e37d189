"""`GET /` and `/assets/{name}`: the page, what it is made of, and what it may do."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.dashboard.asset import CHARTS, PAGE, Asset, charts, own_assets
from app.http.problems import Refusal
from app.http.response import BYTES_AT_A_TIME, InParts, names
from app.http.route import LeanRoute
from app.problem_codes import ProblemCode
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
    # It may be kept, but whether it is still the same is asked every time: an update is seen.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


def page() -> APIRouter:
    """The routes of the page."""
    router = APIRouter(route_class=LeanRoute, include_in_schema=False)
    assets = {**own_assets(), CHARTS: charts()}

    @router.get("/")
    async def index(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - says that there are none
        return await _sent(assets[PAGE], request)

    @router.get("/assets/{name}")
    async def asset(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - says that there are none
        found = assets.get(request.path_params["name"])
        if found is None:
            raise Refusal(
                HTTPStatus.NOT_FOUND, ProblemCode.NO_SUCH_ADDRESS, "the page has no such part"
            )
        return await _sent(found, request)

    return router


async def _sent(asset: Asset, request: Request) -> Response:
    """An asset as this client takes it: compressed or not, or the word that it has it."""
    is_packed = _takes_gzip(request.headers.get("accept-encoding", ""))
    content = memoryview(await asset.content(packed=is_packed))
    tag = f'"{asset.digest}{"-gzip" if is_packed else ""}"'
    headers = {**HEADERS, "ETag": tag}
    if names(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers |= {"Content-Encoding": "gzip"} if is_packed else {}
    # In parts, so that a client that reads nothing holds no more than one of them.
    parts = [content[at : at + BYTES_AT_A_TIME] for at in range(0, len(content), BYTES_AT_A_TIME)]
    return InParts(parts, asset.media_type, headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` names gzip, and not with a quality of nothing."""
    for one in accepted.lower().split(","):
        name, _, quality = one.partition(";")
        if name.strip() in {"gzip", "*"}:
            return quality.replace(" ", "").rstrip("0").rstrip(".") not in {"q=", "q"}
    return False
