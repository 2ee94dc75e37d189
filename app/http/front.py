"""A short way to the grading routes, in front of FastAPI's stack.

The stack of middlewares and the search for a route take as long as half of a small request. A POST
to a grading route that no page sent needs none of them: it goes to the route at once. Everything
else takes the long way, on which the same route, handlers of errors and bodies give the same bytes.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.access import is_of_page


class GradingRoute(Protocol):
    """A route, as FastAPI matches and documents it."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose path is this route's."""


class Front:
    """ASGI middleware: hands requests to their routes, and translates errors as FastAPI does."""

    def __init__(self, app: ASGIApp, routes: Mapping[str, GradingRoute]) -> None:
        """Wrap an application; `routes` are those of POST by path, filled when they are built."""
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request by the short way or the long one."""
        route = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        if (
            route is None
            or scope["method"] != "POST"
            or scope.get("root_path")
            or is_of_page(dict(scope["headers"]))
        ):
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        try:
            await route.handle(scope, receive, send)
        except Exception as error:
            handler = _handler_of(error, scope["app"].exception_handlers)
            if handler is None:
                raise
            response = await handler(Request(scope, receive, send), error)
            await response(scope, receive, send)


def _handler_of(error: Exception, handlers: Mapping[Any, Any]) -> Any:
    """Return the handler of an error's class or the nearest base; None if there is none."""
    return next((handlers[kind] for kind in type(error).__mro__ if kind in handlers), None)
