"""Builds the questions of a client from rows, mappings and data frames."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import json

from dubito.answer import AnyAnswer
from dubito.client.answers import answer_of
from dubito.client.exchange import Question, ServiceReply
from dubito.errors import UsageError
from dubito.features import INSTANCES, FeatureValue
from dubito.identifier import new_id

if TYPE_CHECKING:
    from pandas import DataFrame

ClientRow = Mapping[str, FeatureValue]
ROWS_AT_ONCE = 500
"""Rows of one request; more are asked for in several."""
JSON = {"Content-Type": "application/json"}
One = TypeVar("One")


def questions(
    path: str,
    rows: "Sequence[ClientRow] | DataFrame",
    options: Mapping[str, Any],
    reference: str | None,
    deadline: float | None,
) -> Iterator[Question]:
    """Yield the requests that ask about rows, each with an idempotency key of its own.

    Args:
        path: where they are asked about.
        rows: `N` mappings from names to values, or a data frame with a column for each feature.
        options: query parameters; those that are None are left out.
        reference: name of the case; None without one.
        deadline: seconds after which an answer is useless; the service computes nothing then.

    Raises:
        UsageError: there are no rows.
    """
    told = {name: _text(value) for name, value in options.items() if value is not None}
    if deadline is not None:
        told["deadline_ms"] = str(max(1, math.ceil(deadline * 1e3)))
    several = records_of(rows)
    if not several:
        raise UsageError("there are no rows to ask about")
    for start in range(0, len(several), ROWS_AT_ONCE):
        headers = {**JSON, "Idempotency-Key": new_id()}
        if reference is not None:
            headers["Dubito-Reference"] = reference
        content = json.encode({INSTANCES: several[start : start + ROWS_AT_ONCE]})
        yield Question("POST", path, told, headers, content)


def predictions_of(reply: ServiceReply) -> list[AnyAnswer]:
    """Read the answers about all rows of a request."""
    return [answer_of(one) for one in json.decode(reply.content)["predictions"]]


def records_of(rows: "Sequence[ClientRow] | DataFrame") -> list[dict[str, Any]]:
    """Return rows as JSON objects; what is not a number in a data frame is missing."""
    if isinstance(rows, Sequence):
        return [dict(row) for row in rows]
    found = rows.to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in found]


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it."""
    if hasattr(value, "item"):
        value = value.item()
    # Not a number, not a time and not available are all unequal to themselves, or to anything.
    is_missing = value is None or value != value or type(value).__name__ in ("NAType", "NaTType")
    return None if is_missing else value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
