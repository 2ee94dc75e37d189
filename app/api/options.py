"""Query parameters: known, given once, written plainly."""

import re
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model
from pydantic_core import PydanticCustomError

from app.errors import Fault, InvalidInput
from app.values import MAX_SEED

DIGITS = re.compile(r"(0|[1-9][0-9]{0,18})", re.ASCII)
MOST_PARAMETERS = 20
WORDS = {"true": True, "false": False}


class NoOptions(BaseModel):
    """No query parameter is known."""

    model_config = ConfigDict(extra="forbid")


class MonteCarloOptions(BaseModel):
    """How a Monte-Carlo answer is drawn."""

    model_config = ConfigDict(extra="forbid")

    passes: int
    seed: int | None
    draws: bool


def monte_carlo_options(default_passes: int, most_passes: int) -> type[MonteCarloOptions]:
    """The options of a bundle, with its default and the service's limit."""
    passes = Field(
        ge=1, le=most_passes, description="Stochastic passes a row (at most DUBITO_MAX_PASSES)."
    )
    seed = Field(
        ge=0,
        le=MAX_SEED,
        description="Repeats an answer to the last bit. Without it a fresh one is drawn and told.",
    )
    # Pydantic would write the bounds of a number that may be absent in a form no schema knows.
    shown = WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_SEED})
    draws = Field(description="Also answer every pass: at most 100,000 numbers.")
    return create_model(
        "MonteCarloOptionsOfBundle",
        __base__=MonteCarloOptions,
        passes=(Annotated[int, passes, BeforeValidator(_digits)], default_passes),
        seed=(Annotated[int | None, seed, BeforeValidator(_digits), shown], None),
        draws=(Annotated[bool, draws, BeforeValidator(_word)], False),
    )


async def once(request: Request) -> None:
    """Refuse a parameter that is given more than once.

    Raises:
        InvalidInput: names the parameter.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if len(names) > MOST_PARAMETERS:
        raise InvalidInput([Fault(("query",), "has too many parameters", in_query=True)])
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput([Fault((name,), "is given more than once", in_query=True)])


def _digits(text: Any) -> Any:
    """Plain decimal digits; Pydantic alone would take `1_000` and ` 7 ` as well."""
    if isinstance(text, str) and not DIGITS.fullmatch(text):
        raise PydanticCustomError("plain_integer", "must be a whole number in plain digits")
    return text


def _word(text: Any) -> Any:
    if isinstance(text, str) and text not in WORDS:
        raise PydanticCustomError("plain_boolean", "must be true or false")
    return WORDS[text] if isinstance(text, str) else text
