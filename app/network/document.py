"""A JSON document from a bundle, read strictly."""

import json
import math
from typing import Any

from app.errors import BundleError


def strict_json(text: bytes, name: str) -> dict[str, Any]:
    """A JSON object without duplicate keys, NaN or infinity; `name` is what a fault calls it.

    Raises:
        BundleError: anything else.
    """
    try:
        content = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_finite,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is not valid JSON") from error
    if not isinstance(content, dict):
        raise BundleError(f"{name} is not a JSON object")
    return content


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key")
    return members


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value
