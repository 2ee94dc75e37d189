"""A short way to the grading routes, in front of FastAPI's stack.

The stack of middlewares and the search for a route take as long as half of a small request. A POST
to a grading route that no page sent needs none of them: it goes to the route at once. Everything
else takes the long way, on which the same route, handlers of errors and bodies give the same bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.dependencies import models as dependencies
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from app.http.access import is_of_page
from app.http.middleware import IdentifiedSend, ResponseObserver


class GradingRoute(Protocol):
    """A route, as FastAPI matches and documents it."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose path is this route's."""


class Front(FastAPI):
    """FastAPI's application, with the short way."""

    def __init__(self, observe: ResponseObserver, **options: Any) -> None:
        """Create an application; `observe` is called for every response of the short way."""
        super().__init__(**options)
        self.short: Mapping[str, GradingRoute] = {}
        """Routes of POST that have a short way, by path."""
        self._observe = observe
        self._published = 0

    def publish(self, routes: Sequence[BaseRoute], short: Mapping[str, GradingRoute]) -> None:
        """Serve routes from now on, in place of those that were published before.

        Routes are inserted rather than routers included, because FastAPI searches included routers
        anew for each request; and they are inserted first, because routes are tried in order.

        Args:
            routes: the routes.
            short: those of POST that have a short way, by path.
        """
        self.router.routes[: self._published] = routes
        _forget_endpoints()
        self._published, self.short = len(routes), short
        self.openapi_schema = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request by the short way or the long one."""
        route = self.short.get(scope["path"]) if scope["type"] == "http" else None
        if (
            route is None
            or scope["method"] != "POST"
            or scope.get("root_path")
            or b"%" in (scope.get("raw_path") or b"")
            or is_of_page(dict(scope["headers"]))
        ):
            await super().__call__(scope, receive, send)
            return
        scope["app"], scope["route"] = self, route
        sending = IdentifiedSend(scope, send, self._observe)
        try:
            await self._served(route, scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - the client gets a problem, the log the cause
            await sending.fail(error, receive)

    async def _served(
        self, route: GradingRoute, scope: Scope, receive: Receive, sending: IdentifiedSend
    ) -> None:
        """Serve a request, and translate errors as FastAPI does."""
        try:
            await route.handle(scope, receive, sending)
        except Exception as error:
            handler = None if sending.has_begun else _handler_of(error, self.exception_handlers)
            if handler is None:
                raise
            response = await handler(Request(scope, receive, sending), error)
            await response(scope, receive, sending)


def _forget_endpoints() -> None:
    """Let routes that are not served any more go: FastAPI remembers thousands of endpoints."""
    for one in vars(dependencies).values():
        if hasattr(one, "cache_clear"):
            one.cache_clear()


def _handler_of(error: Exception, handlers: Mapping[Any, Any]) -> Any:
    """Return the handler of an error's class or the nearest base; None if there is none."""
    return next((handlers[kind] for kind in type(error).__mro__ if kind in handlers), None)
