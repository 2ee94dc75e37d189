"""Models of what clients say of predictions and alarms. Members that are left out are None."""

from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from app.http.json_schema import grade_of
from app.usecases.feedback import Correction
from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.inputs.rows import STRICT

LONGEST_NAME, LONGEST_NOTE = 200, 4_000
"""Characters of a person's name and note."""
LONGEST_EVENT = 64
"""Characters of an event's identifier."""
WITHOUT_NUL = r"^[^\x00]+$"
"""What a column of text may hold."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=WITHOUT_NUL)]
Note = Annotated[str, StringConstraints(max_length=LONGEST_NOTE)]
EventId = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_EVENT)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NOTE)]


class _Correctable(BaseModel):
    model_config = STRICT | ConfigDict(
        json_schema_extra={"dependentRequired": {"corrects": ["why"], "why": ["corrects"]}}
    )

    # Left out they are None; null itself is refused, as it is no event and no reason.
    corrects: EventId = Field(
        default=cast("str", None), description="`id` of what was said last, where this corrects it"
    )
    why: Reason = Field(default=cast("str", None), description="of a correction, which needs it")

    def model_post_init(self, _: Any) -> None:
        """Check that both are given, or neither.

        Raises:
            InvalidInput: names what is missing.
        """
        given = self.model_fields_set & {"corrects", "why"}
        if len(given) == 1:
            (missing,) = {"corrects", "why"} - given
            message = "is missing: a correction has both"
            raise InvalidInput([Fault((missing,), FieldCode.MISSING, message)])

    @property
    def correction(self) -> Correction | None:
        """What it corrects, if anything."""
        return (
            Correction(self.corrects, self.why) if self.model_fields_set >= {"corrects"} else None
        )


class OutcomeBody(_Correctable):
    """The true grade."""

    grade: str


class ReviewBody(_Correctable):
    """A person's grade."""

    grade: str
    note: Note
    reviewer: Name


class AssignmentRequest(BaseModel):
    """Who looks at it; null for nobody."""

    model_config = STRICT

    reviewer: Name | None


class AlarmRequest(BaseModel):
    """Who says something of an alarm, and why."""

    model_config = STRICT

    name: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
    note: Note


def outcome_request(classes: tuple[str, ...]) -> type[OutcomeBody]:
    """The body that tells a true grade of these classes."""
    return create_model("OutcomeRequest", __base__=OutcomeBody, grade=(grade_of(classes), ...))


def review_request(classes: tuple[str, ...]) -> type[ReviewBody]:
    """The body that tells a person's grade of these classes."""
    return create_model("ReviewRequest", __base__=ReviewBody, grade=(grade_of(classes), ...))
