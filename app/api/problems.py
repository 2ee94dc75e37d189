"""Errors as `application/problem+json` (RFC 9457): the one place where errors become HTTP.

Nothing a client sent is repeated, except the names of members and parameters, cut short.
"""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException

from app.api.spelling import OWN
from app.errors import (
    Abandoned,
    Conflict,
    DeadlinePassed,
    Fault,
    InvalidInput,
    NotFound,
    Overloaded,
)

MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 20
CLIENT_CLOSED = 499
"""For the log alone, as nobody is there to read it; the number is nginx's."""
LONGEST_NAME = 64

OBJECT, LIST, TEXT = "must be an object", "must be a list", "must be a text"
NUMBER, WHOLE, FLAG = "must be a number", "must be a whole number", "must be true or false"
WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": "must be a finite number",
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_parsing_size": WHOLE,
    "int_from_float": WHOLE,
    "bool_type": FLAG,
    "bool_parsing": FLAG,
    "string_type": TEXT,
    "string_unicode": TEXT,
    "string_pattern_mismatch": "is not of the form that was given out",
    "list_type": LIST,
    "dict_type": OBJECT,
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "dataclass_type": OBJECT,
    "string_too_short": "must have at least {min_length} character{s}",
    "string_too_long": "must have at most {max_length} character{s}",
    "too_short": "must have at least {min_length} item{s}",
    "too_long": "must have at most {max_length} item{s}",
}
"""Own words for Pydantic's kinds of error."""
BOUNDS = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
"""Kinds whose own message says `Input should be …`, and the bound as it was written."""


Refused = Callable[[str], None]
"""Takes the reason why a request was given up."""
Handler = Callable[[Request, Any], Awaitable[Response]]
GivenUp = Overloaded | DeadlinePassed | Abandoned


class FieldProblem(BaseModel):
    """One field that is wrong."""

    model_config = ConfigDict(extra="forbid")

    field: str
    pointer: str
    detail: str


class Problem(BaseModel):
    """What went wrong, for a program and a person."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str


class InvalidProblem(Problem):
    """What went wrong, field by field; at most twenty are listed."""

    errors: list[FieldProblem]


class Refusal(Exception):
    """A request that HTTP itself refuses: too large, too slow, of another media type."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def problem(
    status: int, detail: str, *, headers: dict[str, str] | None = None, **members: Any
) -> Response:
    """A problem+json answer."""
    phrase = HTTPStatus(status).phrase
    content = {
        "type": f"urn:dubito:problem:{phrase.lower().replace(' ', '-')}",
        "title": phrase,
        "status": status,
        "detail": detail,
        **members,
    }
    return Response(to_json(content), status, headers, MEDIA_TYPE)


def invalid(faults: Sequence[Fault]) -> Response:
    """422 with the fields that are wrong."""
    first, count = faults[0], len(faults)
    more = f" and {count - 1} more" if count > 1 else ""
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{field_of(first)} {first.message}{more}",
        errors=[_field_problem(fault).model_dump() for fault in faults[:MOST_FAULTS]],
    )


def field_of(fault: Fault) -> str:
    """The name of what is wrong: the last name on the way to it."""
    names = [part for part in fault.where if isinstance(part, str)]
    return shown(names[-1]) if names else "body"


def shown(name: str) -> str:
    """A name a client may have chosen, fit to be shown: short and printable."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name[:LONGEST_NAME])
    return text if len(name) <= LONGEST_NAME else f"{text}…"


def faults_of(details: Sequence[ErrorDetails]) -> list[Fault]:
    """Pydantic's errors about a body as faults."""
    return [Fault(tuple(error["loc"]), message_of(error)) for error in details]


def message_of(error: ErrorDetails) -> str:
    """What is wrong, to stand behind the field's name; a kind of this house brings its words."""
    kind, said = error["type"], error["msg"]
    if kind in WORDS:
        return _filled(WORDS[kind], error.get("ctx", {}))
    if kind in BOUNDS or kind == "literal_error":
        return said.replace("Input should be", "must be")
    return said if kind == OWN else "is not valid"


def _filled(words: str, context: dict[str, Any]) -> str:
    """Words with the number they speak of, if any, which is never a client's."""
    most = context.get("max_length", context.get("min_length"))
    return words.format(**context, s=plural(most)) if "{" in words else words


def plural(count: float | None) -> str:
    """The ending of a noun behind a number."""
    return "" if count == 1 else "s"


def install(app: FastAPI, refused: Refused = lambda _: None) -> None:
    """Make every error of the service a problem; say of each request given up, why it was."""

    def told(handler: Handler) -> Handler:
        async def tell(request: Request, error: Exception) -> Response:
            if isinstance(error, GivenUp):
                refused(error.reason)
            request.state.cause = cause_of(error)
            return await handler(request, error)

        return tell

    for kind, handler in HANDLERS.items():
        app.exception_handler(kind)(told(handler))


def cause_of(error: Exception) -> str:
    """Why a request was refused, for the log: a class and a sentence, never a value."""
    name = type(error).__name__
    if isinstance(error, InvalidInput):
        more = len(error.faults) - 1
        return f"{name}: {error.faults[0].message}" + (f" and {more} more" if more else "")
    if isinstance(error, HTTPException):
        return f"{name}: {HTTPStatus(error.status_code).phrase}"
    if isinstance(error, RequestValidationError):
        return name
    cause = getattr(error, "cause", None)
    return f"{name}: {error}" if cause is None else f"{name}: {error} ({cause})"


def _field_problem(fault: Fault) -> FieldProblem:
    parts = (shown(str(part)).replace("~", "~0").replace("/", "~1") for part in fault.where)
    start = "?" if fault.in_query else "#"
    return FieldProblem(
        field=field_of(fault), pointer="/".join((start, *parts)), detail=fault.message
    )


async def _invalid_query(_: Request, error: RequestValidationError) -> Response:
    return invalid(
        [
            Fault(tuple(detail["loc"][1:]), message_of(detail), in_query=True)
            for detail in error.errors()
        ]
    )


async def _invalid_input(_: Request, error: InvalidInput) -> Response:
    return invalid(error.faults)


async def _overloaded(_: Request, error: Overloaded) -> Response:
    headers = {"Retry-After": str(error.retry_after)}
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=headers)


async def _deadline_passed(_: Request, error: DeadlinePassed) -> Response:
    return problem(HTTPStatus.GATEWAY_TIMEOUT, str(error))


async def _conflict(_: Request, error: Conflict) -> Response:
    return problem(HTTPStatus.CONFLICT, str(error))


async def _not_found(_: Request, error: NotFound) -> Response:
    return problem(HTTPStatus.NOT_FOUND, str(error))


async def _abandoned(_: Request, __: Abandoned) -> Response:
    return Response(status_code=CLIENT_CLOSED)


async def _refused(_: Request, error: Refusal) -> Response:
    return problem(error.status, error.detail)


async def _http(_: Request, error: HTTPException) -> Response:
    phrase = HTTPStatus(error.status_code).phrase
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, f"this address answers: {phrase}", headers=headers)


HANDLERS: dict[type[Exception], Handler] = {
    RequestValidationError: _invalid_query,
    InvalidInput: _invalid_input,
    Overloaded: _overloaded,
    DeadlinePassed: _deadline_passed,
    Conflict: _conflict,
    NotFound: _not_found,
    Abandoned: _abandoned,
    Refusal: _refused,
    HTTPException: _http,
}
"""What is answered to an error; an unexpected one is answered by `app.api.conduct`."""
