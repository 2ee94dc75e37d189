"""Strict JSON parsing for a bundle's files: no duplicate keys, NaN, infinity or deep nesting."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from dubito.errors import BundleError
from dubito.printable import printable

MOST_LEVELS = 64
"""Deepest nesting of objects and lists."""
MOST_DIGITS = 400
"""Most digits of a whole number; a longer one exceeds every double."""
LONGEST_NAME = 60
"""Most characters of a name that a message repeats."""

Way = tuple[str | int, ...]
"""Path to a value: names of members and positions in lists."""


def strict_json(text: bytes, name: str) -> dict[str, Any]:
    """Parse a JSON object without duplicate keys, NaN or infinity.

    Args:
        text: UTF-8, with or without a byte order mark.
        name: name of the document in messages.

    Raises:
        BundleError: the text is anything else; the message names the member.
    """
    try:
        content = json.loads(
            text.decode("utf-8-sig"),
            object_pairs_hook=_members,
            parse_constant=float,
            parse_int=_whole,
        )
    except RecursionError as error:
        raise BundleError(f"{name} is not valid JSON: it is nested too deeply") from error
    except ValueError as error:
        raise BundleError(f"{name} is not valid JSON") from error
    if not isinstance(content, dict):
        raise BundleError(f"{name} is not a JSON object")
    fault = next(_faults(content), None)
    if fault is not None:
        raise BundleError(f"{name} is not valid JSON: {fault}")
    return content


def walk(content: Any) -> Iterator[tuple[Way, Any]]:
    """Yield every value of a document after its path; containers come before their members."""
    waiting: list[tuple[Way, Any]] = [((), content)]
    while waiting:
        way, value = waiting.pop()
        yield way, value
        if isinstance(value, dict):
            waiting.extend(((*way, name), member) for name, member in value.items())
        elif isinstance(value, list):
            waiting.extend(((*way, position), member) for position, member in enumerate(value))


def named(way: Way) -> str:
    """Format a path for a message, as in `features.0.name`."""
    return ".".join(printable(str(part)[:LONGEST_NAME]) for part in way)


class _Twice(dict[str, Any]):
    """The members of an object with a duplicate key, `name`."""

    name: str


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    found = _Twice(members)
    counts = Counter(name for name, _ in pairs)
    found.name = next(name for name, count in counts.items() if count > 1)
    return found


def _whole(text: str) -> int | float:
    return int(text) if len(text) <= MOST_DIGITS else math.inf


def _faults(content: dict[str, Any]) -> Iterator[str]:
    """Yield faults of a parsed document, as parts of a sentence."""
    for way, value in walk(content):
        if len(way) > MOST_LEVELS:
            yield f"it is nested deeper than {MOST_LEVELS} levels"
        if isinstance(value, _Twice):
            yield f"{named((*way, value.name))} is given twice"
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{named(way)} is not a finite number"
        if not (_is_unicode(value) and _is_unicode(way[-1] if way else "")):
            yield f"{named(way)} has half a surrogate pair"


def _is_unicode(value: Any) -> bool:
    """Return whether a value can be encoded in Unicode: False for texts with a lone surrogate."""
    if not isinstance(value, str) or value.isascii():
        return True
    return not any("\ud800" <= letter <= "\udfff" for letter in value)
