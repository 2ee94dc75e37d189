"""What OpenAPI is told of routes: answers, refusals, and headers that both sides read."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from app.http.body import MEDIA_TYPE
from app.http.json_schema import schema
from app.http.problems import MEDIA_TYPE as PROBLEM
from app.http.problems import InvalidProblem, Problem

Responses = dict[int | str, dict[str, Any]]

ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "Identifier of the answer.",
    "schema": {"type": "string", "format": "uuid"},
}
NAMED = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]([ -~]*[!-~])?$"}
"""Printable ASCII; HTTP itself takes spaces at both ends away."""
LITERAL = r"^(?![Uu][Tt][Ff]-8'')[!-~]([ -~]*[!-~])?$"
EXTENDED = r"^UTF-8''([A-Za-z0-9!#$&+.^_`|~-]|%E[BC]%[89AB][0-9A-F]%[89AB][0-9A-F]){1,200}$"
"""RFC 8187's form, of ASCII and of most Korean syllables: no pattern says which of all characters
are printable."""
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The request's own name: for a day the same request under it gets the first "
    "answer again, another one 409. Ignored where nothing is recorded.",
    "schema": NAMED,
}
CASE = {
    "name": "Dubito-Reference",
    "in": "header",
    "description": "What the client calls the case; recorded with it, and the name by which it "
    "can be found and erased. Taken literally, but for RFC 8187's form: `UTF-8''` and up to 200 "
    "characters of any language, percent-encoded. Ignored where nothing is recorded.",
    "schema": {"anyOf": [{**NAMED, "pattern": LITERAL}, {"type": "string", "pattern": EXTENDED}]},
}
KEPT_TAG = {
    "name": "If-None-Match",
    "in": "header",
    "description": "`ETag` of what the client has: 304 while it is the same.",
    "schema": {"type": "string"},
}
TAG = {"ETag": {"description": "Names this content.", "schema": {"type": "string"}}}
WAIT = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}

REFUSALS = {
    400: "The body is not JSON.",
    403: "The request comes from where it must not.",
    404: "No such prediction is recorded.",
    408: "The body was too slow.",
    409: "It contradicts what is recorded, or the bundle that answered is not there.",
    410: "The features were erased.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    422: "What is wrong, field by field.",
    503: "Too much waits, or the records do not answer.",
    504: "It took too long.",
}


def answered(model: dict[str, Any], description: str, media_type: str = MEDIA_TYPE) -> Responses:
    """A good answer, by its schema."""
    return {200: {"description": description, "content": {media_type: {"schema": model}}}}


def refused(texts: Mapping[int, str]) -> Responses:
    """Refusals, by their statuses."""
    return {status: _refusal(status, text) for status, text in texts.items()}


def documented(
    operation_id: str,
    model: type[BaseModel],
    body: type[BaseModel] | None = None,
    *,
    names: Mapping[str, Any] | None = ID,
    refusals: Mapping[int, str] = REFUSALS,
) -> dict[str, Any]:
    """A route's name, answers and body.

    Args:
        operation_id: what clients call it.
        model: of what is answered.
        body: of what is sent, if anything is.
        names: what the path has a part for, if it has one.
        refusals: what it refuses, by the status.
    """
    extra: dict[str, Any] = {} if names is None else {"parameters": [names]}
    if body is not None:
        content = {MEDIA_TYPE: {"schema": schema(body, "validation")}}
        extra["requestBody"] = {"required": True, "content": content}
    responses = answered(schema(model), "As asked.") | refused(refusals)
    return {"responses": responses, "openapi_extra": extra, "operation_id": operation_id}


def _refusal(status: int, text: str) -> dict[str, Any]:
    model = InvalidProblem if status == 422 else Problem
    content = {PROBLEM: {"schema": schema(model)}}
    # Each 503 of a route that reads or grades says when to come again.
    return {"description": text, "content": content, **({"headers": WAIT} if status == 503 else {})}
