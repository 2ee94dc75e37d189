"""A JSON document from a bundle, read strictly."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from dubito.errors import BundleError
from dubito.printable import printable

MOST_LEVELS = 64
"""Of objects and lists within one another."""
MOST_DIGITS = 400
"""Of a whole number; more are beyond every double."""
LONGEST_NAME = 60
"""Letters of a name that a sentence repeats."""

Way = tuple[str | int, ...]
"""The names and positions that lead to a value."""


def strict_json(text: bytes, name: str) -> dict[str, Any]:
    """A JSON object without duplicate keys, NaN or infinity; `name` is what a fault calls it.

    Raises:
        BundleError: anything else, in a sentence that names the member.
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
    """Every value of a document and the way to it; an object or list comes before what it has."""
    waiting: list[tuple[Way, Any]] = [((), content)]
    while waiting:
        way, value = waiting.pop()
        yield way, value
        if isinstance(value, dict):
            waiting.extend(((*way, name), member) for name, member in value.items())
        elif isinstance(value, list):
            waiting.extend(((*way, position), member) for position, member in enumerate(value))


def named(way: Way) -> str:
    """A way as a sentence has it: `features.0.name`."""
    return ".".join(printable(str(part)[:LONGEST_NAME]) for part in way)


class _Twice(dict[str, Any]):
    """The members of an object in which one of them stands twice."""

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
    """Yield what no document may have, as parts of a sentence."""
    for way, value in walk(content):
        if len(way) > MOST_LEVELS:
            yield f"it is nested deeper than {MOST_LEVELS} levels"
        if isinstance(value, _Twice):
            yield f"{named((*way, value.name))} is there twice"
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{named(way)} is not a finite number"
        if not (_is_unicode(value) and _is_unicode(way[-1] if way else "")):
            yield f"{named(way)} has half a surrogate pair"


def _is_unicode(value: Any) -> bool:
    """Whether a text has no half of a surrogate pair; what is no text has none."""
    if not isinstance(value, str) or value.isascii():
        return True
    return not any("\ud800" <= letter <= "\udfff" for letter in value)
