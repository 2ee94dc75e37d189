"""Gzip compression of responses to GET; predictions are sent uncompressed.

Predictions answer POST, and compressing a small response costs more than it saves. Starlette leaves
event streams alone, which gzip would delay, and content that is already compressed.
"""

from collections.abc import Awaitable

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import (
    DEFAULT_EXCLUDED_CONTENT_TYPES,
    GZipMiddleware,
    IdentityResponder,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.problems import INFERENCE
from app.http.response import BYTES_AT_A_TIME

LEAST_BYTES = 1_000
"""Minimum size of a body worth compressing, bytes."""
LEVEL = 6
"""Compression level, zlib's default: Starlette's 9 takes four times as long for JSON and saves
1%."""


class Compression:
    """ASGI middleware: Starlette's for GET alone, with HEAD; it respects `gzip;q=0`."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app
        # Large parts are compressed in a thread, so that the event loop is not blocked.
        self._gzip = GZipMiddleware(app, LEAST_BYTES, LEVEL, thread_minimum_size=BYTES_AT_A_TIME)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Forward a request; a plain function, so that other methods cost no extra coroutine."""
        if (
            scope["type"] != "http"
            or scope["method"] not in ("GET", "HEAD")
            # Clients of the Open Inference Protocol ask for what they cannot read here.
            or scope["path"].startswith(INFERENCE)
        ):
            return self._app(scope, receive, send)
        is_taken = takes_gzip(Headers(scope=scope).get("accept-encoding", ""))
        if scope["method"] == "HEAD":
            return self._app(scope, receive, _head(send, is_compressed=is_taken))
        if is_taken:
            return self._gzip(scope, receive, send)
        return IdentityResponder(self._app, LEAST_BYTES)(scope, receive, send)


def _head(send: Send, *, is_compressed: bool) -> Send:
    """Wrap `send` so that HEAD gets the headers of GET, without a length if GET is compressed."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            if _may_be_compressed(headers):
                headers.add_vary_header("Accept-Encoding")
                if is_compressed:
                    del headers["content-length"]
        await send(message)

    return send_head


def _may_be_compressed(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0]
    is_plain = "content-encoding" not in headers and kind not in DEFAULT_EXCLUDED_CONTENT_TYPES
    return is_plain and int(headers.get("content-length", 0)) >= LEAST_BYTES


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` header accepts gzip or any coding with a quality above 0."""
    named = dict(_coding(one) for one in accepted.lower().split(","))
    return named.get("gzip", named.get("*", False))


def _coding(named: str) -> tuple[str, bool]:
    """Parse one coding of the header: its name, and whether it is accepted."""
    name, _, quality = named.replace(" ", "").partition(";")
    return name, quality == "" or quality.strip("q=0.") != ""
