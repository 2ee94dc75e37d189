"""A route that FastAPI matches and documents, and that reads its query by itself.

FastAPI's own way from a request to a handler solves dependencies anew each time, which costs more
than all the rest of a small request. Here the same model validates the query, and that is all.
"""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, get_args
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope, Send

from app.api.problems import message_of
from app.errors import Fault, InvalidInput

MOST_PARAMETERS = 20
REMEMBERED = 1024
"""Query strings whose options are kept: most clients ask the same way again and again."""


class LeanRoute(APIRoute):
    """For handlers `(request, options)` that return a response, `options` being a query model."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(path, endpoint, **kwargs)
        annotation = inspect.signature(endpoint).parameters["options"].annotation
        self._read = lru_cache(REMEMBERED)(options_reader(get_args(annotation)[0]))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose path is this route's."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        options = self._read(scope["query_string"])
        response = await self.endpoint(Request(scope, receive, send), options)
        await response(scope, receive, send)


def options_reader(model: type[BaseModel]) -> Callable[[bytes], BaseModel]:
    """A function from query strings to the options they give.

    It raises `InvalidInput`, which names the parameters that are wrong, unknown or repeated.
    """

    def read(query: bytes) -> BaseModel:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        given = dict(pairs)
        if len(pairs) > MOST_PARAMETERS:
            raise InvalidInput([Fault(("query",), "has too many parameters", in_query=True)])
        if len(given) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidInput([Fault((twice,), "is given more than once", in_query=True)])
        try:
            return model.model_validate(given)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            faults = [Fault(tuple(one["loc"]), message_of(one), in_query=True) for one in details]
            raise InvalidInput(faults) from None

    return read
