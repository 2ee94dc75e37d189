"""`/reviews`: what waits for a person, what a person made of it, and who looks at what."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.access import Access
from app.api.answers import Model
from app.api.body import read_body
from app.api.case import Review
from app.api.listing import ListOptions, words
from app.api.options import NoOptions
from app.api.place import number_place, text_place, told
from app.api.refusals import documented
from app.api.response import json_response
from app.api.route import LeanRoute
from app.api.verdicts import LONGEST_NAME, AssignmentRequest, Verdicts
from app.events import Order, Place, Referral, Sought, State, moment
from app.memory import Memory
from app.settings import Settings

CLOSED = ConfigDict(extra="forbid")


class ReviewOptions(ListOptions):
    """Which of those that wait, or were decided, are listed."""

    state: Annotated[State, Field(description="`waiting` for a person, or `decided`.")] = "waiting"
    order: Annotated[
        Order,
        Field(
            description="`oldest` or `newest` first (by the answer's time or, where decided, the "
            "review's), most `doubtful`, or by `reference`."
        ),
    ] = "oldest"
    reference: words("With this in the client's reference.") = None  # type: ignore[valid-type]
    assignee: words("Looked at by this person.") = None  # type: ignore[valid-type]

    @property
    def sought(self) -> Sought:
        """What is to be listed."""
        return Sought(**{name: getattr(self, name) for name in Sought.__dataclass_fields__})

    @property
    def place(self) -> Place | None:
        """Behind what the list goes on."""
        if self.after is None:
            return None
        return (text_place if self.order == "reference" else number_place)(self.after)


class ReferredPrediction(BaseModel):
    """A prediction that waits for a person, or that a person has looked at."""

    model_config = CLOSED

    id: str
    time: str
    reference: str | None = Field(description="the client's; null where none was given, or erased")
    grade: str
    reasons: list[str]
    predictive_entropy: float | None
    mutual_information: float | None
    model: Model
    assignee: str | None
    decided: str | None = Field(description="when it was reviewed first; null while it waits")
    verdict: str | None = Field(description="the grade of the last review")
    reviewer: str | None


class ReviewQueue(BaseModel):
    """Some predictions that wait for a person, or were decided."""

    model_config = CLOSED

    waiting: int = Field(description="how many wait in all")
    found: int | None = Field(
        description="how many there are of what was asked for; null where a list goes on"
    )
    reviews: list[ReferredPrediction]
    next: str | None = Field(description="for `after`, to go on; null at the end")


class AssignedPrediction(BaseModel):
    """Who looks at a prediction."""

    model_config = CLOSED

    id: str
    assignee: Annotated[str, Field(max_length=LONGEST_NAME)] | None


def reviews(memory: Memory, verdicts: Verdicts, settings: Settings) -> APIRouter:
    """The routes of the queue."""
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    access = Access(settings)
    most, seconds = settings.max_body_bytes, settings.body_seconds

    @router.get(
        "/reviews",
        summary="What waits for a person, or was decided",
        **documented("listReviews", ReviewQueue, names=None),
    )
    async def queue(request: Request, options: Annotated[ReviewOptions, Query()]) -> Response:
        access.check_records(request)
        return json_response(await _listed(memory, options))

    @router.post(
        "/reviews/{id}",
        summary="What a person made of it",
        **documented("reviewPrediction", Review, verdicts.reviewed),
    )
    async def review(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - there are none
        access.check_records(request)
        body = await read_body(request, most, seconds)
        return json_response(await verdicts.review(request, body))

    @router.put(
        "/reviews/{id}/assignee",
        summary="Who looks at it",
        **documented("assignPrediction", AssignedPrediction, AssignmentRequest),
    )
    async def assign(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - there are none
        access.check_records(request)
        body = await read_body(request, most, seconds)
        return json_response(await verdicts.assign(request, body))

    return router


async def _listed(memory: Memory, options: ReviewOptions) -> dict[str, Any]:
    found = await memory.reader.referrals(options.sought, options.limit + 1, options.place)
    shown = found[: options.limit]
    return {
        "waiting": await memory.reader.waiting(Sought()),
        "found": await memory.reader.waiting(options.sought) if options.after is None else None,
        "reviews": [_shown(one) for _, one in shown],
        "next": told(shown[-1][0]) if len(found) > options.limit else None,
    }


def _shown(one: Referral) -> dict[str, Any]:
    return {
        "id": one.prediction,
        "time": moment(one.time),
        "reference": one.reference,
        **json.loads(one.body),
        "assignee": one.assignee,
        "decided": None if one.decided is None else moment(one.decided),
        "verdict": one.verdict,
        "reviewer": one.reviewer,
    }
