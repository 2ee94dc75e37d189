"""Parameters of a request as the options of a prediction, of whatever type a client sends them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from app.inference.request import BINARY_OUTPUT, Parameters
from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.inputs.faults import MOST_FAULTS, to_fault
from dubito.inputs.options import MOST_DEADLINE
from dubito.inputs.text_types import DIGITS

REFERENCE, KEY = "reference", "idempotency_key"
"""Names that a client gives its case and its request, as the headers of the other routes do."""
MOST_TIMEOUT = 1_000 * MOST_DEADLINE
"""Longest time of a request, microseconds."""
TIMEOUT, DEADLINE = "timeout", "deadline_ms"
"""The protocol's time for a request in microseconds, and its name elsewhere, in milliseconds."""
OF_PROTOCOL = frozenset(
    {
        *(BINARY_OUTPUT, REFERENCE, KEY, TIMEOUT),
        *("sequence_id", "sequence_start", "sequence_end", "priority"),
        *("content_type", "headers", "triton_enable_empty_final_response"),
    }
)
"""Parameters that are no options: those above, and what clients send to any server, unread here."""


def options_of(model: type[BaseModel], parameters: Parameters, **more: str) -> Any:
    """Validate the parameters as those of a query are, by the options' model.

    Args:
        model: the options.
        parameters: the parameters: texts, numbers and truths.
        more: options that follow from the request, as texts.

    Raises:
        InvalidInput: a parameter is not valid, or is neither an option nor one of the protocol.
    """
    given: dict[str, Any] = {
        name: _text(name, value)
        for name, value in parameters.items()
        if name not in OF_PROTOCOL and value is not None
    }
    timeout = parameters.get(TIMEOUT)
    if timeout and DEADLINE in model.model_fields and DEADLINE not in given:
        given[DEADLINE] = _milliseconds(timeout)
    try:
        return model.model_validate(given | more)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
        raise InvalidInput(
            [to_fault(detail, ("parameters", *detail["loc"]), in_query=False) for detail in details]
        ) from None


def text_of(parameters: Mapping[str, Any], name: str, most: int) -> str | None:
    """Return a parameter that is a name, printable and of at most `most` characters; None without.

    Raises:
        InvalidInput: it is another value.
    """
    value = parameters.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable():
        message = f"must be a text of 1 to {most} printable characters"
        fault = Fault(
            ("parameters", name), FieldCode.NOT_PRINTABLE, message, minimum=1, maximum=most
        )
        raise InvalidInput([fault])
    return value


def _text(name: str, value: Any) -> str:
    """Write a parameter as a query would: 100 and 100.0 alike, and true."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return np.format_float_positional(value, trim="-")
    fault = Fault(("parameters", name), FieldCode.NOT_VALID, "must be a text, a number or a truth")
    raise InvalidInput([fault])


def _milliseconds(timeout: Any) -> str:
    text = _text(TIMEOUT, timeout)
    if isinstance(timeout, bool) or not DIGITS.fullmatch(text) or int(text) > MOST_TIMEOUT:
        message = f"must be a whole number of microseconds, at most {MOST_TIMEOUT:,}"
        fault = Fault(("parameters", TIMEOUT), FieldCode.NOT_WHOLE, message, maximum=MOST_TIMEOUT)
        raise InvalidInput([fault])
    return str(max(1, int(text) // 1_000))
