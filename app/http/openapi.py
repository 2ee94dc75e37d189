"""OpenAPI parts that routes share: parameters, responses, problems and headers."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from app.http.body import JSON_TYPE
from app.http.json_schema import SchemaMode, any_of, schema
from app.http.problems import PROBLEM_TYPE as PROBLEM
from app.http.problems import InvalidProblem, Problem

Responses = dict[int | str, dict[str, Any]]

ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "Identifier of the prediction.",
    "schema": {"type": "string", "format": "uuid"},
}
NAMED = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]([ -~]*[!-~])?$"}
"""Schema of printable ASCII; HTTP itself strips spaces at both ends."""
LITERAL = r"^(?![Uu][Tt][Ff]-8'')[!-~]([ -~]*[!-~])?$"
EXTENDED = r"^UTF-8''([A-Za-z0-9!#$&+.^_`|~-]|%E[BC]%[89AB][0-9A-F]%[89AB][0-9A-F]){1,200}$"
"""Pattern of RFC 8187's form, for ASCII and most Korean syllables: no pattern can describe all
printable characters."""
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Client's name of the request: for a day, the same request with this key gets "
    "the first answer again, and a different request gets 409. Ignored if "
    "recording is off.",
    "schema": NAMED,
}
CASE = {
    "name": "Dubito-Reference",
    "in": "header",
    "description": "Client's name of the case; recorded with it, and used to find and erase it. "
    "Taken literally, except in RFC 8187's form: `UTF-8''` and up to 200 "
    "characters of any language, percent-encoded. Ignored if recording is off.",
    "schema": {"anyOf": [{**NAMED, "pattern": LITERAL}, {"type": "string", "pattern": EXTENDED}]},
}
KEPT_TAG = {
    "name": "If-None-Match",
    "in": "header",
    "description": "`ETag` of the client's copy: the response is 304 while the content is "
    "unchanged.",
    "schema": {"type": "string"},
}
TAG = {"ETag": {"description": "Tag of this content.", "schema": {"type": "string"}}}
WAIT = {
    "Retry-After": {"description": "Seconds to wait before a retry.", "schema": {"type": "integer"}}
}

BODY_REFUSALS = {
    400: "The body is not JSON.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body has the wrong media type or a content coding.",
}
"""Descriptions of refusals by status, of every route with a body."""
REFUSALS = BODY_REFUSALS | {
    403: "The request comes from a place from which it is not allowed.",
    404: "No such prediction is recorded.",
    409: "The request contradicts the records, or the bundle of the prediction is not available.",
    410: "The features of the prediction were erased.",
    422: "The request is invalid; the faults are listed field by field.",
    503: "The queue is full, or the record store does not respond.",
    504: "The deadline passed.",
}
"""Descriptions of refusals by status, of routes that read or write records."""


def answered(model: dict[str, Any], description: str, media_type: str = JSON_TYPE) -> Responses:
    """Describe a successful response by its schema."""
    return {200: {"description": description, "content": {media_type: {"schema": model}}}}


def refused(texts: Mapping[int, str]) -> Responses:
    """Describe refusals by their statuses."""
    return {status: _refusal(status, text) for status, text in sorted(texts.items())}


def documented(
    operation_id: str,
    model: type[BaseModel] | Sequence[type[BaseModel]],
    *bodies: type[BaseModel],
    names: Mapping[str, Any] | None = ID,
    refusals: Mapping[int, str] = REFUSALS,
) -> dict[str, Any]:
    """Describe the operation of a route: its name, responses and request body.

    Args:
        operation_id: name of the operation in generated clients.
        model: model of the response, or several of which it fits one.
        *bodies: models of the request body, of which it fits one; none if the route has no body.
        names: path parameter, if the path has one.
        refusals: status of each refusal to its description.
    """
    extra: dict[str, Any] = {} if names is None else {"parameters": [names]}
    if bodies:
        content = {JSON_TYPE: {"schema": _one_of(bodies, "validation")}}
        extra["requestBody"] = {"required": True, "content": content}
    models = model if isinstance(model, Sequence) else [model]
    told = answered(_one_of(models, "serialization"), "The requested result.")
    responses = told | refused(refusals)
    return {"responses": responses, "openapi_extra": extra, "operation_id": operation_id}


def _one_of(models: Sequence[type[BaseModel]], mode: SchemaMode) -> Any:
    """Return the schema of a model, or of what fits one of several."""
    return schema(models[0], mode) if len(models) == 1 else any_of(models, mode)


def _refusal(status: int, text: str) -> dict[str, Any]:
    model = InvalidProblem if status == 422 else Problem
    content = {PROBLEM: {"schema": schema(model)}}
    # Each 503 of a route that reads or grades says after how many seconds to retry.
    return {"description": text, "content": content, **({"headers": WAIT} if status == 503 else {})}
