"""Searching: which recorded predictions are listed, and how a list is shown."""

from typing import Annotated, Literal

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.http.answers import Model
from app.http.cursor import number_place, told
from app.http.listing import ListOptions, words
from app.record_events import Event, Listing, Place, Search, moment
from app.recorded_prediction import read_body
from dubito.answer import PlainResult
from dubito.types import Identity

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
    def search(self) -> Search:
        """What is to be listed."""
        return Search(
            reference=self.reference,
            grade=self.grade,
            action=self.action,
            reason=self.reason,
            version=self.version,
            since=self.since,
            until=self.until,
        )

    @property
    def place(self) -> Place | None:
        """Behind what the list goes on."""
        return None if self.after is None else number_place(self.after)


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


class Line(Struct, frozen=True, rename={"predicted": "grade"}):
    """A recorded prediction, in a list."""

    id: str
    time: str
    endpoint: str
    reference: str | None
    predicted: str
    likelihood: float
    action: Literal["automate", "refer"] | None
    reasons: tuple[str, ...]
    model: Identity


class Page(Struct, frozen=True):
    """Some recorded predictions, and where to go on."""

    predictions: tuple[Line, ...]
    next: str | None


def shown(found: Listing) -> Page:
    """A list as it is answered."""
    lines = tuple(_line(event) for event in found.events)
    return Page(lines, None if found.after is None else told(found.after))


def _line(event: Event) -> Line:
    body = read_body(event.body)
    result = body.answer
    if isinstance(result, PlainResult):
        endpoint, probabilities, decision = "/predict", result.probabilities, None
    else:
        endpoint, probabilities, decision = "/predict/mc", result.mean, result.decision
    return Line(
        id=event.prediction,
        time=moment(event.time),
        endpoint=endpoint,
        reference=event.reference,
        predicted=result.predicted,
        likelihood=probabilities[result.predicted],
        action=None if decision is None else decision.action,
        reasons=() if decision is None else decision.reasons,
        model=body.model,
    )
