"""Errors of a client: what a service refused, and what it did not answer."""

from collections.abc import Mapping

from msgspec import DecodeError, Struct, ValidationError, field, json

from dubito.errors import DubitoError


class ReportedFault(Struct, frozen=True):
    """What is wrong with one field of a request; its value is never in it."""

    field: str
    code: str
    """Stable code of the fault."""
    detail: str
    """Fault as the end of a sentence about the field."""
    pointer: str = ""
    """Place of the field in the request (RFC 6901)."""
    minimum: float | None = None
    maximum: float | None = None
    """Bound that the fault is about; `minimum` likewise."""


class _Problem(Struct, frozen=True):
    """A problem as a service writes it (RFC 9457)."""

    code: str = ""
    title: str = ""
    detail: str = ""
    errors: list[ReportedFault] = field(default_factory=list)


class RequestRefused(DubitoError):
    """A request that a service refused."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """Read the problem of an answer; one that is none has its status alone."""
        problem = _read(content)
        self._given = status, dict(headers), content
        self.status = status
        self.code = problem.code
        """Stable code of the problem; empty if what answered is no Dubito."""
        self.errors = tuple(problem.errors)
        """Wrong fields of the request, at most 20."""
        self.retry_after = seconds_of(headers.get("retry-after"))
        """Seconds after which it may be asked for again; None if the service does not say so."""
        self.request_id = headers.get("x-request-id", "")
        """Identifier under which the service's log has the request."""
        fields = "; ".join(f"{one.field} {one.detail}" for one in problem.errors)
        super().__init__(fields or problem.detail or problem.title or f"status {status}")

    def __reduce__(self) -> tuple[type["RequestRefused"], tuple[int, dict[str, str], bytes]]:
        """Return what it is made of, for processes that are sent it."""
        return RequestRefused, self._given


class RequestUnanswered(DubitoError):
    """A request that got no answer: no connection, or the deadline passed."""


def seconds_of(text: str | None) -> float | None:
    """Return the seconds of `Retry-After`; None without them, or if it is a date."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


def _read(content: bytes) -> _Problem:
    try:
        return json.decode(content, type=_Problem)
    except (DecodeError, ValidationError, UnicodeDecodeError):
        return _Problem()
