"""`/reviews`: what waits for a person, and what a person made of it."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from app.api.access import Access
from app.api.answers import Model
from app.api.body import read_body
from app.api.case import Review
from app.api.options import NoOptions
from app.api.refusals import documented
from app.api.response import json_response
from app.api.route import LeanRoute
from app.api.spelling import digits
from app.api.verdicts import Verdicts
from app.events import Order, Referral, moment
from app.memory import Memory
from app.settings import Settings

CLOSED = ConfigDict(extra="forbid")
MOST_LISTED, LISTED = 500, 50
PLACE = r"^[0-9]{1,16}(\.[0-9]{1,20})?(e-[0-9]{1,3})?_[0-9a-f-]{36}$"
"""Time or doubt, and identifier."""


class ReviewOptions(BaseModel):
    """Which of those that wait are listed."""

    model_config = CLOSED

    order: Annotated[Order, Field(description="`oldest` or most `doubtful` first.")] = "oldest"
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED), BeforeValidator(digits)] = LISTED
    after: Annotated[
        str | None,
        Field(pattern=PLACE, description="`next` of the list before, to go on."),
        WithJsonSchema({"type": "string", "pattern": PLACE}),
    ] = None


class WaitingPrediction(BaseModel):
    """A prediction that waits for a person."""

    model_config = CLOSED

    id: str
    time: str
    grade: str
    reasons: list[str]
    predictive_entropy: float
    mutual_information: float
    model: Model


class ReviewQueue(BaseModel):
    """Some predictions that wait for a person."""

    model_config = CLOSED

    waiting: int = Field(description="how many there are in all")
    reviews: list[WaitingPrediction]
    next: str | None = Field(description="for `after`, to go on; null at the end")


def reviews(memory: Memory, verdicts: Verdicts, settings: Settings) -> APIRouter:
    """The routes of the queue."""
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    access = Access(settings)

    @router.get(
        "/reviews",
        summary="What waits for a person",
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
        body = await read_body(request, settings.max_body_bytes, settings.body_seconds)
        return json_response(await verdicts.review(request, body))

    return router


async def _listed(memory: Memory, options: ReviewOptions) -> dict[str, Any]:
    after = None if options.after is None else _place(options.after)
    found = await memory.reader.referrals(options.order, options.limit + 1, after)
    shown = found[: options.limit]
    return {
        "waiting": await memory.reader.waiting(),
        "reviews": [
            {"id": one.prediction, "time": moment(one.time), **json.loads(one.body)}
            for one in shown
        ],
        "next": _told(shown[-1], options.order) if len(found) > options.limit else None,
    }


def _told(one: Referral, order: Order) -> str:
    """The place of one that waits, for the client to give back."""
    return f"{one.time if order == 'oldest' else one.doubt!r}_{one.prediction}"


def _place(text: str) -> tuple[float, str]:
    number, _, prediction = text.partition("_")
    return float(number), prediction
