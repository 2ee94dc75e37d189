"""`GET /docs`: the whole API to read and to try, without internet and under any path prefix."""

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

ADDRESS = "/docs"
FILES = "static-offline-docs"
"""Where fastapi-offline serves Swagger UI's own files."""
SERVERS = [{"url": ".", "description": "where this document was found"}]
"""Relative to the document's address, so that a proxy may put any path before it."""


def document(app: FastAPI) -> None:
    """Add the page; its addresses are relative to it, where fastapi-offline's begin with `/`."""
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
