"""Places in lists, as clients give them back to go on: what is ordered by, and an identifier."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from app.api.identifier import is_id
from app.errors import Fault, FieldCode, InvalidInput
from app.events import Place

PLACE = r"^[A-Za-z0-9_-]{1,2000}$"
"""Base64 for addresses (RFC 4648 §5), without padding."""


def told(place: Place) -> str:
    """A place, for the client to give back."""
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(text: str) -> Place:
    """The place that a client gave back.

    Raises:
        InvalidInput: it is none that was given out.
    """
    try:
        value, prediction = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (Error, TypeError, ValueError):
        raise _unknown() from None
    is_known = isinstance(value, int | float | str) and isinstance(prediction, str)
    if not (is_known and is_id(prediction)):
        raise _unknown()
    return value, prediction


def _unknown() -> InvalidInput:
    message = "is not of the form that was given out"
    return InvalidInput([Fault(("after",), FieldCode.WRONG_FORM, message, in_query=True)])
