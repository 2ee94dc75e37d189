"""Searching: which recorded predictions are listed, and how a list is shown."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.api.answers import Model
from app.api.listing import ListOptions, words
from app.api.place import number_place, told
from app.events import Event, Listing, Search, moment

CLOSED = ConfigDict(extra="forbid")


class SearchOptions(ListOptions):
    """Which recorded predictions are listed."""

    reference: words("With exactly this reference of the client.") = None  # type: ignore[valid-type]
    grade: words("With this grade of the network.") = None  # type: ignore[valid-type]
    reason: words("Referred for this reason.") = None  # type: ignore[valid-type]
    action: Annotated[
        Literal["automate", "refer"] | None,
        Field(description="With this decision."),
        WithJsonSchema({"type": "string", "enum": ["automate", "refer"]}),
    ] = None

    @property
    def sought(self) -> Search:
        """What is to be listed."""
        after = None if self.after is None else number_place(self.after)
        return Search(
            most=self.limit,
            reference=self.reference,
            grade=self.grade,
            action=self.action,
            reason=self.reason,
            version=self.version,
            since=self.since,
            until=self.until,
            after=after,
        )


class ListedPrediction(BaseModel):
    """A recorded prediction, in a list."""

    model_config = CLOSED

    id: str
    time: str
    endpoint: str
    reference: str | None
    grade: str
    likelihood: float = Field(description="of the grade: its probability or, of passes, their mean")
    action: Literal["automate", "refer"] | None
    reasons: list[str]
    model: Model


class PredictionList(BaseModel):
    """Some recorded predictions."""

    model_config = CLOSED

    predictions: list[ListedPrediction]
    next: str | None = Field(
        description="for `after`, to go on, also where none of many was found; null at the end"
    )


def shown(found: Listing) -> dict[str, Any]:
    """A list as it is answered."""
    return {
        "predictions": [_line(event) for event in found.events],
        "next": None if found.after is None else told(found.after),
    }


def _line(event: Event) -> dict[str, Any]:
    body = json.loads(event.body)
    answer = body["answer"]
    decision = answer.get("decision") or {}
    return {
        "id": event.prediction,
        "time": moment(event.time),
        "endpoint": body["endpoint"],
        "reference": event.reference,
        "grade": answer["grade"],
        "likelihood": answer.get("mean", answer.get("probabilities"))[answer["grade"]],
        "action": decision.get("action"),
        "reasons": decision.get("reasons", []),
        "model": body["model"],
    }
