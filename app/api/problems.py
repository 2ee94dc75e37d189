"""Errors as `application/problem+json` (RFC 9457): the one place where errors become HTTP.

Nothing a client sent is repeated, except the names of members and parameters, cut short.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException

from app.api.spelling import OWN
from app.codes import FieldCode, ProblemCode
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


@dataclass(frozen=True, slots=True)
class Words:
    """How a kind of error of Pydantic's is told."""

    code: FieldCode
    message: str


OBJECT = Words(FieldCode.NOT_AN_OBJECT, "must be an object")
LIST = Words(FieldCode.NOT_A_LIST, "must be a list")
TEXT = Words(FieldCode.NOT_A_TEXT, "must be a text")
NUMBER = Words(FieldCode.NOT_A_NUMBER, "must be a number")
WHOLE = Words(FieldCode.NOT_WHOLE, "must be a whole number")
FLAG = Words(FieldCode.NOT_TRUE_OR_FALSE, "must be true or false")
WORDS = {
    "missing": Words(FieldCode.MISSING, "is missing"),
    "extra_forbidden": Words(FieldCode.UNKNOWN, "is not known"),
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": Words(FieldCode.NOT_FINITE, "must be a finite number"),
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_parsing_size": WHOLE,
    "int_from_float": WHOLE,
    "bool_type": FLAG,
    "bool_parsing": FLAG,
    "string_type": TEXT,
    "string_unicode": TEXT,
    "string_pattern_mismatch": Words(FieldCode.WRONG_FORM, "is not of the form that was given out"),
    "list_type": LIST,
    "dict_type": OBJECT,
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "dataclass_type": OBJECT,
    "string_too_short": Words(
        FieldCode.TEXT_TOO_SHORT, "must have at least {min_length} character{s}"
    ),
    "string_too_long": Words(
        FieldCode.TEXT_TOO_LONG, "must have at most {max_length} character{s}"
    ),
    "too_short": Words(FieldCode.TOO_FEW_ITEMS, "must have at least {min_length} item{s}"),
    "too_long": Words(FieldCode.TOO_MANY_ITEMS, "must have at most {max_length} item{s}"),
}
"""Own words for Pydantic's kinds of error."""
SAID = {
    "greater_than": FieldCode.TOO_SMALL,
    "greater_than_equal": FieldCode.TOO_SMALL,
    "less_than": FieldCode.TOO_LARGE,
    "less_than_equal": FieldCode.TOO_LARGE,
    "literal_error": FieldCode.NOT_ONE_OF,
}
"""Codes of kinds whose own message says `Input should be …`, and the bound as it was written."""
MINIMA, MAXIMA = ("ge", "gt", "min_length"), ("le", "lt", "max_length")
"""Names of a field's own bounds in the context of an error."""
OF_STATUS = {
    HTTPStatus.NOT_FOUND: ProblemCode.NO_SUCH_ADDRESS,
    HTTPStatus.METHOD_NOT_ALLOWED: ProblemCode.METHOD_NOT_ALLOWED,
}
"""Codes of what Starlette refuses by itself."""


Refused = Callable[[str], None]
"""Takes the reason why a request was given up."""
Handler = Callable[[Request, Any], Awaitable[Response]]
GivenUp = Overloaded | DeadlinePassed | Abandoned


Bound = Annotated[
    int | float | None, WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]})
]
"""A number that a sentence speaks of; null where it speaks of none."""


def _open(codes: type[StrEnum]) -> WithJsonSchema:
    """The schema of codes of which a later version may know more: no client should refuse one."""
    return WithJsonSchema({"type": "string", "x-extensible-enum": list(codes)})


OpenProblemCode = Annotated[ProblemCode, _open(ProblemCode)]
OpenFieldCode = Annotated[FieldCode, _open(FieldCode)]


class FieldProblem(BaseModel):
    """One field that is wrong."""

    model_config = ConfigDict(extra="forbid")

    field: str
    pointer: str
    detail: str
    code: OpenFieldCode
    minimum: Bound = Field(description="the least that is allowed")
    maximum: Bound = Field(description="the most that is allowed")


class Problem(BaseModel):
    """What went wrong, for a program and a person."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str
    code: OpenProblemCode
    limit: Bound = Field(description="what was exceeded: bytes, headers or seconds")


class InvalidProblem(Problem):
    """What went wrong, field by field; at most twenty are listed."""

    errors: list[FieldProblem]


class Refusal(Exception):
    """A request that HTTP itself refuses: too large, too slow, of another media type."""

    def __init__(
        self, status: HTTPStatus, code: ProblemCode, detail: str, limit: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.limit = limit
        """The number that was exceeded, a setting's."""


def problem(
    status: int,
    code: ProblemCode,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    limit: float | None = None,
    errors: Sequence[FieldProblem] = (),
) -> Response:
    """A problem+json answer."""
    phrase = HTTPStatus(status).phrase
    told: dict[str, Any] = {
        "type": f"urn:dubito:problem:{phrase.lower().replace(' ', '-')}",
        "title": phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "limit": limit,
    }
    content = InvalidProblem(**told, errors=list(errors)) if errors else Problem(**told)
    return Response(to_json(content), status, headers, MEDIA_TYPE)


def answer_to(refusal: Refusal) -> Response:
    """The answer to what HTTP itself refuses."""
    return problem(refusal.status, refusal.code, refusal.detail, limit=refusal.limit)


def invalid(faults: Sequence[Fault]) -> Response:
    """422 with the fields that are wrong."""
    first, count = faults[0], len(faults)
    more = f" and {count - 1} more" if count > 1 else ""
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        InvalidInput.code,
        f"{field_of(first)} {first.message}{more}",
        errors=[_field_problem(fault) for fault in faults[:MOST_FAULTS]],
    )


def field_of(fault: Fault) -> str:
    """The name of what is wrong: the last name on the way to it."""
    names = [part for part in fault.where if isinstance(part, str)]
    return shown(names[-1]) if names else "body"


def shown(name: str) -> str:
    """A name a client may have chosen, fit to be shown: short and printable."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name[:LONGEST_NAME])
    return text if len(name) <= LONGEST_NAME else f"{text}…"


def faults_of(details: Sequence[ErrorDetails], *, in_query: bool = False) -> list[Fault]:
    """Pydantic's errors about a body or a query as faults."""
    return [_fault(error, tuple(error["loc"]), in_query=in_query) for error in details]


def _fault(error: ErrorDetails, where: tuple[str | int, ...], *, in_query: bool) -> Fault:
    """One of Pydantic's errors as a fault."""
    context = error.get("ctx", {})
    return Fault(
        where,
        code_of(error),
        message_of(error),
        in_query=in_query,
        minimum=_named(context, MINIMA),
        maximum=_named(context, MAXIMA),
    )


def code_of(error: ErrorDetails) -> FieldCode:
    """What is wrong, for programs; a kind of this house brings its code."""
    kind = error["type"]
    if kind in WORDS:
        return WORDS[kind].code
    if kind == OWN:
        return FieldCode(error["ctx"]["code"])
    return SAID.get(kind, FieldCode.NOT_VALID)


def message_of(error: ErrorDetails) -> str:
    """What is wrong, to stand behind the field's name; a kind of this house brings its words."""
    kind, said = error["type"], error["msg"]
    if kind in WORDS:
        return _filled(WORDS[kind].message, error.get("ctx", {}))
    if kind in SAID:
        return said.replace("Input should be", "must be")
    return said if kind == OWN else "is not valid"


def _filled(words: str, context: dict[str, Any]) -> str:
    """Words with the number they speak of, if any, which is never a client's."""
    most = context.get("max_length", context.get("min_length"))
    return words.format(**context, s=plural(most)) if "{" in words else words


def _named(context: Mapping[str, Any], names: Sequence[str]) -> Any:
    """A bound that an error's context has by one of some names."""
    return next((context[name] for name in names if name in context), None)


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
        field=field_of(fault),
        pointer="/".join((start, *parts)),
        detail=fault.message,
        code=fault.code,
        minimum=fault.minimum,
        maximum=fault.maximum,
    )


async def _invalid_query(_: Request, error: RequestValidationError) -> Response:
    return invalid(
        [_fault(detail, tuple(detail["loc"][1:]), in_query=True) for detail in error.errors()]
    )


async def _invalid_input(_: Request, error: InvalidInput) -> Response:
    return invalid(error.faults)


async def _overloaded(_: Request, error: Overloaded) -> Response:
    headers = {"Retry-After": str(error.retry_after)}
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error), headers=headers)


async def _deadline_passed(_: Request, error: DeadlinePassed) -> Response:
    return problem(HTTPStatus.GATEWAY_TIMEOUT, error.code, str(error))


async def _conflict(_: Request, error: Conflict) -> Response:
    return problem(HTTPStatus.CONFLICT, error.code, str(error))


async def _not_found(_: Request, error: NotFound) -> Response:
    return problem(HTTPStatus.NOT_FOUND, error.code, str(error))


async def _abandoned(_: Request, __: Abandoned) -> Response:
    return Response(status_code=CLIENT_CLOSED)


async def _refused(_: Request, error: Refusal) -> Response:
    return answer_to(error)


async def _http(_: Request, error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    code = OF_STATUS.get(status, ProblemCode.REFUSED)
    headers = dict(error.headers) if error.headers else None
    return problem(status, code, f"this address answers: {status.phrase}", headers=headers)


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
