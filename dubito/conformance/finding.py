"""What a check holds a server to, and how it ends."""

from enum import StrEnum


class Basis(StrEnum):
    """What a check holds a server to."""

    PROTOCOL = "protocol"
    """The text of the Open Inference Protocol's REST interface, and HTTP's own."""
    EXTENSION = "extension"
    """An extension that the server names in its metadata, as Triton documents it."""
    CLIENTS = "clients"
    """Behaviour on which tritonclient, the client of KServe or perf_analyzer rely."""
    CARE = "care"
    """Behaviour of a careful server, which no text asks for."""


class CheckOutcome(StrEnum):
    """How a check ends."""

    MET = "met"
    DIFFERS = "differs"
    NOT_CHECKED = "not checked"


class Differs(Exception):
    """A server's answer is another than the check expects; the message says how."""


class NotChecked(Exception):
    """A check does not apply to a server, or needs what is not known; the message says why."""


def require(is_so: bool, detail: str) -> None:
    """Raise `Differs` unless something is so."""
    if not is_so:
        raise Differs(detail)
