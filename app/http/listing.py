"""What lists of predictions have in common: which are shown, how many, and behind what."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from app.http.cursor import PLACE
from app.http.feedback_models import WITHOUT_NUL
from dubito.inputs.text_types import digits, microseconds
from dubito.types import MAX_SEED

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


class ListOptions(BaseModel):
    """Which predictions are listed, whatever the list is of."""

    model_config = CLOSED

    reason: words("Referred for this reason.") = None  # type: ignore[valid-type]
    grade: words("With this grade of the network.") = None  # type: ignore[valid-type]
    version: Annotated[
        Number | None,
        Field(description="Answered by this version."),
        WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_SEED}),
    ] = None
    since: Annotated[Moment, Field(description="From this time on, ISO 8601 with its zone.")] = None
    until: Annotated[Moment, Field(description="Before this time.")] = None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED), BeforeValidator(digits)] = LISTED
    after: After = None
