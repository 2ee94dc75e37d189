"""Builds the questions of a client from rows, mappings and data frames."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import MsgspecError, json

from dubito.answer import AnyAnswer
from dubito.client.answers import answer_of
from dubito.client.exchange import Question, ServiceReply
from dubito.client.problem import RequestUnanswered
from dubito.errors import UsageError
from dubito.features import INSTANCES, FeatureValue
from dubito.identifier import new_id
from dubito.inputs.options import MOST_AUTO_PASSES, MOST_DEADLINE
from dubito.inputs.text_types import AUTO

if TYPE_CHECKING:
    from pandas import DataFrame

ClientRow = Mapping[str, FeatureValue]
ROWS_AT_ONCE, BYTES_AT_ONCE, WORK = 500, 900_000, 1_000_000
"""Rows, bytes, and rows × passes of one request, more of which are asked for in several: what a
service takes unless its settings say less."""
JSON = {"Content-Type": "application/json"}


def questions(
    path: str,
    rows: "Sequence[ClientRow] | DataFrame",
    options: Mapping[str, Any],
    reference: str | None,
    end: float | None,
) -> Iterator[Question]:
    """Yield the requests that ask about rows, each with an idempotency key of its own.

    Args:
        path: where they are asked about.
        rows: `N` mappings from names to values, or a data frame with a column for each feature.
        options: query parameters; those that are None are left out.
        reference: name of the case; None without one.
        end: time, as `time.monotonic` tells it, after which an answer is useless; the service
            computes nothing then.

    Raises:
        UsageError: there are no rows, or a value is none that a feature can have.
    """
    told = {name: _text(value) for name, value in options.items() if value is not None}
    several = [_encoded(row) for row in records_of(rows)]
    if not several:
        raise UsageError("there are no rows to ask about")
    for part in _parts(several, _most_rows(options)):
        limit = {} if end is None else {"deadline_ms": _milliseconds(end - time.monotonic())}
        headers = {**JSON, "Idempotency-Key": new_id()}
        if reference is not None:
            is_plain = reference.isascii()
            headers["Dubito-Reference"] = reference if is_plain else f"utf-8''{quote(reference)}"
        content = b'{"%b":[%b]}' % (INSTANCES.encode(), b",".join(part))
        yield Question("POST", path, {**told, **limit}, headers, content)


def predictions_of(reply: ServiceReply) -> list[AnyAnswer]:
    """Read the answers about all rows of a request.

    Raises:
        RequestUnanswered: they are none of a service of Dubito.
    """
    try:
        return [answer_of(one) for one in json.decode(reply.content)["predictions"]]
    except (MsgspecError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise RequestUnanswered("what answers there is no service of Dubito") from error


def records_of(rows: "Sequence[ClientRow] | DataFrame") -> list[dict[str, Any]]:
    """Return rows as mappings; what is not a number in a data frame is missing.

    Raises:
        UsageError: they are neither mappings nor a data frame.
    """
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        found: Any = rows.to_dict("records")
    else:
        found = rows
    if not isinstance(found, Sequence) or not all(isinstance(row, Mapping) for row in found):
        raise UsageError("rows must be a list of mappings, or a data frame")
    return [{str(name): _plain(name, value) for name, value in row.items()} for row in found]


def _plain(name: object, value: Any) -> Any:
    """Return a value as JSON has it."""
    # Of pandas: neither is equal to anything, and one has no truth.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, list | tuple) or getattr(value, "ndim", False):
        return [_plain(name, one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        if math.isinf(value):
            raise UsageError(f"{name} is infinite")
        return None if math.isnan(value) else value
    return value


def _encoded(row: Mapping[str, Any]) -> bytes:
    try:
        return json.encode(row)
    except (TypeError, MsgspecError) as error:
        raise UsageError("a row has a value that JSON does not have") from error


def _parts(rows: Sequence[bytes], most: int) -> Iterator[Sequence[bytes]]:
    """Yield the rows of each request: as many as a service takes by default."""
    start = size = 0
    for at, row in enumerate(rows):
        if at > start and (at - start >= most or size + len(row) > BYTES_AT_ONCE):
            yield rows[start:at]
            start, size = at, 0
        size += len(row) + 1
    yield rows[start:]


def _most_rows(options: Mapping[str, Any]) -> int:
    passes = options.get("passes")
    if passes == AUTO:
        passes = options.get("max_passes") or MOST_AUTO_PASSES
    return ROWS_AT_ONCE if passes is None else max(1, min(ROWS_AT_ONCE, WORK // max(1, passes)))


def _milliseconds(seconds: float) -> str:
    return str(min(MOST_DEADLINE, max(1, math.ceil(seconds * 1e3))))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
