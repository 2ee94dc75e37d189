"""A case: a recorded prediction with all that happened to it since."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from app.events import Event, moment
from app.serving.judge import Asked
from app.values import Floats

CLOSED = ConfigDict(extra="forbid")


class Outcome(BaseModel):
    """The true grade, known later."""

    model_config = CLOSED

    grade: str
    time: str


class Review(Outcome):
    """What a person made of it; note and name are null once they were erased."""

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


@dataclass(frozen=True, slots=True)
class Case:
    """The events of one prediction, read."""

    events: tuple[Event, ...]
    body: dict[str, Any]
    personal: dict[str, Any] | None
    """None where it was erased."""
    outcome: dict[str, Any] | None
    review: dict[str, Any] | None

    @classmethod
    def of(cls, events: Sequence[Event]) -> "Case":
        """From all events of a prediction, of which that of the prediction itself is one."""
        known = {event.kind: event for event in events}
        first = known["prediction"]
        personal = None if first.personal is None else json.loads(first.personal)
        outcome, review = known.get("outcome"), known.get("review")
        return cls(
            tuple(events),
            json.loads(first.body),
            personal,
            None if outcome is None else _said(outcome, {}),
            None if review is None else _said(review, {"note": None, "reviewer": None}),
        )

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
        }


def _said(event: Event, personal: dict[str, Any]) -> dict[str, Any]:
    """What an event says, with what is left of its personal part."""
    own = json.loads(event.personal) if event.personal is not None else personal
    return {**json.loads(event.body), **own, "time": moment(event.time)}
