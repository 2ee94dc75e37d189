"""`GET /reviews`: the review queue."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from msgspec import Struct, json
from pydantic import BaseModel, Field

from app.http.access import Access
from app.http.answers import Model
from app.http.cursor import encode_cursor, number_place, text_place
from app.http.json_schema import CLOSED
from app.http.listing import ListOptions, words
from app.http.openapi import documented
from app.http.response import json_response
from app.http.route import LeanRoute
from app.monitoring.event_builder import Listed, QueuedNumber
from app.record_events import ListPosition, Order, QueueItem, ReviewState, Search, moment
from app.record_ports import Reader
from app.settings import Settings
from dubito.targets import NumberTarget, Target
from dubito.types import Identity


class ReviewOptions(ListOptions):
    """Filters and order of the review queue."""

    state: Annotated[
        ReviewState,
        Field(description="Only predictions in this state: `waiting` for a review, or `decided`."),
    ] = "waiting"
    order: Annotated[
        Order,
        Field(
            description="Order of the list: `oldest` or `newest` first (by the time of the "
            "prediction or, if decided, of the review), most `doubtful` first "
            "(largest predictive entropy, or deviation of a number), or by `reference`."
        ),
    ] = "oldest"
    reference: words("Only predictions whose reference contains this text.") = None  # type: ignore[valid-type]
    assignee: words("Only predictions assigned to this person.") = None  # type: ignore[valid-type]

    @property
    def search(self) -> Search:
        """The search that the parameters describe."""
        return Search(
            state=self.state,
            order=self.order,
            reference=self.reference,
            grade=self.grade,
            reason=self.reason,
            model=self.model,
            version=self.version,
            assignee=self.assignee,
            since=self.since,
            until=self.until,
        )

    @property
    def place(self) -> ListPosition | None:
        """The position after which the page begins; None for the first page."""
        if self.after is None:
            return None
        return (text_place if self.order == "reference" else number_place)(self.after)


class ReferredPrediction(BaseModel):
    """A referred prediction that waits for a review or has one."""

    model_config = CLOSED

    id: str
    time: str
    reference: str | None = Field(
        description="client's name of the case; null if none was given or it was erased"
    )
    grade: str
    reasons: list[str]
    predictive_entropy: float | None
    mutual_information: float | None
    model: Model
    assignee: str | None
    decided: str | None = Field(description="time of the first review; null while it waits")
    verdict: str | None = Field(description="grade of the latest review; null while it waits")
    reviewer: str | None


class ReferredNumber(BaseModel):
    """A referred prediction of a number that waits for a review or has one."""

    model_config = CLOSED

    id: str
    time: str
    reference: str | None = Field(
        description="client's name of the case; null if none was given or it was erased"
    )
    value: float = Field(description="mean over the passes")
    reasons: list[str]
    std: float | None
    lower: float | None = Field(description="lower bound of the interval; null without one")
    upper: float | None = Field(description="upper bound of the interval; null without one")
    model: Model
    assignee: str | None
    decided: str | None = Field(description="time of the first review; null while it waits")
    verdict: float | None = Field(description="number of the latest review; null while it waits")
    reviewer: str | None


class ReviewQueue(BaseModel):
    """A page of referred predictions that wait for a review or have one."""

    model_config = CLOSED

    waiting: int = Field(
        description="number of predictions that wait, whatever the filters but `model`"
    )
    found: int | None = Field(
        description="number of predictions that match the filters; null on later pages"
    )
    reviews: list[ReferredPrediction]
    next: str | None = Field(description="cursor of the next page, for `after`; null at the end")


class NumberReviewQueue(ReviewQueue):
    """A page of referred predictions, by bundles of a number or by older ones of classes."""

    reviews: list[ReferredNumber | ReferredPrediction]  # type: ignore[assignment]


def reviews(reader: Reader, targets: Sequence[Target], settings: Settings) -> APIRouter:
    """Create the route of the review queue, documented for the targets of the served bundles."""
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    access = Access(settings)

    is_number = any(isinstance(target, NumberTarget) for target in targets)
    model = NumberReviewQueue if is_number else ReviewQueue

    @router.get(
        "/reviews",
        summary="Review queue: predictions that wait for a review, or were decided",
        **documented("listReviews", model, names=None),
    )
    async def queue(request: Request, options: Annotated[ReviewOptions, Query()]) -> Response:
        access.check_records(request)
        return json_response(await _listed(reader, options))

    return router


class QueueLine(Struct, frozen=True, rename={"label": "grade"}):
    """A referred prediction that waits for a review or has one."""

    id: str
    time: str
    reference: str | None
    label: str
    reasons: tuple[str, ...]
    predictive_entropy: float | None
    mutual_information: float | None
    model: Identity
    assignee: str | None
    decided: str | None
    verdict: str | None
    reviewer: str | None


class NumberQueueLine(Struct, frozen=True):
    """The same about a prediction of a number."""

    id: str
    time: str
    reference: str | None
    value: float
    reasons: tuple[str, ...]
    std: float | None
    lower: float | None
    upper: float | None
    model: Identity
    assignee: str | None
    decided: str | None
    verdict: float | None
    reviewer: str | None


class QueuePage(Struct, frozen=True):
    """A page of referred predictions that wait for a review or have one."""

    waiting: int
    found: int | None
    reviews: tuple[QueueLine | NumberQueueLine, ...]
    next: str | None


class _Value(Struct, frozen=True):
    """The member of a listed prediction that tells a number from classes."""

    value: float | None = None


_values = json.Decoder(_Value)
_listed_bodies = json.Decoder(Listed)
_listed_numbers = json.Decoder(QueuedNumber)


async def _listed(reader: Reader, options: ReviewOptions) -> QueuePage:
    found = await reader.queue(options.search, options.limit + 1, options.place)
    shown = found[: options.limit]
    return QueuePage(
        waiting=await reader.queued(Search("waiting", model=options.model)),
        found=await reader.queued(options.search) if options.after is None else None,
        reviews=tuple(_line(referral) for _, referral in shown),
        next=encode_cursor(shown[-1][0]) if len(found) > options.limit else None,
    )


def _line(referral: QueueItem) -> QueueLine | NumberQueueLine:
    if _values.decode(referral.body).value is not None:
        return _number_line(referral)
    body = _listed_bodies.decode(referral.body)
    return QueueLine(
        id=referral.prediction,
        time=moment(referral.time),
        reference=referral.reference,
        label=body.predicted,
        reasons=body.reasons,
        predictive_entropy=body.predictive_entropy,
        mutual_information=body.mutual_information,
        model=body.model,
        assignee=referral.assignee,
        decided=None if referral.decided is None else moment(referral.decided),
        verdict=referral.verdict,
        reviewer=referral.reviewer,
    )


def _number_line(referral: QueueItem) -> NumberQueueLine:
    body = _listed_numbers.decode(referral.body)
    return NumberQueueLine(
        id=referral.prediction,
        time=moment(referral.time),
        reference=referral.reference,
        value=body.value,
        reasons=body.reasons,
        std=body.std,
        lower=body.lower,
        upper=body.upper,
        model=body.model,
        assignee=referral.assignee,
        decided=None if referral.decided is None else moment(referral.decided),
        verdict=None if referral.verdict is None else float(referral.verdict),
        reviewer=referral.reviewer,
    )
