"""Pydantic models of recorded predictions, for OpenAPI only; `app.usecases` has what is written."""

from typing import Any

from pydantic import BaseModel, Field

from app.http.json_schema import CLOSED
from app.record_events import FeedbackKind
from dubito.features import FeatureValue


class Outcome(BaseModel):
    """The true grade of a prediction, recorded when it became known."""

    model_config = CLOSED

    id: str = Field(description="identifier of the event, which a correction names")
    grade: str
    time: str
    corrects: str | None = Field(
        description="identifier of the event that this one corrects; null for the first"
    )
    why: str | None = Field(
        description="reason for the correction; null for the first and after erasure"
    )


class Review(Outcome):
    """A person's review of a prediction; `note` and `reviewer` are null after erasure."""

    note: str | None
    reviewer: str | None


class NumberOutcome(BaseModel):
    """The true number of a prediction, recorded when it became known."""

    model_config = CLOSED

    id: str = Field(description="identifier of the event, which a correction names")
    value: float
    time: str
    corrects: str | None = Field(
        description="identifier of the event that this one corrects; null for the first"
    )
    why: str | None = Field(
        description="reason for the correction; null for the first and after erasure"
    )


class NumberReview(NumberOutcome):
    """A person's review of a prediction; `note` and `reviewer` are null after erasure."""

    note: str | None
    reviewer: str | None


class Said(BaseModel):
    """Feedback on a prediction; null where not applicable or erased."""

    model_config = CLOSED

    id: str
    kind: FeedbackKind
    time: str
    grade: str | None
    corrects: str | None
    why: str | None
    note: str | None
    reviewer: str | None


class NumberSaid(BaseModel):
    """Feedback on a prediction of a number; null where not applicable or erased."""

    model_config = CLOSED

    id: str
    kind: FeedbackKind
    time: str
    value: float | None
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
    features: dict[str, FeatureValue] | None
    reference: str | None
    answer: dict[str, Any]
    warnings: list[dict[str, Any]]
    outcome: Outcome | None
    review: Review | None
    assignee: str | None
    history: list[Said] = Field(description="all feedback on the prediction, oldest first")


class RecordedNumber(RecordedPrediction):
    """A recorded prediction, by a bundle of a number or by an older one of classes."""

    outcome: NumberOutcome | Outcome | None  # type: ignore[assignment]
    review: NumberReview | Review | None  # type: ignore[assignment]
    history: list[NumberSaid | Said] = Field(  # type: ignore[assignment]
        description="all feedback on the prediction, oldest first"
    )


class ChangedFact(BaseModel):
    """A fact of the numerical environment that has changed since the prediction was made."""

    model_config = CLOSED

    name: str
    then: str | None
    now: str | None


class Replay(BaseModel):
    """Comparison of a recorded answer with the same prediction computed again."""

    model_config = CLOSED

    id: str
    identical: bool = Field(
        description="whether every number is the same to the last bit, and everything derived "
        "from the numbers"
    )
    largest_difference: float = Field(
        description="largest absolute difference between two numbers of the same name"
    )
    differing: list[str] = Field(description="names of the members that differ")
    reasons: list[str] = Field(description="reasons why numbers could differ")
    environment_changed: bool = Field(description="whether the numerical environment has changed")
    facts: list[ChangedFact] = Field(description="facts of the environment that have changed")
    answer: dict[str, Any]


class WhatIf(BaseModel):
    """A recorded prediction, and the same with changed features under the same dropout masks."""

    model_config = CLOSED

    id: str
    features: dict[str, FeatureValue]
    recorded: dict[str, Any]
    corrected: dict[str, Any]
    difference: dict[str, float]
