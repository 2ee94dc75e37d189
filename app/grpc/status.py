"""Errors as gRPC's codes: the only place where errors become a status."""

from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError
from grpc import StatusCode

from app.errors import OUR_FAULT, Abandoned, Conflict, DeadlinePassed, NotFound, Unavailable
from app.problem_codes import ProblemCode
from dubito.errors import DubitoError, InvalidInput

CODE, RETRY = "dubito-code", "retry-after"
"""Names of trailing metadata: the code of the problem, and seconds after which to try again."""
STATUS: dict[type[Exception], StatusCode] = {
    DecodeError: StatusCode.INVALID_ARGUMENT,
    InvalidInput: StatusCode.INVALID_ARGUMENT,
    NotFound: StatusCode.NOT_FOUND,
    Conflict: StatusCode.FAILED_PRECONDITION,
    Unavailable: StatusCode.UNAVAILABLE,
    DeadlinePassed: StatusCode.DEADLINE_EXCEEDED,
    Abandoned: StatusCode.CANCELLED,
}


class RepositoryHidden(DubitoError):
    """A call that only callers on the service's own machine may make."""

    def __init__(self) -> None:
        super().__init__(
            "the repository is shown on loopback only, and not through a proxy, unless "
            "DUBITO_RECORDS_EXPOSED is 1"
        )


class MessageTooSlow(DubitoError):
    """A message that was not complete in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the message was not complete within {seconds:g} s")


class Status(NamedTuple):
    """How a call ended, if not well."""

    code: StatusCode
    sentence: str
    metadata: tuple[tuple[str, str], ...]


OWN = {
    RepositoryHidden: (StatusCode.PERMISSION_DENIED, ProblemCode.RECORDS_HIDDEN),
    MessageTooSlow: (StatusCode.DEADLINE_EXCEEDED, ProblemCode.BODY_TOO_SLOW),
}
"""Code and problem of the errors that only this transport has."""


def status_of(error: Exception) -> Status:
    """Return the status of an error; an unexpected one's text may hold values, and is not told."""
    if type(error) in OWN:
        code, problem = OWN[type(error)]
        return Status(code, str(error), ((CODE, problem.value),))
    kind = next((kind for kind in type(error).__mro__ if kind in STATUS), None)
    if kind is None:
        failed = (CODE, ProblemCode.INTERNAL_ERROR.value)
        return Status(StatusCode.INTERNAL, OUR_FAULT, (failed,))
    return Status(STATUS[kind], _sentence(error), tuple(_metadata(error)))


def _sentence(error: Exception) -> str:
    if isinstance(error, DecodeError):
        return "the message is not one of this call's"
    return error.summary if isinstance(error, InvalidInput) else str(error)


def _metadata(error: Exception) -> Iterator[tuple[str, str]]:
    code = getattr(error, "code", None)
    if isinstance(error, InvalidInput | DecodeError):
        code = ProblemCode.INVALID_INPUT
    if isinstance(code, ProblemCode):
        yield CODE, code.value
    if isinstance(error, Unavailable):
        yield RETRY, str(error.retry_after)
