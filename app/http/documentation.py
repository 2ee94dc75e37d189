"""`GET /docs` and `/openapi.json`: the OpenAPI document and a page to read and try it.

The page needs no internet access, and all addresses in it are relative, so that both work under any
path prefix.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.routing import BaseRoute

from app.http.json_schema import gather, make_schemas

ADDRESS = "/docs"
FILES = "static-offline-docs"
"""Path under which Swagger UI's own files are served, which fastapi-offline brings along."""
SERVERS = [{"url": ".", "description": "the address of this document"}]
"""Server address relative to the document's own, so that a proxy may add any path before it."""


REQUEST_ID = "X-Request-ID"
ASKED_ID = {
    "name": REQUEST_ID,
    "in": "header",
    "description": "Identifier of the request, for logs: 1 to 64 letters, digits, `.`, `_` and "
    "`-`. An invalid one is replaced.",
    "schema": {"type": "string"},
}
TOLD_ID = {
    "description": "Identifier of the request: the client's, or a new one.",
    "schema": {"type": "string"},
}
HEADER = "#/components/headers/RequestId"


def document(app: FastAPI) -> None:
    """Add the page, and complete the OpenAPI document that FastAPI generates."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        return completed(app.routes, written)

    app.openapi = openapi  # type: ignore[method-assign]
    _add_page(app)


def completed(routes: Sequence[BaseRoute], written: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Make the schemas of routes, and complete the document that FastAPI writes of them."""
    make_schemas(routes)
    found = written()
    if "headers" not in found.get("components", {}):
        gather(found)
        _name_exchanges(found)
    return found


def _name_exchanges(found: dict[str, Any]) -> None:
    """Document the `X-Request-ID` header of every request and response."""
    found["components"]["headers"] = {"RequestId": TOLD_ID}
    for operation in (one for path in found["paths"].values() for one in path.values()):
        operation.setdefault("parameters", []).append(ASKED_ID)
        for answer in operation["responses"].values():
            answer.setdefault("headers", {})[REQUEST_ID] = {"$ref": HEADER}


def _add_page(app: FastAPI) -> None:
    """Add `/docs` with relative addresses, and the files that it needs."""
    page = documentation_page(app.title, str(app.openapi_url).lstrip("/"), FILES)

    async def docs(_: Request) -> Response:
        return page

    app.mount(f"/{FILES}", StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static"))
    app.router.add_route(ADDRESS, docs, include_in_schema=False)


def documentation_page(title: str, document: str, files: str) -> Response:
    """Create the page that shows a document; all addresses are relative to the page's."""
    return get_swagger_ui_html(
        openapi_url=document,
        title=title,
        swagger_js_url=f"{files}/swagger-ui-bundle.js",
        swagger_css_url=f"{files}/swagger-ui.css",
        swagger_favicon_url=f"{files}/favicon.png",
    )
