"""Format 1 of the event that records on what a bundle and its shadow disagree."""

from typing import Literal

from msgspec import Struct, json

from dubito.types import Identity

DisagreementKind = Literal["class", "decision", "set"]
"""Part in which two answers differ: the class, the decision, or the set of classes; of a number the
set stands for intervals that do not overlap."""


class Side(Struct, frozen=True):
    """What one of both answered."""

    predicted: str | float
    """Class with the largest mean probability, or mean of a number."""
    action: str | None
    """Decision; None without a calibration."""
    options: list[str | float | None] | None
    """Classes of the prediction set, or bounds of the interval, null for an infinite one; None
    without a calibration."""


class Disagreement(Struct, frozen=True):
    """The event's body; it has no personal data."""

    format: int
    served: Identity
    shadow: Identity
    kinds: list[DisagreementKind]
    difference: float
    """Largest difference of a class's mean probability; of a number that of the means, relative to
    the deviation of the values in training."""
    answer: Side
    """Answer that was given."""
    other: Side
    """Answer that the shadow computed."""


_encoder = json.Encoder()
_decoder = json.Decoder(Disagreement)


def write_disagreement(body: Disagreement) -> bytes:
    """Encode the body of an event."""
    return _encoder.encode(body)


def read_disagreement(content: bytes) -> Disagreement:
    """Parse the body of an event."""
    return _decoder.decode(content)
