"""Members of JSON objects: those given twice, and names in more than one Unicode spelling."""

import json
from collections.abc import Iterable
from typing import Any, Final
from unicodedata import is_normalized, normalize

FORM: Final = "NFC"
"""The form that names are compared in; macOS writes them decomposed (NFD)."""

Way = tuple[str | int, ...]


class _Members(dict[str, Any]):
    """An object that remembers the first name it was given twice."""

    twice: str | None = None


def composed(name: str) -> str:
    """A name in the form that names are compared in."""
    return normalize(FORM, name)


def duplicate(body: bytes) -> Way | None:
    """The way to a member that is given twice, or None. The body is known to be JSON."""
    return _search(json.loads(body, object_pairs_hook=_members), ())


def with_composed_names(body: bytes) -> tuple[Any, Way | None] | None:
    """The content with composed names, and the way to one that is then given twice.

    Args:
        body: known to be JSON; None is returned where all its names are composed already.
    """
    if b"\\u" not in body and is_normalized(FORM, body.decode()):
        return None
    # Numbers of thousands of digits are no integers to Python.
    content = json.loads(body, object_pairs_hook=_composed_members, parse_int=float)
    return content, _search(content, ())


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
