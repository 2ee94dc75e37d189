"""Errors as `application/problem+json` (RFC 9457): the only place where errors become HTTP.

Nothing a client sent is repeated, except names of members and parameters, which are shortened.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import from_json, to_json
from starlette.exceptions import HTTPException

from app.errors import Abandoned, Conflict, DeadlinePassed, FeaturesErased, NotFound, Unavailable
from app.problem_codes import ProblemCode
from dubito.errors import Fault, FieldCode, InvalidInput, NotJson
from dubito.inputs.faults import MOST_FAULTS, to_fault
from dubito.printable import shorten

PROBLEM_TYPE = "application/problem+json"
CLIENT_CLOSED = 499
"""Status for the log only, as the client has disconnected; the number is nginx's."""


INFERENCE = "/v2"
"""Address of the Open Inference Protocol."""
KEPT_HEADERS = ("allow", "retry-after")

OF_STATUS = {
    HTTPStatus.NOT_FOUND: ProblemCode.NO_SUCH_ADDRESS,
    HTTPStatus.METHOD_NOT_ALLOWED: ProblemCode.METHOD_NOT_ALLOWED,
}
"""Problem codes of the statuses with which Starlette itself refuses a request."""


Refused = Callable[[str], None]
"""Function called with the reason when a request is given up."""
Handler = Callable[[Request, Any], Awaitable[Response]]
GivenUp = Unavailable | DeadlinePassed | Abandoned


Bound = Annotated[
    int | float | None, WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]})
]
"""Number that the sentence mentions; null if it mentions none."""


def _open(codes: type[StrEnum]) -> WithJsonSchema:
    """Create the schema of an extensible enumeration: clients should accept unknown codes."""
    return WithJsonSchema({"type": "string", "x-extensible-enum": list(codes)})


OpenProblemCode = Annotated[ProblemCode, _open(ProblemCode)]
OpenFieldCode = Annotated[FieldCode, _open(FieldCode)]


class FieldProblem(BaseModel):
    """One invalid field."""

    model_config = ConfigDict(extra="forbid")

    field: str
    pointer: str
    detail: str
    code: OpenFieldCode
    minimum: Bound = Field(description="smallest allowed value")
    maximum: Bound = Field(description="largest allowed value")


class Problem(BaseModel):
    """A problem, described for programs and for people."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str
    code: OpenProblemCode
    limit: Bound = Field(description="limit that was exceeded: bytes, headers or seconds")


class InvalidProblem(Problem):
    """A problem with the invalid fields; at most twenty are listed."""

    errors: list[FieldProblem]


class Refusal(Exception):
    """A request refused at the HTTP level: too large, too slow, of another media type."""

    def __init__(
        self, status: HTTPStatus, code: ProblemCode, detail: str, limit: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.limit = limit
        """Number that was exceeded, the value of a setting."""


def problem(
    status: int,
    code: ProblemCode,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    limit: float | None = None,
    errors: Sequence[FieldProblem] = (),
) -> Response:
    """Create a problem+json response."""
    told: dict[str, Any] = {
        **_named(HTTPStatus(status)),
        "detail": detail,
        "code": code,
        "limit": limit,
    }
    content = InvalidProblem(**told, errors=list(errors)) if errors else Problem(**told)
    return Response(to_json(content), status, headers, PROBLEM_TYPE)


def _named(status: HTTPStatus) -> dict[str, Any]:
    """Return the members of a problem that follow from its status."""
    phrase = status.phrase
    kind = f"urn:dubito:problem:{phrase.lower().replace(' ', '-')}"
    return {"type": kind, "title": phrase, "status": int(status)}


def fitted(path: str, response: Response) -> Response:
    """Give a problem the form that clients of the Open Inference Protocol read, for its addresses.

    They read the member `error`, some only if the media type is exactly JSON's, and know 400 for
    whatever is wrong with a request.
    """
    if not (path == INFERENCE or path.startswith(f"{INFERENCE}/")) or not response.body:
        return response
    told = from_json(bytes(response.body))
    status = HTTPStatus(response.status_code)
    headers = {key: text for key, text in response.headers.items() if key in KEPT_HEADERS}
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
        told |= _named(status)
    content = to_json({"error": told["detail"], **told})
    return Response(content, status, headers, "application/json")


def answer_to(refusal: Refusal) -> Response:
    """Create the response to a request refused at the HTTP level."""
    return problem(refusal.status, refusal.code, refusal.detail, limit=refusal.limit)


def invalid(error: InvalidInput) -> Response:
    """Create a 422 response that names the invalid fields."""
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        ProblemCode.INVALID_INPUT,
        error.summary,
        errors=[_field_problem(fault) for fault in error.faults[:MOST_FAULTS]],
    )


def install(app: FastAPI, refused: Refused = lambda _: None) -> None:
    """Translate all errors to problems; `refused` gets the reason of each request given up."""

    def told(handler: Handler) -> Handler:
        async def tell(request: Request, error: Exception) -> Response:
            if isinstance(error, GivenUp):
                refused(error.reason)
            request.state.cause = refusal_cause(error)
            return fitted(request.scope["path"], await handler(request, error))

        return tell

    for kind, handler in HANDLERS.items():
        app.exception_handler(kind)(told(handler))


def refusal_cause(error: Exception) -> str:
    """Explain for the log why a request was refused: a class and a sentence, never a value."""
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
    parts = (shorten(str(part)).replace("~", "~0").replace("/", "~1") for part in fault.where)
    start = "?" if fault.in_query else "#"
    return FieldProblem(
        field=fault.field,
        pointer="/".join((start, *parts)),
        detail=fault.message,
        code=fault.code,
        minimum=fault.minimum,
        maximum=fault.maximum,
    )


async def _invalid_query(_: Request, error: RequestValidationError) -> Response:
    details = error.errors()
    faults = [to_fault(detail, tuple(detail["loc"][1:]), in_query=True) for detail in details]
    return invalid(InvalidInput(faults))


async def _not_json(_: Request, error: NotJson) -> Response:
    return problem(HTTPStatus.BAD_REQUEST, ProblemCode.NOT_JSON, str(error))


async def _invalid_input(_: Request, error: InvalidInput) -> Response:
    return invalid(error)


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
    return problem(
        status, code, f"this address cannot serve the request: {status.phrase}", headers=headers
    )


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
"""Handler for each kind of error; unexpected errors are handled by `app.http.middleware`."""
