"""Detects duplicate members in JSON and normalizes names to one Unicode form."""

import json
from collections.abc import Iterable
from typing import Any, Final
from unicodedata import is_normalized, normalize

FORM: Final = "NFC"
"""Unicode form in which names are compared; macOS writes them decomposed (NFD)."""

Way = tuple[str | int, ...]


class _Members(dict[str, Any]):
    """The members of an object with a duplicate name, `twice`."""

    twice: str | None = None


def composed(name: str) -> str:
    """Normalize a name to the form in which names are compared."""
    return normalize(FORM, name)


def duplicate(body: bytes) -> Way | None:
    """Find the path to a duplicate member of a body, which must be valid JSON; None if none."""
    return _search(json.loads(body, object_pairs_hook=_members), ())


def with_composed_names(body: bytes) -> tuple[Any, Way | None] | None:
    """Parse a body with composed names.

    Args:
        body: valid JSON.

    Returns:
        The content, and the path to a name that is then a duplicate, if any; None if all names
        are composed already.
    """
    if b"\\u" not in body and is_normalized(FORM, body.decode()):
        return None
    # parse_int=float: Python refuses to parse integers of thousands of digits.
    content = json.loads(body, object_pairs_hook=_composed_members, parse_int=float)
    return content, _search(content, ())


def has_more_members(content: Any, most: int) -> bool:
    """Return whether a value has more than `most` members in all objects at any depth."""
    found, waiting = 0, [content]
    while waiting and found <= most:
        value = waiting.pop()
        if isinstance(value, dict):
            found += len(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found > most


def _composed_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return _members([(composed(name), value) for name, value in pairs])


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    doubled, seen = _Members(members), set[str]()
    for name, _ in pairs:
        if name in seen:
            doubled.twice = name
        seen.add(name)
    return doubled


def _search(value: Any, way: Way) -> Way | None:
    if isinstance(value, _Members) and value.twice is not None:
        return (*way, value.twice)
    found = (_search(inner, (*way, key)) for key, inner in _items(value) if inner)
    return next((path for path in found if path is not None), None)


def _items(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, list):
        return enumerate(value)
    return value.items() if isinstance(value, dict) else ()
