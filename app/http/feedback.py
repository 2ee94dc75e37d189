"""Routes that record feedback on a prediction: its true grade, a review, and who reviews it."""

from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Query, Request, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from app.http.access import Access
from app.http.body import read_body
from app.http.case_models import NumberOutcome, NumberReview, Outcome, Review
from app.http.json_body import read_json
from app.http.json_schema import CLOSED, LONGEST_NAME, LONGEST_NOTE, NoteText, PersonName, grade_of
from app.http.openapi import documented
from app.http.response import json_response
from app.http.route import LeanRoute
from app.settings import Settings
from app.usecases.case import Truth
from app.usecases.feedback import Correction, Feedback
from dubito.bundles.feature_consistency import LARGEST
from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.inputs.options import NoOptions
from dubito.inputs.rows import STRICT, parse_json
from dubito.targets import ClassTarget, NumberTarget, Target

Said = TypeVar("Said", bound=BaseModel)
OfNumber = TypeVar("OfNumber", bound=BaseModel)
OfClasses = TypeVar("OfClasses", bound=BaseModel)

LONGEST_EVENT = 64
"""Maximum characters of an event's identifier."""
EventId = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_EVENT)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NOTE)]


class _Correctable(BaseModel):
    model_config = STRICT | ConfigDict(
        json_schema_extra={"dependentRequired": {"corrects": ["why"], "why": ["corrects"]}}
    )

    # Omitted members are None; an explicit null is refused, as it is no event and no reason.
    corrects: EventId = Field(
        default=cast("str", None),
        description="`id` of the latest event of this kind, which this one corrects",
    )
    why: Reason = Field(
        default=cast("str", None), description="reason for the correction, required with `corrects`"
    )

    def model_post_init(self, _: Any) -> None:
        """Check that `corrects` and `why` are given together or not at all.

        Raises:
            InvalidInput: one of them is missing; the fault names it.
        """
        given = self.model_fields_set & {"corrects", "why"}
        if len(given) == 1:
            (missing,) = {"corrects", "why"} - given
            message = "is missing: a correction has both"
            raise InvalidInput([Fault((missing,), FieldCode.MISSING, message)])

    @property
    def correction(self) -> Correction | None:
        """The correction, if the body is one."""
        return (
            Correction(self.corrects, self.why) if self.model_fields_set >= {"corrects"} else None
        )


class OutcomeBody(_Correctable):
    """The true grade of a prediction."""

    grade: str

    @property
    def truth(self) -> Truth:
        """The true grade."""
        return self.grade


class ReviewBody(_Correctable):
    """A person's review of a prediction: a grade, a note and a name."""

    grade: str
    note: NoteText
    reviewer: PersonName

    @property
    def truth(self) -> Truth:
        """The reviewer's grade."""
        return self.grade


Finite = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]


class NumberOutcomeRequest(_Correctable):
    """The true number of a prediction, in the unit of what the bundle predicts."""

    value: Finite

    @property
    def truth(self) -> Truth:
        """The true number."""
        return self.value


class NumberReviewRequest(_Correctable):
    """A person's review of a prediction: a number, a note and a name."""

    value: Finite
    note: NoteText
    reviewer: PersonName

    @property
    def truth(self) -> Truth:
        """The reviewer's number."""
        return self.value


class AssignmentRequest(BaseModel):
    """The person who reviews a prediction; null for nobody."""

    model_config = STRICT

    reviewer: PersonName | None


class AssignedPrediction(BaseModel):
    """The person who reviews a prediction."""

    model_config = CLOSED

    id: str
    assignee: Annotated[str, Field(max_length=LONGEST_NAME)] | None


class Assigned(Struct, frozen=True):
    """The person who reviews a prediction."""

    id: str
    assignee: str | None


def feedback_routes(feedback: Feedback, targets: Sequence[Target], settings: Settings) -> APIRouter:
    """Create the routes, documented for the targets of the served bundles."""
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    access = Access(settings)
    most, seconds = settings.max_body_bytes, settings.body_seconds
    Options = Annotated[NoOptions, Query()]  # noqa: N806 - a type
    outcomes, judgements = outcome_requests(targets), review_requests(targets)
    numbers = [isinstance(target, NumberTarget) for target in targets]
    is_number = all(numbers)
    outcome_models: list[type[BaseModel]] = [NumberOutcome] * any(numbers)
    review_models: list[type[BaseModel]] = [NumberReview] * any(numbers)
    if not is_number:
        outcome_models.append(Outcome)
        review_models.append(Review)

    @router.put(
        "/predictions/{id}/outcome",
        summary="Record the true number" if is_number else "Record the true grade",
        **documented("recordOutcome", outcome_models, *outcomes),
    )
    async def outcome(request: Request, options: Options) -> Response:  # noqa: ARG001 - allows no parameters
        access.check_records(request)
        said = _read_fitting(outcomes, await read_body(request, most, seconds))
        prediction = request.path_params["id"]
        return json_response(await feedback.come_out(prediction, said.truth, said.correction))

    @router.post(
        "/reviews/{id}",
        summary="Record a review",
        **documented("reviewPrediction", review_models, *judgements),
    )
    async def review(request: Request, options: Options) -> Response:  # noqa: ARG001 - allows no parameters
        access.check_records(request)
        said = _read_fitting(judgements, await read_body(request, most, seconds))
        prediction = request.path_params["id"]
        return json_response(
            await feedback.review(prediction, said.truth, said.note, said.reviewer, said.correction)
        )

    @router.put(
        "/reviews/{id}/assignee",
        summary="Assign a prediction to a reviewer",
        **documented("assignPrediction", AssignedPrediction, AssignmentRequest),
    )
    async def assign(request: Request, options: Options) -> Response:  # noqa: ARG001 - allows no parameters
        access.check_records(request)
        said = read_json(AssignmentRequest, await read_body(request, most, seconds))
        prediction = request.path_params["id"]
        await feedback.assign(prediction, said.reviewer)
        return json_response(Assigned(prediction, said.reviewer))

    return router


OutcomeRequests = Sequence[type[OutcomeBody] | type[NumberOutcomeRequest]]
ReviewRequests = Sequence[type[ReviewBody] | type[NumberReviewRequest]]


def outcome_requests(targets: Sequence[Target]) -> OutcomeRequests:
    """Create the request bodies for what is true of a prediction: of a number, of classes."""
    return _requests(targets, NumberOutcomeRequest, OutcomeBody, "OutcomeRequest")


def review_requests(targets: Sequence[Target]) -> ReviewRequests:
    """Create the request bodies for a review of a prediction: of a number, of classes."""
    return _requests(targets, NumberReviewRequest, ReviewBody, "ReviewRequest")


def _requests(
    targets: Sequence[Target], number: type[OfNumber], classes: type[OfClasses], name: str
) -> list[type[OfNumber] | type[OfClasses]]:
    """Create the bodies that the targets need, that of a number first."""
    found: list[type[OfNumber] | type[OfClasses]] = []
    if any(isinstance(target, NumberTarget) for target in targets):
        found.append(number)
    if grade := _grade(targets):
        found.append(create_model(name, __base__=classes, grade=(grade, ...)))
    return found


def _grade(targets: Sequence[Target]) -> Any:
    """Create the type of a class of any of the targets; None if all of them are numbers."""
    lists = [one.classes for one in targets if isinstance(one, ClassTarget)]
    if not lists:
        return None
    classes = tuple(dict.fromkeys(chain.from_iterable(lists)))
    return grade_of(classes, "Grade" if all(one == classes for one in lists) else "AnyGrade")


def _read_fitting(models: Sequence[type[Said]], body: bytes) -> Said:
    """Read a body by the model that it is meant for: a number has a value, a class a grade."""
    *of_number, of_classes = models
    if not of_number:
        return read_json(of_classes, body)
    content = parse_json(body)
    is_number = isinstance(content, dict) and "value" in content
    return read_json(of_number[0] if is_number else of_classes, body)
