"""A case: a recorded prediction with all that happened to it since."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from app.events import Event, moment
from app.serving.judge import Asked
from app.values import Floats

CLOSED = ConfigDict(extra="forbid")


class OutcomeModel(BaseModel):
    """The true grade, known later."""

    model_config = CLOSED

    grade: str
    time: str


class CaseModel(BaseModel):
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
    outcome: OutcomeModel | None


@dataclass(frozen=True, slots=True)
class Case:
    """The events of one prediction, read."""

    event: Event
    body: dict[str, Any]
    personal: dict[str, Any] | None
    """None where it was erased."""
    outcome: dict[str, Any] | None

    @classmethod
    def of(cls, events: Sequence[Event]) -> "Case":
        """From all events of a prediction, first things first."""
        first = next(event for event in events if event.kind == "prediction")
        outcomes = (event for event in events if event.kind == "outcome")
        outcome = next(
            ({**json.loads(one.body), "time": moment(one.time)} for one in outcomes), None
        )
        personal = None if first.personal is None else json.loads(first.personal)
        return cls(first, json.loads(first.body), personal, outcome)

    @property
    def rows(self) -> Floats:
        """The features `(1, F)`, in the order they were recorded; of a case that has them."""
        values = (self.personal or {})["features"].values()
        return np.array([[np.nan if value is None else value for value in values]])

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
        }
