"""Format 1 of a recorded prediction's event; events without a format number have the same layout.

Bodies are JSON objects whose `endpoint` tells deterministic and Monte-Carlo predictions apart, and
whose `target` those of a number.
"""

from typing import Generic, Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType, json

from dubito.answer import (
    AnswerWarning,
    MonteCarloAnyResult,
    MonteCarloNumber,
    MonteCarloResult,
    PlainAnyResult,
    PlainNumber,
    PlainResult,
)
from dubito.features import FeatureValue
from dubito.types import Identity
from dubito.uncertainty.policy import PolicyOptions

NUMBER: Literal["number"] = "number"
PlainT = TypeVar("PlainT", PlainResult, PlainNumber)
MonteCarloT = TypeVar("MonteCarloT", MonteCarloResult, MonteCarloNumber)


class Asked(Struct, frozen=True):
    """Options of a Monte-Carlo request."""

    passes: int | Literal["auto"]
    tolerance: float | None = None
    """Half-width to reach with `auto`; None with a fixed number of passes."""
    degrade: bool = False
    """Whether fewer passes were allowed when time is short."""
    judged: PolicyOptions | None = None
    """Options of sets or intervals and decisions; None if the bundle supports neither."""


class PlainBody(
    Struct, Generic[PlainT], frozen=True, tag_field="endpoint", tag="/predict", omit_defaults=True
):
    """A deterministic prediction without personal data."""

    environment: str
    """Fingerprint of the numerical environment."""
    model: Identity
    answer: PlainT
    warnings: tuple[AnswerWarning, ...]
    format: int | UnsetType = UNSET
    """Format number; unset in events older than the number."""
    target: Literal["number"] | UnsetType = UNSET
    """Kind of the bundle's target; unset for classes, as in older events."""


class MonteCarloBody(
    Struct,
    Generic[MonteCarloT],
    frozen=True,
    tag_field="endpoint",
    tag="/predict/mc",
    omit_defaults=True,
):
    """A Monte-Carlo prediction without personal data."""

    environment: str
    """Fingerprint of the numerical environment."""
    model: Identity
    asked: Asked
    answer: MonteCarloT
    warnings: tuple[AnswerWarning, ...]
    format: int | UnsetType = UNSET
    """Format number; unset in events older than the number."""
    target: Literal["number"] | UnsetType = UNSET
    """Kind of the bundle's target; unset for classes, as in older events."""


ClassBody = PlainBody[PlainResult] | MonteCarloBody[MonteCarloResult]
NumberBody = PlainBody[PlainNumber] | MonteCarloBody[MonteCarloNumber]
Body = ClassBody | NumberBody


class Personal(Struct, frozen=True):
    """Personal part of a prediction, which may be erased."""

    features: dict[str, FeatureValue]
    reference: str | None
    """The caller's own name of the case."""


class _Target(Struct, frozen=True):
    """The member of a body that decides how the rest is parsed."""

    target: Literal["number"] | UnsetType = UNSET


_targets = json.Decoder(_Target)
_class_bodies: json.Decoder[ClassBody] = json.Decoder(ClassBody)
_number_bodies: json.Decoder[NumberBody] = json.Decoder(NumberBody)
_personal = json.Decoder(Personal)


def parse_body(content: bytes) -> Body:
    """Parse the body of a prediction's event."""
    if _targets.decode(content).target == NUMBER:
        return _number_bodies.decode(content)
    return _class_bodies.decode(content)


def plain_body(
    environment: str,
    model: Identity,
    answer: PlainAnyResult,
    warnings: tuple[AnswerWarning, ...],
    version: int,
) -> Body:
    """Build the body of a deterministic prediction, in the present format `version`."""
    if isinstance(answer, PlainNumber):
        return PlainBody(environment, model, answer, warnings, version, NUMBER)
    return PlainBody(environment, model, answer, warnings, version)


def monte_carlo_body(
    environment: str,
    model: Identity,
    asked: Asked,
    answer: MonteCarloAnyResult,
    warnings: tuple[AnswerWarning, ...],
    version: int,
) -> Body:
    """Build the body of a Monte-Carlo prediction, in the present format `version`."""
    if isinstance(answer, MonteCarloNumber):
        return MonteCarloBody(environment, model, asked, answer, warnings, version, NUMBER)
    return MonteCarloBody(environment, model, asked, answer, warnings, version)


def read_personal(content: bytes | None) -> Personal | None:
    """Parse the personal part of a prediction; None if it was erased."""
    return None if content is None else _personal.decode(content)
