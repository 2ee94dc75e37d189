"""Format 1 of a recorded prediction's event; events without a format number have the same layout.

Bodies are JSON objects whose `endpoint` tells the two kinds apart.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, json

from dubito.answer import AnswerWarning, MonteCarloResult, PlainResult
from dubito.features import FeatureValue
from dubito.types import Identity
from dubito.uncertainty.policy import PolicyOptions


class Asked(Struct, frozen=True):
    """Options of a Monte-Carlo request."""

    passes: int | Literal["auto"]
    tolerance: float | None = None
    """Half-width to reach with `auto`; None with a fixed number of passes."""
    degrade: bool = False
    """Whether fewer passes were allowed when time is short."""
    judged: PolicyOptions | None = None
    """Options of prediction sets and decisions; None if the bundle supports neither."""


class PlainBody(Struct, frozen=True, tag_field="endpoint", tag="/predict", omit_defaults=True):
    """A deterministic prediction without personal data."""

    environment: str
    """Fingerprint of the numerical environment."""
    model: Identity
    answer: PlainResult
    warnings: tuple[AnswerWarning, ...]
    format: int | UnsetType = UNSET
    """Format number; unset in events older than the number."""


class MonteCarloBody(
    Struct, frozen=True, tag_field="endpoint", tag="/predict/mc", omit_defaults=True
):
    """A Monte-Carlo prediction without personal data."""

    environment: str
    """Fingerprint of the numerical environment."""
    model: Identity
    asked: Asked
    answer: MonteCarloResult
    warnings: tuple[AnswerWarning, ...]
    format: int | UnsetType = UNSET
    """Format number; unset in events older than the number."""


Body = PlainBody | MonteCarloBody


class Personal(Struct, frozen=True):
    """Personal part of a prediction, which may be erased."""

    features: dict[str, FeatureValue]
    reference: str | None
    """The caller's own name of the case."""


_bodies: json.Decoder[Body] = json.Decoder(Body)
_personal = json.Decoder(Personal)


def parse_body(content: bytes) -> Body:
    """Parse the body of a prediction's event."""
    body: Body = _bodies.decode(content)
    return body


def read_personal(content: bytes | None) -> Personal | None:
    """Parse the personal part of a prediction; None if it was erased."""
    return None if content is None else _personal.decode(content)
