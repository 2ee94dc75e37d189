"""Request bodies for outcomes, reviews, assignments and alarms; omitted members are None."""

from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from app.http.json_schema import grade_of
from app.usecases.feedback import Correction
from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.inputs.rows import STRICT

LONGEST_NAME, LONGEST_NOTE = 200, 4_000
"""Maximum characters of a person's name and of a note."""
LONGEST_EVENT = 64
"""Maximum characters of an event's identifier."""
WITHOUT_NUL = r"^[^\x00]+$"
"""Pattern of texts without NUL, which a database column cannot store."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=WITHOUT_NUL)]
Note = Annotated[str, StringConstraints(max_length=LONGEST_NOTE)]
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


class ReviewBody(_Correctable):
    """A person's review of a prediction: a grade, a note and a name."""

    grade: str
    note: Note
    reviewer: Name


class AssignmentRequest(BaseModel):
    """The person who reviews a prediction; null for nobody."""

    model_config = STRICT

    reviewer: Name | None


class AlarmRequest(BaseModel):
    """The person who acknowledges or restarts an alarm, and why."""

    model_config = STRICT

    name: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
    note: Note


def outcome_request(classes: tuple[str, ...]) -> type[OutcomeBody]:
    """Create the request body for a true grade of these classes."""
    return create_model("OutcomeRequest", __base__=OutcomeBody, grade=(grade_of(classes), ...))


def review_request(classes: tuple[str, ...]) -> type[ReviewBody]:
    """Create the request body for a review with a grade of these classes."""
    return create_model("ReviewRequest", __base__=ReviewBody, grade=(grade_of(classes), ...))
