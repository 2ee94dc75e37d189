"""What every exchange has, whatever its route: an `X-Request-ID`, a count and a line in the log.

What went well is logged at DEBUG, as a line costs a tenth of a small request; what was refused or
failed at INFO. The line names the route's template, never the address as it was typed, and no
figure of a borrower.
"""

import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.identifier import new_id

HEADER = b"x-request-id"
ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

Seen = Callable[[str, str, int, float], None]
"""Takes a route's template or `-`, the method, the status, and the seconds up to the answer."""

log = logging.getLogger("dubito.access")


class Conduct:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, seen: Seen = lambda *_: None) -> None:
        """Take what is around, and what is told of every exchange."""
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; its answer carries the client's identifier, or a fresh one.

        Starlette answers an unexpected error outside of this, so `state.request_id` has it too.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _keep_slashes(scope)
        identifier, start, begun = _identifier(scope), time.perf_counter(), False
        scope.setdefault("state", {})["request_id"] = identifier.decode("ascii")

        async def send_with_identifier(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun, status, seconds = True, message["status"], time.perf_counter() - start
                message["headers"] = [*message.get("headers", ()), (HEADER, identifier)]
                self._seen(_route(scope), scope["method"], status, seconds)
                _log(scope, status, identifier, seconds)
            await send(message)

        try:
            await self._app(scope, receive, send_with_identifier)
        except Exception:
            if not begun:
                failed = HTTPStatus.INTERNAL_SERVER_ERROR
                self._seen(_route(scope), scope["method"], failed, time.perf_counter() - start)
            raise


def _keep_slashes(scope: Scope) -> None:
    """Leave a percent-encoded slash encoded: it is part of a name, and parts no names."""
    raw = (scope.get("raw_path") or b"").partition(b"?")[0]
    if b"%2" in raw:
        names = raw.decode("latin-1").split("/")
        scope["path"] = "/".join(unquote(name).replace("/", "%2F") for name in names)


def _route(scope: Scope) -> str:
    """The template of the route, never the address as it was typed."""
    template: str = getattr(scope.get("route"), "path", "-")
    return template


def _identifier(scope: Scope) -> bytes:
    given: bytes = next((value for name, value in scope["headers"] if name == HEADER), b"")
    return given if ACCEPTABLE.fullmatch(given) else new_id().encode()


def _log(scope: Scope, status: int, identifier: bytes, seconds: float) -> None:
    level = logging.INFO if status >= HTTPStatus.BAD_REQUEST else logging.DEBUG
    if not log.isEnabledFor(level):
        return
    method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD"} else "-"
    name = identifier.decode("ascii")
    log.log(level, "%s %s %d %.1f ms %s", method, _route(scope), status, seconds * 1e3, name)
