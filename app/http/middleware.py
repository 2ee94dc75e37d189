"""What every exchange has, whatever its route: an `X-Request-ID`, a count and a line in the log.

What went well is logged at DEBUG, as a line costs a tenth of a small request; what was refused at
INFO, what could not be done at WARNING, and a fault of our own at ERROR. The line names the route's
template, never the address as it was typed, who asked, and why it came to that: no figure of a
borrower.
"""

import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.error_location import fault_of
from app.http.problems import problem
from app.monitoring.http_metrics import METHODS, OTHER
from app.problem_codes import ProblemCode
from dubito.identifier import new_id

HEADER = b"x-request-id"
OUR_FAULT = "the service failed; the fault is its own"
UNABLE = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
BROKEN_OFF = 500
"""For the log alone: the answer had begun with another status."""
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

        An unexpected error ends here: a server would log its text, which can hold figures.
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
        except Exception as error:  # noqa: BLE001 - whoever asked is told, and so is the log
            scope["state"]["cause"] = fault_of(error)
            if begun:
                # The server sees that the answer is not whole, and closes the connection.
                _log(scope, BROKEN_OFF, identifier, time.perf_counter() - start)
            else:
                failed = problem(
                    HTTPStatus.INTERNAL_SERVER_ERROR, ProblemCode.INTERNAL_ERROR, OUR_FAULT
                )
                await failed(scope, receive, send_with_identifier)


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
    given: bytes = dict(scope["headers"]).get(HEADER, b"")
    return given if ACCEPTABLE.fullmatch(given) else new_id().encode()


def _log(scope: Scope, status: int, identifier: bytes, seconds: float) -> None:
    level = _level(status)
    if not log.isEnabledFor(level):
        return
    method = scope["method"] if scope["method"] in METHODS else OTHER
    host, port = scope.get("client") or ("-", 0)
    name, cause = identifier.decode("ascii"), scope["state"].get("cause")
    log.log(
        level,
        "%s %s %d %.1f ms %s:%d %s%s",
        *(method, _route(scope), status, seconds * 1e3, host, port, name),
        "" if cause is None else f" {cause}",
    )


def _level(status: int) -> int:
    if status < HTTPStatus.BAD_REQUEST:
        return logging.DEBUG
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return logging.INFO
    return logging.WARNING if status in UNABLE else logging.ERROR
