"""Faults of an input, from the errors that Pydantic reports about it, in words of our own.

Nothing that was given is repeated, except the names of members and parameters, cut short.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from dubito.errors import Fault, FieldCode
from dubito.inputs.text_types import OWN

MOST_FAULTS = 20
"""Faults that are told of one input."""
LONGEST_NAME = 64
"""Characters of a name that are shown."""


@dataclass(frozen=True, slots=True)
class Words:
    """How a kind of error of Pydantic's is told."""

    code: FieldCode
    message: str


OBJECT = Words(FieldCode.NOT_AN_OBJECT, "must be an object")
LIST = Words(FieldCode.NOT_A_LIST, "must be a list")
TEXT = Words(FieldCode.NOT_A_TEXT, "must be a text")
NUMBER = Words(FieldCode.NOT_A_NUMBER, "must be a number")
WHOLE = Words(FieldCode.NOT_WHOLE, "must be a whole number")
FLAG = Words(FieldCode.NOT_TRUE_OR_FALSE, "must be true or false")
WORDS = {
    "missing": Words(FieldCode.MISSING, "is missing"),
    "extra_forbidden": Words(FieldCode.UNKNOWN, "is not known"),
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": Words(FieldCode.NOT_FINITE, "must be a finite number"),
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_parsing_size": WHOLE,
    "int_from_float": WHOLE,
    "bool_type": FLAG,
    "bool_parsing": FLAG,
    "string_type": TEXT,
    "string_unicode": TEXT,
    "string_pattern_mismatch": Words(FieldCode.WRONG_FORM, "is not of the form that was given out"),
    "list_type": LIST,
    "dict_type": OBJECT,
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "dataclass_type": OBJECT,
    "string_too_short": Words(
        FieldCode.TEXT_TOO_SHORT, "must have at least {min_length} character{s}"
    ),
    "string_too_long": Words(
        FieldCode.TEXT_TOO_LONG, "must have at most {max_length} character{s}"
    ),
    "too_short": Words(FieldCode.TOO_FEW_ITEMS, "must have at least {min_length} item{s}"),
    "too_long": Words(FieldCode.TOO_MANY_ITEMS, "must have at most {max_length} item{s}"),
}
"""Own words for Pydantic's kinds of error."""
SAID = {
    "greater_than": FieldCode.TOO_SMALL,
    "greater_than_equal": FieldCode.TOO_SMALL,
    "less_than": FieldCode.TOO_LARGE,
    "less_than_equal": FieldCode.TOO_LARGE,
    "literal_error": FieldCode.NOT_ONE_OF,
}
"""Codes of kinds whose own message says `Input should be …`, and the bound as it was written."""
MINIMA, MAXIMA = ("ge", "gt", "min_length"), ("le", "lt", "max_length")
"""Names of a field's own bounds in the context of an error."""


def field_of(fault: Fault) -> str:
    """The name of what is wrong: the last name on the way to it."""
    names = [part for part in fault.where if isinstance(part, str)]
    return shown(names[-1]) if names else "body"


def shown(name: str) -> str:
    """A name a client may have chosen, fit to be shown: short and printable."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name[:LONGEST_NAME])
    return text if len(name) <= LONGEST_NAME else f"{text}…"


def faults_of(details: Sequence[ErrorDetails], *, in_query: bool = False) -> list[Fault]:
    """Pydantic's errors about a body or a query as faults."""
    return [fault_of(error, tuple(error["loc"]), in_query=in_query) for error in details]


def fault_of(error: ErrorDetails, where: tuple[str | int, ...], *, in_query: bool) -> Fault:
    """One of Pydantic's errors as a fault."""
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
    """What is wrong, for programs; a kind of this house brings its code."""
    kind = error["type"]
    if kind in WORDS:
        return WORDS[kind].code
    if kind == OWN:
        return FieldCode(error["ctx"]["code"])
    return SAID.get(kind, FieldCode.NOT_VALID)


def message_of(error: ErrorDetails) -> str:
    """What is wrong, to stand behind the field's name; a kind of this house brings its words."""
    kind, said = error["type"], error["msg"]
    if kind in WORDS:
        return _filled(WORDS[kind].message, error.get("ctx", {}))
    if kind in SAID:
        return said.replace("Input should be", "must be")
    return said if kind == OWN else "is not valid"


def _filled(words: str, context: dict[str, Any]) -> str:
    """Words with the number they speak of, if any, which is never a client's."""
    most = context.get("max_length", context.get("min_length"))
    return words.format(**context, s=plural(most)) if "{" in words else words


def _named(context: Mapping[str, Any], names: Sequence[str]) -> Any:
    """A bound that an error's context has by one of some names."""
    return next((context[name] for name in names if name in context), None)


def plural(count: float | None) -> str:
    """The ending of a noun behind a number."""
    return "" if count == 1 else "s"
