"""Query parameters and pages of the search in recorded predictions."""

from typing import Annotated, Literal

from msgspec import Struct
from pydantic import BaseModel, Field, WithJsonSchema

from app.http.answers import Model
from app.http.cursor import encode_cursor, number_place
from app.http.json_schema import CLOSED
from app.http.listing import ListOptions, words
from app.record_events import Event, Listing, ListPosition, Search, moment
from app.recorded_prediction import parse_body
from dubito.answer import MonteCarloNumber, PlainNumber, PlainResult
from dubito.types import Identity


class SearchOptions(ListOptions):
    """Filters of the search in recorded predictions."""

    reference: words("Only predictions with exactly this reference.") = None  # type: ignore[valid-type]
    grade: words("Only predictions with this grade of the network.") = None  # type: ignore[valid-type]
    reason: words("Only predictions referred for this reason.") = None  # type: ignore[valid-type]
    action: Annotated[
        Literal["automate", "refer"] | None,
        Field(description="Only predictions with this decision."),
        WithJsonSchema({"type": "string", "enum": ["automate", "refer"]}),
    ] = None

    @property
    def search(self) -> Search:
        """The search that the parameters describe."""
        return Search(
            reference=self.reference,
            grade=self.grade,
            action=self.action,
            reason=self.reason,
            model=self.model,
            version=self.version,
            since=self.since,
            until=self.until,
        )

    @property
    def place(self) -> ListPosition | None:
        """The position after which the page begins; None for the first page."""
        return None if self.after is None else number_place(self.after)


class ListedPrediction(BaseModel):
    """A line of a list of recorded predictions."""

    model_config = CLOSED

    id: str
    time: str
    endpoint: str
    reference: str | None
    grade: str
    likelihood: float = Field(
        description="probability of the grade or, for `/predict/mc`, its mean over the passes"
    )
    action: Literal["automate", "refer"] | None
    reasons: list[str]
    model: Model


class PredictionList(BaseModel):
    """A page of recorded predictions."""

    model_config = CLOSED

    predictions: list[ListedPrediction]
    next: str | None = Field(
        description="cursor of the next page, for `after`, also if this page is empty; null "
        "at the end"
    )


class ListedNumber(BaseModel):
    """A line of a list of recorded predictions of a number."""

    model_config = CLOSED

    id: str
    time: str
    endpoint: str
    reference: str | None
    value: float = Field(description="the number or, for `/predict/mc`, its mean over the passes")
    std: float | None = Field(description="standard deviation over the passes; null without passes")
    action: Literal["automate", "refer"] | None
    reasons: list[str]
    model: Model


class NumberPredictionList(PredictionList):
    """A page of recorded predictions, by bundles of a number or by older ones of classes."""

    predictions: list[ListedNumber | ListedPrediction]  # type: ignore[assignment]


class NumberLine(Struct, frozen=True):
    """A line of a list of recorded predictions, about a number."""

    id: str
    time: str
    endpoint: str
    reference: str | None
    value: float
    std: float | None
    action: Literal["automate", "refer"] | None
    reasons: tuple[str, ...]
    model: Identity


class Line(Struct, frozen=True, rename={"predicted": "grade"}):
    """A line of a list of recorded predictions."""

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
    """A page of recorded predictions and the cursor of the next page."""

    predictions: tuple[Line | NumberLine, ...]
    next: str | None


def page_of(found: Listing) -> Page:
    """Write the result of a search as a page."""
    lines = tuple(_line(event) for event in found.events)
    return Page(lines, None if found.after is None else encode_cursor(found.after))


def _line(event: Event) -> Line | NumberLine:
    body = parse_body(event.body)
    result = body.answer
    decision = None if isinstance(result, PlainResult | PlainNumber) else result.decision
    time, action = moment(event.time), None if decision is None else decision.action
    reasons = () if decision is None else decision.reasons
    if isinstance(result, PlainNumber | MonteCarloNumber):
        if isinstance(result, PlainNumber):
            endpoint, value, std = "/predict", result.value, None
        else:
            endpoint, value, std = "/predict/mc", result.mean, result.std
        about = (event.prediction, time, endpoint, event.reference)
        return NumberLine(*about, value, std, action, reasons, body.model)
    if isinstance(result, PlainResult):
        endpoint, probabilities = "/predict", result.probabilities
    else:
        endpoint, probabilities = "/predict/mc", result.mean
    predicted, about = result.predicted, (event.prediction, time, endpoint, event.reference)
    return Line(*about, predicted, probabilities[predicted], action, reasons, body.model)
