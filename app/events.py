"""What is remembered: events, as they travel between the edge and the records.

An event never changes. What is personal in it stands apart, so that it can be erased later.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

MICROSECONDS = 1_000_000
"""In a second; times here are microseconds since 1970, UTC."""
Kind = Literal["prediction", "outcome", "review", "erasure"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a prediction."""

    kind: Kind
    prediction: str
    """Identifier of the prediction; empty for an erasure, which names its own."""
    time: int
    body: bytes
    """JSON in which nobody can be recognised."""
    personal: bytes | None = None
    """JSON that may be erased: features, the client's reference, a reviewer's words."""
    reference: str | None = None
    """The client's own name of the case, by which it may be erased; in `personal` as well."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A request that named a key, and what it was answered."""

    key: str
    request: bytes
    """SHA-256 of what was asked: the same key with another request is a mistake."""
    prediction: str
    """Identifier of the first prediction in it."""
    time: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be remembered of one request, all of it or nothing."""

    events: tuple[Event, ...]
    reply: Reply | None = None


def now() -> int:
    """The time."""
    return time.time_ns() // 1_000


def moment(at: int) -> str:
    """A time as ISO 8601."""
    return datetime.fromtimestamp(at / MICROSECONDS, UTC).isoformat()
