"""`GET /docs` and `/openapi.json`: the whole API, to read, to try and to make clients of.

The page needs no internet, and no address in either begins at a host or a root, so that both work
under any path prefix.
"""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

from app.http.json_schema import gather

ADDRESS = "/docs"
FILES = "static-offline-docs"
"""Where fastapi-offline serves Swagger UI's own files."""
SERVERS = [{"url": ".", "description": "where this document was found"}]
"""Relative to the document's address, so that a proxy may put any path before it."""


REQUEST_ID = "X-Request-ID"
ASKED_ID = {
    "name": REQUEST_ID,
    "in": "header",
    "description": "The exchange's own name, for logs: 1 to 64 letters, digits, `.`, `_` and `-`. "
    "Another one is replaced.",
    "schema": {"type": "string"},
}
TOLD_ID = {
    "description": "The exchange's own name: the request's, or a fresh one.",
    "schema": {"type": "string"},
}
HEADER = "#/components/headers/RequestId"


def document(app: FastAPI) -> None:
    """Add the page, and complete what FastAPI says of the routes."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        found = written()
        if "headers" not in found.get("components", {}):
            gather(found)
            _name_exchanges(found)
        return found

    app.openapi = openapi  # type: ignore[method-assign]
    _add_page(app)


def _name_exchanges(found: dict[str, Any]) -> None:
    """Say of every operation that requests may have a name, and answers have one."""
    found["components"]["headers"] = {"RequestId": TOLD_ID}
    for operation in (one for path in found["paths"].values() for one in path.values()):
        operation.setdefault("parameters", []).append(ASKED_ID)
        for answer in operation["responses"].values():
            answer.setdefault("headers", {})[REQUEST_ID] = {"$ref": HEADER}


def _add_page(app: FastAPI) -> None:
    """Add `/docs`; its addresses are relative to it, where fastapi-offline's begin with `/`."""
    page = get_swagger_ui_html(
        openapi_url=str(app.openapi_url).lstrip("/"),
        title=app.title,
        swagger_js_url=f"{FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{FILES}/swagger-ui.css",
        swagger_favicon_url=f"{FILES}/favicon.png",
    )

    async def docs(_: Request) -> Response:
        return page

    app.router.add_route(ADDRESS, docs, include_in_schema=False)
