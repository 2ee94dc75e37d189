"""Errors as `application/problem+json` (RFC 9457): the one place where errors become HTTP.

Nothing a client sent is repeated, except the names of members and parameters, cut short.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from app.errors import Abandoned, Conflict, DeadlinePassed, FeaturesErased, NotFound, Unavailable
from app.problem_codes import ProblemCode
from dubito.errors import Fault, FieldCode, InvalidInput, NotJson
from dubito.inputs.faults import MOST_FAULTS, fault_of, field_of, shown

MEDIA_TYPE = "application/problem+json"
CLIENT_CLOSED = 499
"""For the log alone, as nobody is there to read it; the number is nginx's."""


OF_STATUS = {
    HTTPStatus.NOT_FOUND: ProblemCode.NO_SUCH_ADDRESS,
    HTTPStatus.METHOD_NOT_ALLOWED: ProblemCode.METHOD_NOT_ALLOWED,
}
"""Codes of what Starlette refuses by itself."""


Refused = Callable[[str], None]
"""Takes the reason why a request was given up."""
Handler = Callable[[Request, Any], Awaitable[Response]]
GivenUp = Unavailable | DeadlinePassed | Abandoned


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
        ProblemCode.INVALID_INPUT,
        f"{field_of(first)} {first.message}{more}",
        errors=[_field_problem(fault) for fault in faults[:MOST_FAULTS]],
    )


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
        [fault_of(detail, tuple(detail["loc"][1:]), in_query=True) for detail in error.errors()]
    )


async def _not_json(_: Request, error: NotJson) -> Response:
    return problem(HTTPStatus.BAD_REQUEST, ProblemCode.NOT_JSON, str(error))


async def _invalid_input(_: Request, error: InvalidInput) -> Response:
    return invalid(error.faults)


async def _unavailable(_: Request, error: Unavailable) -> Response:
    headers = {"Retry-After": str(error.retry_after)}
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error), headers=headers)


async def _deadline_passed(_: Request, error: DeadlinePassed) -> Response:
    return problem(HTTPStatus.GATEWAY_TIMEOUT, error.code, str(error))


async def _conflict(_: Request, error: Conflict) -> Response:
    return problem(HTTPStatus.CONFLICT, error.code, str(error))


async def _not_found(_: Request, error: NotFound) -> Response:
    return problem(HTTPStatus.NOT_FOUND, error.code, str(error))


async def _erased(_: Request, error: FeaturesErased) -> Response:
    return problem(HTTPStatus.GONE, error.code, str(error))


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
    NotJson: _not_json,
    Unavailable: _unavailable,
    DeadlinePassed: _deadline_passed,
    Conflict: _conflict,
    NotFound: _not_found,
    FeaturesErased: _erased,
    Abandoned: _abandoned,
    Refusal: _refused,
    HTTPException: _http,
}
"""What is answered to an error; an unexpected one is answered by `app.http.middleware`."""
