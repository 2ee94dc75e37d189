"""`/reviews`: what waits for a person, what a person made of it, and who looks at what."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from app.api.access import Access
from app.api.answers import Model
from app.api.body import read_body
from app.api.case import Review
from app.api.options import NoOptions
from app.api.place import PLACE, number_place, text_place, told
from app.api.refusals import documented
from app.api.response import json_response
from app.api.route import LeanRoute
from app.api.spelling import digits, microseconds
from app.api.verdicts import LONGEST_NAME, WITHOUT_NUL, AssignmentRequest, Verdicts
from app.events import Order, Place, Referral, Sought, State, moment
from app.memory import Memory
from app.settings import Settings
from app.values import MAX_SEED

CLOSED = ConfigDict(extra="forbid")
MOST_LISTED, LISTED = 500, 50
LONGEST_WORD = 200
"""Characters of what is looked for."""
Word = Annotated[str, Field(min_length=1, max_length=LONGEST_WORD, pattern=WITHOUT_NUL)]
Moment = Annotated[
    int | None,
    BeforeValidator(microseconds),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Number = Annotated[int, Field(ge=1, le=MAX_SEED), BeforeValidator(digits)]
After = Annotated[
    str | None,
    Field(pattern=PLACE, description="`next` of the list before, to go on."),
    WithJsonSchema({"type": "string", "pattern": PLACE}),
]


def words(description: str) -> Any:
    """The type of a parameter that may be left out, and otherwise is some text."""
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_WORD, "pattern": WITHOUT_NUL}
    return Annotated[Word | None, Field(description=description), WithJsonSchema(schema)]


class ReviewOptions(BaseModel):
    """Which of those that wait, or were decided, are listed."""

    model_config = CLOSED

    state: Annotated[State, Field(description="`waiting` for a person, or `decided`.")] = "waiting"
    order: Annotated[
        Order,
        Field(
            description="`oldest` or `newest` first (by the answer's time or, where decided, the "
            "review's), most `doubtful`, or by `reference`."
        ),
    ] = "oldest"
    reason: words("Referred for this reason.") = None  # type: ignore[valid-type]
    grade: words("With this grade of the network.") = None  # type: ignore[valid-type]
    reference: words("With this in the client's reference.") = None  # type: ignore[valid-type]
    assignee: words("Looked at by this person.") = None  # type: ignore[valid-type]
    version: Annotated[
        Number | None,
        Field(description="Answered by this version."),
        WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_SEED}),
    ] = None
    since: Annotated[Moment, Field(description="From this time on, ISO 8601 with its zone.")] = None
    until: Annotated[Moment, Field(description="Before this time.")] = None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED), BeforeValidator(digits)] = LISTED
    after: After = None

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
