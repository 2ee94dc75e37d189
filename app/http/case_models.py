"""Models of recorded predictions, for OpenAPI; `app.usecases` has the types that are written."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

CLOSED = ConfigDict(extra="forbid")


class Outcome(BaseModel):
    """The true grade, known later."""

    model_config = CLOSED

    id: str = Field(description="of the event, which a correction names")
    grade: str
    time: str
    corrects: str | None = Field(description="the event before it; null of the first")
    why: str | None = Field(description="null of the first, and once it was erased")


class Review(Outcome):
    """What a person made of it; note and name are null once they were erased."""

    note: str | None
    reviewer: str | None


class Said(BaseModel):
    """Something that was said of a prediction; null what it does not have, or what was erased."""

    model_config = CLOSED

    id: str
    kind: Literal["outcome", "review", "assignment"]
    time: str
    grade: str | None
    corrects: str | None
    why: str | None
    note: str | None
    reviewer: str | None


class RecordedPrediction(BaseModel):
    """A recorded prediction."""

    model_config = CLOSED

    id: str
    time: str
    endpoint: str
    model: dict[str, Any]
    environment: str
    asked: dict[str, Any] | None
    features: dict[str, float | None] | None
    reference: str | None
    answer: dict[str, Any]
    warnings: list[dict[str, Any]]
    outcome: Outcome | None
    review: Review | None
    assignee: str | None
    history: list[Said] = Field(description="all that was said of it, first things first")


class ChangedFact(BaseModel):
    """Something of the numerical environment that is other than when it was answered."""

    model_config = CLOSED

    name: str
    then: str | None
    now: str | None


class Replay(BaseModel):
    """What came of computing a recorded answer again."""

    model_config = CLOSED

    id: str
    identical: bool = Field(description="every figure to the last bit, and all that follows")
    largest_difference: float = Field(description="between two figures of the same name")
    differing: list[str] = Field(description="the members that are not the same")
    reasons: list[str] = Field(description="why they could differ")
    environment_changed: bool = Field(description="whether the numerical environment is another")
    facts: list[ChangedFact] = Field(description="what of it is other than then")
    answer: dict[str, Any]


class WhatIf(BaseModel):
    """A case as it was and with other features, computed under the same masks."""

    model_config = CLOSED

    id: str
    features: dict[str, float | None]
    recorded: dict[str, Any]
    corrected: dict[str, Any]
    difference: dict[str, float]
