"""Converts Pydantic's validation errors to faults, with stable codes and messages.

Faults repeat nothing of the input except the names of members and parameters, shortened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from dubito.errors import Fault, FieldCode
from dubito.inputs.text_types import OWN

MOST_FAULTS = 20
"""Most faults reported for one input."""


@dataclass(frozen=True, slots=True)
class FaultWording:
    """Code and message that replace Pydantic's, for one type of error."""

    code: FieldCode
    message: str


OBJECT = FaultWording(FieldCode.NOT_AN_OBJECT, "must be an object")
LIST = FaultWording(FieldCode.NOT_A_LIST, "must be a list")
TEXT = FaultWording(FieldCode.NOT_A_TEXT, "must be a text")
NUMBER = FaultWording(FieldCode.NOT_A_NUMBER, "must be a number")
WHOLE = FaultWording(FieldCode.NOT_WHOLE, "must be a whole number")
FLAG = FaultWording(FieldCode.NOT_TRUE_OR_FALSE, "must be true or false")
WORDS = {
    "missing": FaultWording(FieldCode.MISSING, "is missing"),
    "extra_forbidden": FaultWording(FieldCode.UNKNOWN, "is not known"),
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": FaultWording(FieldCode.NOT_FINITE, "must be a finite number"),
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_parsing_size": WHOLE,
    "int_from_float": WHOLE,
    "bool_type": FLAG,
    "bool_parsing": FLAG,
    "string_type": TEXT,
    "string_unicode": TEXT,
    "string_pattern_mismatch": FaultWording(
        FieldCode.WRONG_FORM, "is not of the form that was given out"
    ),
    "list_type": LIST,
    "dict_type": OBJECT,
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "dataclass_type": OBJECT,
    "string_too_short": FaultWording(
        FieldCode.TEXT_TOO_SHORT, "must have at least {min_length} character{s}"
    ),
    "string_too_long": FaultWording(
        FieldCode.TEXT_TOO_LONG, "must have at most {max_length} character{s}"
    ),
    "too_short": FaultWording(FieldCode.TOO_FEW_ITEMS, "must have at least {min_length} item{s}"),
    "too_long": FaultWording(FieldCode.TOO_MANY_ITEMS, "must have at most {max_length} item{s}"),
}
"""Replacements by Pydantic's type of error."""
SAID = {
    "greater_than": FieldCode.TOO_SMALL,
    "greater_than_equal": FieldCode.TOO_SMALL,
    "less_than": FieldCode.TOO_LARGE,
    "less_than_equal": FieldCode.TOO_LARGE,
    "multiple_of": FieldCode.NOT_A_MULTIPLE,
    "literal_error": FieldCode.NOT_ONE_OF,
}
"""Codes of types whose own message, `Input should be …` with the bound, is reused."""
MINIMA, MAXIMA = ("ge", "gt", "min_length"), ("le", "lt", "max_length")
"""Keys of a field's bounds in the context of an error: (minima, maxima)."""


def faults_of(details: Sequence[ErrorDetails], *, in_query: bool = False) -> list[Fault]:
    """Convert Pydantic's errors about a body or a query."""
    return [to_fault(error, tuple(error["loc"]), in_query=in_query) for error in details]


def to_fault(error: ErrorDetails, where: tuple[str | int, ...], *, in_query: bool) -> Fault:
    """Convert one of Pydantic's errors to a fault at the path `where`."""
    context = error.get("ctx", {})
    return Fault(
        where,
        code_of(error),
        message_of(error),
        in_query=in_query,
        minimum=_named(context, MINIMA),
        maximum=_named(context, MAXIMA),
    )


def code_of(error: ErrorDetails) -> FieldCode:
    """Return the code of an error; errors that Dubito raised carry theirs."""
    kind = error["type"]
    if kind in WORDS:
        return WORDS[kind].code
    if kind == OWN:
        return FieldCode(error["ctx"]["code"])
    return SAID.get(kind, FieldCode.NOT_VALID)


def message_of(error: ErrorDetails) -> str:
    """Return the message of an error, which follows the field's name; Dubito's own unchanged."""
    kind, said = error["type"], error["msg"]
    if kind in WORDS:
        return _filled(WORDS[kind].message, error.get("ctx", {}))
    if kind in SAID:
        return said.replace("Input should be", "must be")
    return said if kind == OWN else "is not valid"


def _filled(words: str, context: dict[str, Any]) -> str:
    """Insert the bound, which never comes from the client, into a message that refers to it."""
    most = context.get("max_length", context.get("min_length"))
    return words.format(**context, s=plural(most)) if "{" in words else words


def _named(context: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the bound that an error's context has under one of some keys; None without."""
    return next((context[name] for name in names if name in context), None)


def plural(count: float | None) -> str:
    """Return the plural ending of a noun after a number."""
    return "" if count == 1 else "s"
