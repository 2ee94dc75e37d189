"""Strict parsing of query parameters: plain digits and words, where Pydantic accepts more."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic_core import PydanticCustomError

from dubito.errors import FieldCode

DIGITS = re.compile(r"(0|[1-9][0-9]{0,18})", re.ASCII)
DECIMAL = re.compile(r"(0|[1-9][0-9]{0,18})(\.[0-9]{1,30})?", re.ASCII)
INSTANT = re.compile(
    r"(19[7-9][0-9]|2[0-9]{3})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
WORDS = {"true": True, "false": False}
TIME = (
    "must be a date and time with its zone, as 2026-11-28T09:00:00Z; the + of a zone is written %2B"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OWN = "own"
"""Pydantic type of the errors that carry Dubito's own code and message."""
AUTO: Literal["auto"] = "auto"


def wrong(code: FieldCode, message: str) -> PydanticCustomError:
    """Build an error with this code and message for Pydantic to report."""
    return PydanticCustomError(OWN, "{message}", {"message": message, "code": code})


def digits(text: Any) -> Any:
    """Check for plain decimal digits; Pydantic alone would accept `1_000` and ` 7 `."""
    if isinstance(text, str) and not DIGITS.fullmatch(text):
        raise wrong(FieldCode.NOT_WHOLE, "must be a whole number in plain digits")
    return text


def digits_or_auto(text: Any, number: Callable[[Any], int]) -> int | Literal["auto"]:
    """Parse the word `auto`, or a number in plain digits, which `number` then validates."""
    if text == AUTO:
        return AUTO
    if isinstance(text, str) and not DIGITS.fullmatch(text):
        message = "must be a whole number in plain digits, or auto"
        raise wrong(FieldCode.NOT_WHOLE, message)
    return number(text)


def decimal(text: Any) -> Any:
    """Check for digits with a decimal point; Pydantic alone accepts `1e-2`, `nan` and ` .5`."""
    if isinstance(text, str) and not DECIMAL.fullmatch(text):
        raise wrong(FieldCode.NOT_A_NUMBER, "must be a number in plain digits")
    return text


def instant(text: Any) -> Any:
    """Parse an ISO 8601 date and time with a zone, from 1970 to 2999."""
    try:
        if isinstance(text, str) and INSTANT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise wrong(FieldCode.NOT_A_TIME, TIME)


def microseconds(text: Any) -> int:
    """Parse a date and time of any year with a zone to microseconds since 1970, at least 0."""
    try:
        found = datetime.fromisoformat(text)
        if "T" in text and found.tzinfo is not None:
            return max(0, (found - EPOCH) // timedelta(microseconds=1))
    except (TypeError, ValueError):
        pass
    raise wrong(FieldCode.NOT_A_TIME, TIME)


def one_of(targets: list[float]) -> Callable[[Any], Any]:
    """Return a parser that accepts the numbers of a table; its error lists them."""
    known = ", ".join(map(str, targets))

    def check(text: Any) -> float:
        if isinstance(text, str) and DECIMAL.fullmatch(text) and float(text) in targets:
            return float(text)
        raise wrong(FieldCode.NOT_ONE_OF, f"must be one of {known}")

    return check


def word(text: Any) -> Any:
    """Parse the words `true` and `false`."""
    if isinstance(text, str) and text not in WORDS:
        raise wrong(FieldCode.NOT_TRUE_OR_FALSE, "must be true or false")
    return WORDS[text] if isinstance(text, str) else text
