"""Middleware around every request: its `X-Request-ID`, its place in the counts, and its log line.

Successful requests are logged at DEBUG, because a log line costs a tenth of a small request;
refused ones at INFO, those that could not be served at WARNING, and faults of the service at ERROR.
The line gives the template of the route (never the requested URL), the client's address and the
cause of a failure, but no value of a borrower.
"""

import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.error_location import locate_error
from app.errors import OUR_FAULT
from app.http.problems import fitted, problem
from app.monitoring.http_metrics import KNOWN_METHODS, OTHER
from app.problem_codes import ProblemCode
from dubito.identifier import new_id

HEADER = b"x-request-id"
UNABLE = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
BROKEN_OFF = 500
"""Status that only the log shows: the response had already begun with another."""
ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

ResponseObserver = Callable[[str, str, int, float], None]
"""Function called for every response with the template of its route or `-`, the method, the status,
and the seconds until the response began."""

log = logging.getLogger("dubito.access")


class IdentifiedSend:
    """Sends the response to one request with its identifier, and counts and logs it."""

    __slots__ = ("_observe", "_scope", "_send", "_start", "has_begun", "identifier")

    def __init__(self, scope: Scope, send: Send, observe: ResponseObserver) -> None:
        """Begin with a request; its response carries the client's identifier or a new one."""
        self.identifier = _identifier(scope)
        self.has_begun = False
        """Whether the head of the response was sent."""
        self._start = time.perf_counter()
        self._scope, self._send, self._observe = scope, send, observe
        scope.setdefault("state", {})["request_id"] = self.identifier.decode("ascii")

    async def __call__(self, message: Message) -> None:
        """Send a part of the response."""
        if message["type"] == "http.response.start":
            scope, status = self._scope, message["status"]
            self.has_begun, seconds = True, time.perf_counter() - self._start
            message["headers"] = [*message.get("headers", ()), (HEADER, self.identifier)]
            self._observe(_route(scope), scope["method"], status, seconds)
            _log(scope, status, self.identifier, seconds)
        await self._send(message)

    async def fail(self, error: Exception, receive: Receive) -> None:
        """Answer an unexpected error: an ASGI server would log its text, which may hold values."""
        scope = self._scope
        scope["state"]["cause"] = locate_error(error)
        if self.has_begun:
            # The server detects that the response is incomplete, and closes the connection.
            _log(scope, BROKEN_OFF, self.identifier, time.perf_counter() - self._start)
            return
        failed = problem(HTTPStatus.INTERNAL_SERVER_ERROR, ProblemCode.INTERNAL_ERROR, OUR_FAULT)
        await fitted(scope["path"], failed)(scope, receive, self)


class Conduct:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, observe: ResponseObserver = lambda *_: None) -> None:
        """Wrap an application; `observe` is called for every response."""
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request; an unexpected error ends here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _keep_slashes(scope)
        sending = IdentifiedSend(scope, send, self._observe)
        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - the client gets a problem, the log the cause
            await sending.fail(error, receive)


def _keep_slashes(scope: Scope) -> None:
    """Keep percent-encoded slashes encoded: they belong to a name and separate no names."""
    raw = (scope.get("raw_path") or b"").partition(b"?")[0]
    if b"%2" in raw:
        names = raw.decode("latin-1").split("/")
        scope["path"] = "/".join(unquote(name).replace("/", "%2F") for name in names)


def _route(scope: Scope) -> str:
    """Return the template of the route, never the requested address."""
    template: str = getattr(scope.get("route"), "path", "-")
    return template


def _identifier(scope: Scope) -> bytes:
    given: bytes = dict(scope["headers"]).get(HEADER, b"")
    return given if ACCEPTABLE.fullmatch(given) else new_id().encode()


def _log(scope: Scope, status: int, identifier: bytes, seconds: float) -> None:
    level = _level(status)
    if not log.isEnabledFor(level):
        return
    method = scope["method"] if scope["method"] in KNOWN_METHODS else OTHER
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
