"""Places in lists, as clients give them back to go on: what is ordered by, and an identifier.

Every text of the form is a place; one of another list is one of this list as well, somewhere.
"""

from app.record_events import Place

PLACE = (
    r"^([0-9]{1,16}(\.[0-9]{1,20})?(e-[0-9]{1,3})?|x([0-9a-f]{2}){0,800})"
    r"_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
)
"""A number or the UTF-8 of a text in hexadecimal digits, and an identifier."""


def told(place: Place) -> str:
    """A place, for the client to give back."""
    value, prediction = place
    text = f"x{value.encode().hex()}" if isinstance(value, str) else repr(value)
    return f"{text}_{prediction}"


def number_place(text: str) -> Place:
    """The place in a list that is ordered by numbers."""
    value, _, prediction = text.partition("_")
    return (0.0 if value.startswith("x") else float(value)), prediction


def text_place(text: str) -> Place:
    """The place in a list that is ordered by texts."""
    value, _, prediction = text.partition("_")
    if not value.startswith("x"):
        return value, prediction
    # No database takes a zero in a text.
    return bytes.fromhex(value[1:]).decode(errors="replace").replace("\0", ""), prediction
