"""Warnings in JSON: what the reader of a row's answer should know, by kind."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.values import Notice

CLOSED = ConfigDict(extra="forbid")


class OutOfRangeWarning(BaseModel):
    """A value outside what training saw."""

    model_config = CLOSED

    kind: Literal["out_of_range"]
    feature: str
    value: float
    seen_minimum: float
    seen_maximum: float


class MarginWarning(BaseModel):
    """A value outside what training saw by so little that it refers no row by itself.

    Money up to twice as large or half as small, anything else by half of the range that was seen.
    Bundles without `case_limit` do not tell it.
    """

    model_config = CLOSED

    kind: Literal["in_margin"]
    feature: str
    value: float
    seen_minimum: float
    seen_maximum: float


class MissingWarning(BaseModel):
    """A value that is not there; the network puts the usual one in its place."""

    model_config = CLOSED

    kind: Literal["missing"]
    feature: str
    value: None
    seen_minimum: float
    seen_maximum: float


class FewPassesWarning(BaseModel):
    """Fewer passes than sets and decisions were calibrated with: they promise nothing."""

    model_config = CLOSED

    kind: Literal["few_passes"]
    passes: int
    calibrated_passes: int = Field(description="from this many on, sets and decisions hold")


class DegradedWarning(BaseModel):
    """Fewer passes than were asked for, as the deadline left no time for more."""

    model_config = CLOSED

    kind: Literal["degraded"]
    passes: int
    asked_passes: int


OddValue = OutOfRangeWarning | MarginWarning | MissingWarning


def odd_value(notice: Notice) -> dict[str, Any]:
    """The warning about a value."""
    return {name: getattr(notice, name) for name in OutOfRangeWarning.model_fields}


def few_passes(passes: int, calibrated: int) -> dict[str, Any]:
    """The warning about passes that are fewer than the calibration's."""
    return {"kind": "few_passes", "passes": passes, "calibrated_passes": calibrated}


def degraded(passes: int, asked: int) -> dict[str, Any]:
    """The warning about passes that are fewer than asked for."""
    return {"kind": "degraded", "passes": passes, "asked_passes": asked}
