"""What OpenAPI is told of routes whose handlers read path and body by themselves."""

from typing import Any

from pydantic import BaseModel

from app.api.body import MEDIA_TYPE
from app.api.problems import MEDIA_TYPE as PROBLEM
from app.api.problems import InvalidProblem, Problem
from app.api.schema import schema

PATH = [
    {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "Identifier of the answer.",
        "schema": {"type": "string", "format": "uuid"},
    }
]
REFUSALS = {
    400: "The body is not JSON.",
    403: "The request comes from where it must not.",
    404: "No such prediction is recorded.",
    408: "The body was too slow.",
    409: "It contradicts what is recorded, or the bundle that answered is not there.",
    410: "The features were erased.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    503: "Too much waits, or the records do not answer.",
    504: "It took too long.",
}


def documented(
    model: type[BaseModel], body: type[BaseModel] | None = None, *, names_one: bool = True
) -> dict[str, Any]:
    """A route's answers and its body.

    Args:
        model: of what is answered.
        body: of what is sent, if anything is.
        names_one: whether the path has a prediction's identifier.
    """
    refused: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": {PROBLEM: {"schema": schema(Problem)}}}
        for status, text in REFUSALS.items()
    }
    refused[422] = {
        "description": "What is wrong, field by field.",
        "content": {PROBLEM: {"schema": schema(InvalidProblem)}},
    }
    extra: dict[str, Any] = {"parameters": PATH} if names_one else {}
    if body is not None:
        content = {MEDIA_TYPE: {"schema": schema(body)}}
        extra["requestBody"] = {"required": True, "content": content}
    return {"responses": {200: {"model": model}, **refused}, "openapi_extra": extra}
