"""What a prediction's event holds, format 1; events of before there was a number read the same.

Bodies are JSON objects. `endpoint` says which of the two kinds one is.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, json

from dubito.answer import MonteCarloResult, PlainResult, Warning
from dubito.types import Identity
from dubito.uncertainty.policy import PolicyOptions


class Asked(Struct, frozen=True):
    """How a Monte-Carlo prediction was asked for."""

    passes: int | Literal["auto"]
    tolerance: float | None = None
    """The half-width to reach with `auto`; None with a fixed number."""
    degrade: bool = False
    """Whether fewer passes were allowed where time is short."""
    judged: PolicyOptions | None = None
    """Sets and decisions; None of a bundle that has neither."""


class PlainBody(Struct, frozen=True, tag_field="endpoint", tag="/predict", omit_defaults=True):
    """A deterministic prediction, without anything by which a person could be recognised."""

    environment: str
    """Fingerprint of the numerical environment."""
    model: Identity
    answer: PlainResult
    warnings: tuple[Warning, ...]
    format: int | UnsetType = UNSET
    """Not set in events of before there was a number."""


class MonteCarloBody(
    Struct, frozen=True, tag_field="endpoint", tag="/predict/mc", omit_defaults=True
):
    """A Monte-Carlo prediction, without anything by which a person could be recognised."""

    environment: str
    """Fingerprint of the numerical environment."""
    model: Identity
    asked: Asked
    answer: MonteCarloResult
    warnings: tuple[Warning, ...]
    format: int | UnsetType = UNSET
    """Not set in events of before there was a number."""


Body = PlainBody | MonteCarloBody


class Personal(Struct, frozen=True):
    """What of a prediction may be erased."""

    features: dict[str, float | None]
    reference: str | None
    """The client's own name of the case."""


_bodies: json.Decoder[Body] = json.Decoder(Body)
_personal = json.Decoder(Personal)


def read_body(content: bytes) -> Body:
    """The body of a prediction's event."""
    body: Body = _bodies.decode(content)
    return body


def read_personal(content: bytes | None) -> Personal | None:
    """What may be erased of a prediction; None where it was."""
    return None if content is None else _personal.decode(content)
