"""Spelling of query parameters: plain digits and words, where Pydantic alone would take more."""

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
"""The kind of every error that is told in words of ours."""
AUTO: Literal["auto"] = "auto"


def wrong(code: FieldCode, message: str) -> PydanticCustomError:
    """An error that Pydantic tells in these words."""
    return PydanticCustomError(OWN, "{message}", {"message": message, "code": code})


def digits(text: Any) -> Any:
    """Plain decimal digits; Pydantic alone would take `1_000` and ` 7 ` as well."""
    if isinstance(text, str) and not DIGITS.fullmatch(text):
        raise wrong(FieldCode.NOT_WHOLE, "must be a whole number in plain digits")
    return text


def digits_or_auto(text: Any, number: Callable[[Any], int]) -> int | Literal["auto"]:
    """The word `auto`, or a number in plain digits that `number` then checks."""
    if text == AUTO:
        return AUTO
    if isinstance(text, str) and not DIGITS.fullmatch(text):
        message = "must be a whole number in plain digits, or auto"
        raise wrong(FieldCode.NOT_WHOLE, message)
    return number(text)


def decimal(text: Any) -> Any:
    """Plain digits with a point; Pydantic alone would take `1e-2`, `nan` and ` .5` as well."""
    if isinstance(text, str) and not DECIMAL.fullmatch(text):
        raise wrong(FieldCode.NOT_A_NUMBER, "must be a number in plain digits")
    return text


def instant(text: Any) -> Any:
    """A date and time of ISO 8601 with its zone, from 1970 to 2999."""
    try:
        if isinstance(text, str) and INSTANT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise wrong(FieldCode.NOT_A_TIME, TIME)


def microseconds(text: Any) -> int:
    """The same of any year as microseconds since 1970; what is earlier is 1970."""
    try:
        found = datetime.fromisoformat(text)
        if "T" in text and found.tzinfo is not None:
            return max(0, (found - EPOCH) // timedelta(microseconds=1))
    except (TypeError, ValueError):
        pass
    raise wrong(FieldCode.NOT_A_TIME, TIME)


def one_of(targets: list[float]) -> Callable[[Any], Any]:
    """Check that a number is one of a table, which is told if it is not."""
    known = ", ".join(map(str, targets))

    def check(text: Any) -> float:
        if isinstance(text, str) and DECIMAL.fullmatch(text) and float(text) in targets:
            return float(text)
        raise wrong(FieldCode.NOT_ONE_OF, f"must be one of {known}")

    return check


def word(text: Any) -> Any:
    """True or false, in these words."""
    if isinstance(text, str) and text not in WORDS:
        raise wrong(FieldCode.NOT_TRUE_OR_FALSE, "must be true or false")
    return WORDS[text] if isinstance(text, str) else text
