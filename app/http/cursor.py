"""Cursors of paginated lists: the value a list is ordered by, and a prediction's identifier.

Every text of the pattern is a valid cursor; the cursor of another list is a position in this one.
"""

from app.record_events import ListPosition

PLACE = (
    r"^([0-9]{1,16}(\.[0-9]{1,20})?(e-[0-9]{1,3})?|x([0-9a-f]{2}){0,800})"
    r"_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
)
"""Pattern of a cursor: a number, or the UTF-8 of a text in hexadecimal, then `_` and an
identifier."""


def encode_cursor(place: ListPosition) -> str:
    """Write a position as a cursor that the client sends back."""
    value, prediction = place
    text = f"x{value.encode().hex()}" if isinstance(value, str) else repr(value)
    return f"{text}_{prediction}"


def number_place(text: str) -> ListPosition:
    """Read the position in a list that is ordered by numbers."""
    value, _, prediction = text.partition("_")
    return (0.0 if value.startswith("x") else float(value)), prediction


def text_place(text: str) -> ListPosition:
    """Read the position in a list that is ordered by texts."""
    value, _, prediction = text.partition("_")
    if not value.startswith("x"):
        return value, prediction
    # Not every database accepts a NUL character in a text.
    return bytes.fromhex(value[1:]).decode(errors="replace").replace("\0", ""), prediction
