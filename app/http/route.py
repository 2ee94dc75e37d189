"""A route that FastAPI matches and documents, and that reads its query by itself.

FastAPI's own way from a request to a handler solves dependencies anew each time, which costs more
than all the rest of a small request. Here the same model validates the query, and that is all.
"""

import inspect
from collections.abc import Callable
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
"""Query strings whose options are kept, and bytes of such a string.

Most clients ask the same way again and again; who writes long ones may wait for them to be read.
"""


class LeanRoute(APIRoute):
    """For handlers `(request, options)` that return a response, `options` being a query model."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        # Without a media type of its own FastAPI documents the answers that a route tells, alone.
        super().__init__(path, endpoint, **kwargs | {"response_class": Response})
        annotation = inspect.signature(endpoint).parameters["options"].annotation
        self._read = options_reader(get_args(annotation)[0])
        self._remembered = lru_cache(REMEMBERED)(self._read)
        # Only GET is documented: clients that are generated have no use for HEAD.
        methods = self.methods or set()
        self._answered = frozenset(methods | ({"HEAD"} if "GET" in methods else set()))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose path is this route's."""
        method, query = scope["method"], scope["query_string"]
        if method not in self._answered:
            allowed = ", ".join(sorted(self._answered))
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": allowed})
        read = self._remembered if len(query) <= LONGEST_REMEMBERED else self._read
        response = await self.endpoint(Request(scope, receive, send), read(query))
        await (_send_head(response, send) if method == "HEAD" else response(scope, receive, send))


async def _send_head(response: Response, send: Send) -> None:
    """The head of a response, which ends there, also where its body would not."""
    status, headers = response.status_code, response.raw_headers
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def options_reader(model: type[BaseModel]) -> Callable[[bytes], BaseModel]:
    """A function from query strings to the options they give.

    It raises `InvalidInput`, which names the parameters that are wrong, unknown or repeated. Of a
    model that ignores what it does not know nothing is read.
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
