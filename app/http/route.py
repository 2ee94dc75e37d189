"""A route that FastAPI matches and documents, but that validates its query parameters itself.

FastAPI's own path from a request to a handler resolves dependencies each time, which costs more
than all the rest of a small request. This route only validates the query with the same model.
"""

import inspect
from collections.abc import Awaitable, Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any, get_args
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.inputs.faults import faults_of

MOST_PARAMETERS = 20
REMEMBERED, LONGEST_REMEMBERED = 1024, 256
"""Number of query strings whose options are cached, and the maximum bytes of such a string.

Most clients send the same query again and again; long ones are parsed each time."""


Split = Callable[[Scope, Receive], Awaitable[tuple["LeanRoute | None", Receive]]]
"""Function that returns another route that is to serve a request, if any, and what it receives."""


class LeanRoute(APIRoute):
    """Route of a handler `(request, options)` that returns a response; options: a query model."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        # With `Response`, which has no media type, FastAPI documents only the responses that a
        # route declares.
        super().__init__(path, endpoint, **kwargs | {"response_class": Response})
        annotation = inspect.signature(endpoint).parameters["options"].annotation
        self._read = options_reader(get_args(annotation)[0])
        self._remembered = lru_cache(REMEMBERED)(self._read)
        # Only GET is documented: generated clients have no use for HEAD.
        methods = self.methods or set()
        self._answered = frozenset(methods | ({"HEAD"} if "GET" in methods else set()))
        self.allowed = self._answered
        """Methods that the path takes, also by other routes."""
        self.split: Split | None = None
        """Chooses requests that another route serves."""

    def at(self, path: str) -> "LeanRoute":
        """Return a route of the same handler at another path, which is not documented."""
        found = LeanRoute(path, self.endpoint, methods=self.methods, include_in_schema=False)
        found.split, found.allowed = self.split, self.allowed
        return found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose path is this route's."""
        if self.split is not None:
            other, receive = await self.split(scope, receive)
            if other is not None:
                await other.handle(scope, receive, send)
                return
        method, query = scope["method"], scope["query_string"]
        if method not in self._answered:
            allowed = ", ".join(sorted(self.allowed))
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": allowed})
        read = self._remembered if len(query) <= LONGEST_REMEMBERED else self._read
        response = await self.endpoint(Request(scope, receive, send), read(query))
        await (_send_head(response, send) if method == "HEAD" else response(scope, receive, send))


async def _send_head(response: Response, send: Send) -> None:
    """Send only the head of a response, even if its body would never end."""
    status, headers = response.status_code, response.raw_headers
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def options_reader(model: type[BaseModel]) -> Callable[[bytes], BaseModel]:
    """Create a function that parses query strings into options.

    It raises `InvalidInput`, which names parameters that are invalid, unknown or repeated. For a
    model that ignores unknown parameters it parses nothing.
    """
    if model.model_config.get("extra") == "ignore":
        nothing = model()
        return lambda _: nothing

    def read(query: bytes) -> BaseModel:
        if query.count(b"&") >= MOST_PARAMETERS:
            raise _too_many_parameters()
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        given = dict(pairs)
        if len(given) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidInput(
                [Fault((twice,), FieldCode.GIVEN_TWICE, "is given more than once", in_query=True)]
            )
        try:
            return model.model_validate(given)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            raise InvalidInput(faults_of(details, in_query=True)) from None

    return read


def _too_many_parameters() -> InvalidInput:
    return InvalidInput(
        [
            Fault(
                ("query",),
                FieldCode.TOO_MANY_PARAMETERS,
                "has too many parameters",
                in_query=True,
                maximum=MOST_PARAMETERS,
            )
        ]
    )
