"""What every exchange has, whatever its route: an `X-Request-ID` and a line in the log.

What went well is logged at DEBUG, as a line costs a tenth of a small request; what was refused or
failed at INFO. The line names the route's template, never the address as it was typed, and no
figure of a borrower.
"""

import logging
import re
import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.identifier import new_id

HEADER = b"x-request-id"
ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

log = logging.getLogger("dubito.access")


class Conduct:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; its answer carries the client's identifier, or a fresh one.

        Starlette answers an unexpected error outside of this, so `state.request_id` has it too.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier, start = _identifier(scope), time.perf_counter()
        scope.setdefault("state", {})["request_id"] = identifier.decode("ascii")

        async def send_with_identifier(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER, identifier)]
                _log(scope, message["status"], identifier, time.perf_counter() - start)
            await send(message)

        await self._app(scope, receive, send_with_identifier)


def _identifier(scope: Scope) -> bytes:
    given: bytes = next((value for name, value in scope["headers"] if name == HEADER), b"")
    return given if ACCEPTABLE.fullmatch(given) else new_id().encode()


def _log(scope: Scope, status: int, identifier: bytes, seconds: float) -> None:
    level = logging.INFO if status >= HTTPStatus.BAD_REQUEST else logging.DEBUG
    if not log.isEnabledFor(level):
        return
    route = getattr(scope.get("route"), "path", "-")
    method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD"} else "-"
    name = identifier.decode("ascii")
    log.log(level, "%s %s %d %.1f ms %s", method, route, status, seconds * 1e3, name)
