"""A case: a recorded prediction with all that happened to it since."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from app.events import Event, Kind, moment
from app.serving.judge import Asked
from app.values import Floats

CLOSED = ConfigDict(extra="forbid")
OUTCOME: dict[str, Any] = {"corrects": None, "why": None}
REVIEW: dict[str, Any] = {"note": None, "reviewer": None}
"""Members that an event need not have, or has lost."""


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


@dataclass(frozen=True, slots=True)
class Case:
    """The events of one prediction, read."""

    events: tuple[Event, ...]
    body: dict[str, Any]
    personal: dict[str, Any] | None
    """None where it was erased."""
    outcome: dict[str, Any] | None
    """The last that was said."""
    review: dict[str, Any] | None
    """The last as well."""

    @classmethod
    def of(cls, events: Sequence[Event]) -> "Case":
        """From all events of a prediction, of which that of the prediction itself is one."""
        first = next(event for event in events if event.kind == "prediction")
        personal = None if first.personal is None else json.loads(first.personal)
        outcome, review = last_of(events, "outcome"), last_of(events, "review")
        return cls(
            tuple(events),
            json.loads(first.body),
            personal,
            None if outcome is None else _said(outcome, OUTCOME),
            None if review is None else _said(review, OUTCOME | REVIEW),
        )

    def said(self, kind: Kind) -> list[Event]:
        """All events of a kind, first things first."""
        return [event for event in self.events if event.kind == kind]

    @property
    def assignee(self) -> str | None:
        """Who looks at it, if anyone."""
        last = last_of(self.events, "assignment")
        if last is None or last.personal is None:
            return None
        name: str | None = json.loads(last.personal)["reviewer"]
        return name

    @property
    def event(self) -> Event:
        """That of the prediction itself."""
        return next(event for event in self.events if event.kind == "prediction")

    @property
    def rows(self) -> Floats:
        """The features `(1, F)`, in the order they were recorded; of a case that has them."""
        values = (self.personal or {})["features"].values()
        return np.array([[np.nan if value is None else value for value in values]])

    @property
    def grades(self) -> Iterable[str]:
        """The grades there were to answer."""
        answer: dict[str, dict[str, float]] = self.body["answer"]
        return answer["mean" if "mean" in answer else "probabilities"].keys()

    @property
    def judged(self) -> Asked | None:
        """Which sets and decisions were asked for."""
        asked = self.body.get("asked") or {}
        return None if asked.get("judged") is None else Asked(**asked["judged"])

    @property
    def tolerance(self) -> float | None:
        """The half-width that decided the passes, if one did."""
        return (self.body.get("asked") or {}).get("tolerance")

    def shown(self) -> dict[str, Any]:
        """As it is answered."""
        personal = self.personal or {}
        return {
            "id": self.event.prediction,
            "time": moment(self.event.time),
            "endpoint": self.body["endpoint"],
            "model": self.body["model"],
            "environment": self.body["environment"],
            "asked": self.body.get("asked"),
            "features": personal.get("features"),
            "reference": personal.get("reference"),
            "answer": self.body["answer"],
            "warnings": self.body["warnings"],
            "outcome": self.outcome,
            "review": self.review,
            "assignee": self.assignee,
            "history": [
                {"kind": event.kind, **_said(event, {"grade": None} | OUTCOME | REVIEW)}
                for event in self.events
                if event.kind != "prediction"
            ],
        }


COUNTED_BY = "counted_by"
"""The member of an outcome's event that tells the bundle that was served when it was counted."""


def counted_by(event: Event) -> str | None:
    """The digest of that bundle; None of what an older Dubito recorded."""
    found: str | None = json.loads(event.body).get(COUNTED_BY)
    return found


def last_of(events: Sequence[Event], kind: Kind) -> Event | None:
    """What was said last: of outcomes and reviews the one that no other corrects."""
    return next((event for event in reversed(events) if event.kind == kind), None)


def _said(event: Event, members: dict[str, Any]) -> dict[str, Any]:
    """What an event says, with what is left of its personal part."""
    own = {} if event.personal is None else json.loads(event.personal)
    body = {name: value for name, value in json.loads(event.body).items() if name != COUNTED_BY}
    return {
        **members,
        **body,
        **own,
        "id": event.id,
        "time": moment(event.time),
    }
