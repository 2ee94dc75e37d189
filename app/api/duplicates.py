"""Members given twice in one JSON object, also when one of them is written with escapes."""

import json
from collections.abc import Iterable
from typing import Any


class _Members(dict[str, Any]):
    """An object that remembers the first name it was given twice."""

    twice: str | None = None


def duplicate(body: bytes) -> tuple[str | int, ...] | None:
    """The way to a member that is given twice, or None. The body is known to be JSON."""
    return _search(json.loads(body, object_pairs_hook=_members), ())


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


def _search(value: Any, way: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    if isinstance(value, _Members) and value.twice is not None:
        return (*way, value.twice)
    found = (_search(inner, (*way, key)) for key, inner in _items(value) if inner)
    return next((path for path in found if path is not None), None)


def _items(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, list):
        return enumerate(value)
    return value.items() if isinstance(value, dict) else ()
