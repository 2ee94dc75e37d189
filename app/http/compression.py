"""Compression of what is read, for clients that take gzip; grades go as they are.

Grades answer POST, and compressing a small answer costs more than it saves. Starlette leaves events
alone, which gzip would keep back, and what is compressed already.
"""

from collections.abc import Awaitable

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import (
    DEFAULT_EXCLUDED_CONTENT_TYPES,
    GZipMiddleware,
    IdentityResponder,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.response import BYTES_AT_A_TIME

LEAST_BYTES = 1_000
"""Of a body that is worth it."""
LEVEL = 6
"""Zlib's own choice: Starlette's 9 takes four times as long for JSON, and saves a percent."""


class Compression:
    """ASGI middleware: Starlette's, for GET alone; it takes `gzip;q=0` for a no, and knows HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        """Take what is around."""
        self._app = app
        # A part of a long answer is compressed in a thread, while the event loop goes on.
        self._gzip = GZipMiddleware(app, LEAST_BYTES, LEVEL, thread_minimum_size=BYTES_AT_A_TIME)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on; no coroutine of its own for what is not compressed."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return self._app(scope, receive, send)
        is_taken = takes_gzip(Headers(scope=scope).get("accept-encoding", ""))
        if scope["method"] == "HEAD":
            return self._app(scope, receive, _head(send, is_compressed=is_taken))
        if is_taken:
            return self._gzip(scope, receive, send)
        return IdentityResponder(self._app, LEAST_BYTES)(scope, receive, send)


def _head(send: Send, *, is_compressed: bool) -> Send:
    """Send the head that GET's answer would have; without the length, where gzip tells it."""

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
    """Whether an `Accept-Encoding` names gzip or any coding, and not with a quality of nothing."""
    named = dict(_coding(one) for one in accepted.lower().split(","))
    return named.get("gzip", named.get("*", False))


def _coding(named: str) -> tuple[str, bool]:
    """A coding, and whether it is taken."""
    name, _, quality = named.replace(" ", "").partition(";")
    return name, quality == "" or quality.strip("q=0.") != ""
