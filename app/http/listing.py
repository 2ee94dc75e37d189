"""Query parameters shared by all lists of predictions: filters, limit and cursor."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from app.http.cursor import PLACE
from app.http.json_schema import CLOSED, WITHOUT_NUL
from dubito.inputs.text_types import digits, microseconds
from dubito.types import MAX_SEED

MOST_LISTED, LISTED = 500, 50
LONGEST_WORD = 200
"""Maximum characters of a filter's text."""
Word = Annotated[str, Field(min_length=1, max_length=LONGEST_WORD, pattern=WITHOUT_NUL)]
Moment = Annotated[
    int | None,
    BeforeValidator(microseconds),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Number = Annotated[int, Field(ge=1, le=MAX_SEED), BeforeValidator(digits)]
After = Annotated[
    str | None,
    Field(pattern=PLACE, description="Cursor: `next` of the previous page."),
    WithJsonSchema({"type": "string", "pattern": PLACE}),
]


def words(description: str) -> Any:
    """Create the type of an optional text parameter with a description."""
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_WORD, "pattern": WITHOUT_NUL}
    return Annotated[Word | None, Field(description=description), WithJsonSchema(schema)]


class ListOptions(BaseModel):
    """Filters, limit and cursor of a list of predictions."""

    model_config = CLOSED

    reason: words("Only predictions referred for this reason.") = None  # type: ignore[valid-type]
    grade: words("Only predictions with this grade of the network.") = None  # type: ignore[valid-type]
    model: words("Only predictions of the bundle with this name.") = None  # type: ignore[valid-type]
    version: Annotated[
        Number | None,
        Field(description="Only predictions of this version of the bundle."),
        WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_SEED}),
    ] = None
    since: Annotated[
        Moment, Field(description="Only predictions from this time on, ISO 8601 with a time zone.")
    ] = None
    until: Annotated[
        Moment, Field(description="Only predictions before this time, ISO 8601 with a time zone.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED), BeforeValidator(digits)] = LISTED
    after: After = None
