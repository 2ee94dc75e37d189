"""Types of recorded data: events, entries and queries exchanged with the record store.

An event never changes. Its personal data is stored in a separate part, so that it can be erased
later.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from app.count_keys import Counts
from app.recorded_prediction import Asked
from dubito.answer import (
    MonteCarloAnswer,
    MonteCarloNumberAnswer,
    PlainAnswer,
    PlainNumberAnswer,
)

FORMAT = 1
"""Version of the events' format; events older than this number carry none."""
MICROSECONDS = 1_000_000
"""Microseconds in a second; times in this module are microseconds since 1970, UTC, unless stated
otherwise."""
MINUTE, HOUR = 60, 3_600
"""Time spans of the counts, seconds."""
MINUTES_KEPT = 8 * 86_400
"""Age in seconds at which counts by the minute are deleted; counts by the hour stay."""
DIGEST_DIGITS = 20
"""Hexadecimal digits of a bundle's digest in the identifier of its alarms, as many as fit the
database column."""
ClassFeedback = Literal["outcome", "review"]
"""Kinds of events that name a class: the true one, or a reviewer's."""
FeedbackKind = Literal[ClassFeedback, "assignment"]
"""Kinds of events that a person or a system adds to a prediction; its history lists them."""
AlarmStatement = Literal["acknowledgement", "beginning"]
"""Kinds of statements that a person may make about an alarm."""
EventKind = Literal["prediction", FeedbackKind, "disagreement", "erasure", "key", AlarmStatement]
Order = Literal["oldest", "newest", "doubtful", "reference"]
"""Orders of the review queue and of search results."""
ReviewState = Literal["waiting", "decided"]
"""States of a prediction in the review queue."""
QueueStep = Literal["refer", "assign", "decide"]
"""Steps of a prediction through the review queue."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a prediction, or that a person stated about an alarm."""

    kind: EventKind
    prediction: str
    """Identifier of the prediction, or of a bundle's alarm (`alarm_id`); empty for events about
    several predictions or about the records."""
    time: int
    body: bytes
    """JSON without personal data."""
    personal: bytes | None = None
    """JSON that may be erased: features, the caller's reference, a reviewer's words."""
    reference: str | None = None
    """The caller's own name of the case, by which it may be erased; contained in `personal` as
    well."""
    ordinal: int | None = field(default=None, compare=False)
    """Number among the events of its kind and prediction, counted from 0, if two events of one
    number would contradict each other: the first wins. None if any number of such events may be
    recorded."""
    id: str = field(default="", compare=False)
    """Identifier `<chain>.<sequence>`, once the event is written; empty before."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A request with an idempotency key, and the response it received."""

    key: str
    request: bytes
    """SHA-256 of the request; the same key with another request is an error."""
    prediction: str
    """Identifier of the first prediction in the response."""
    time: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts that an entry adds to the statistics of a bundle."""

    digest: str
    """Digest of the bundle."""
    counts: Counts
    """Numbers to add to each count: integers, so that the order of additions does not matter."""
    at: int | None = None
    """Time of the counts that are corrected, seconds since 1970; None to add to the present
    counts."""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A step of a prediction through the review queue, with the data that lists show."""

    prediction: str
    time: int
    """Time of the answer, microseconds since 1970."""
    doubt: float
    """Predictive entropy, nats; of a number its total standard deviation."""
    body: bytes
    """JSON with further data that lists show."""
    grade: str
    """Predicted class, or number as text."""
    reasons: str
    """Reasons of the referral, each between two line breaks."""
    digest: str
    """Digest of the bundle that answered."""
    version: int
    reference: str | None
    """The caller's own name of the case; erased together with the case."""
    model: str = ""
    """Name of the bundle; empty in journals of version 0.4."""
    assignee: str | None = None
    """Person who reviews the prediction; erased together with the assignment."""
    decided: int | None = None
    """Time of the first review, microseconds since 1970; None while the prediction waits."""
    verdict: str | None = None
    """Class, or number as text, given by the latest review."""
    reviewer: str | None = None
    """Person who gave the latest review; erased together with it."""
    step: QueueStep = field(default="refer", compare=False)
    """Step to store: a referral, an assignment or a review."""

    @property
    def waits(self) -> bool:
        """Whether the prediction waits for a review after the step."""
        return self.step != "decide"


@dataclass(frozen=True, slots=True)
class Search:
    """Filter and order of a list of predictions; a None field does not filter."""

    state: ReviewState | None = None
    """State in the review queue; None to search all recorded predictions, referred or not."""
    order: Order = "oldest"
    """Order of the list; `oldest` and `newest` go by the time of the answer or, for decided
    predictions, by the time of the review."""
    reference: str | None = None
    """The caller's name of the case: in the review queue a part of it, ignoring the case of Latin
    letters; elsewhere the whole name."""
    grade: str | None = None
    """Predicted class."""
    action: str | None = None
    """Decision on the prediction; not used for the review queue, which contains referrals only."""
    reason: str | None = None
    """One of the reasons of the referral."""
    model: str | None = None
    """Name of the bundle that answered."""
    version: int | None = None
    """Version of the bundle that answered."""
    assignee: str | None = None
    """Person who reviews the prediction; used for the review queue only."""
    since: int | None = None
    """Earliest time, microseconds since 1970, of the time by which the list is ordered."""
    until: int | None = None
    """Latest time, exclusive; otherwise as `since`."""


ListPosition = tuple[float | str, str]
"""Position in a list: the value that it is ordered by, and the prediction's identifier."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the predictions that a search has found."""

    events: Sequence[Event]
    after: ListPosition | None
    """Position to continue from; None at the end."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note that the service stores for itself; its position only ever increases."""

    name: str
    position: int
    content: bytes
    follows: int | None = None
    """Position of the note that this note was computed from, 0 if there was none: if the stored
    note has moved on since, this note is rejected. None to overwrite any older note."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Selection of the events that lose their personal parts."""

    reference: str | None = None
    """Reference of a case: erases the events of all its predictions."""
    before: int | None = None
    """Time in microseconds since 1970: erases all earlier events."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """Counts of one bundle in one time span."""

    start: int
    """Start of the span, seconds since 1970, UTC, by the clock at that time."""
    counts: Counts
    owner: str = ""
    """Name of the counting owner; later rollups of one owner have later starts. Empty for a sum
    over several owners."""


class Entry(Struct, frozen=True, tag="entry"):
    """Data that is recorded in one transaction: all of it or nothing."""

    events: tuple[Event, ...]
    reply: Reply | None = None
    tally: Tally | None = None
    queue: tuple[QueueItem, ...] = ()
    """Steps of predictions through the review queue."""
    note: Note | None = None
    erasure: Erasure | None = None
    """Selection of personal parts to erase; the event that lists what was erased is created in the
    same transaction."""


class PlainPart(Struct, frozen=True, tag="plain"):
    """Some rows of a request for deterministic answers, with their answers."""

    time: int
    rows: bytes
    """Features of the rows, `(N, F)` doubles."""
    answers: list[PlainAnswer]


class PlainNumberPart(Struct, frozen=True, tag="plain_number"):
    """The same with answers of a number."""

    time: int
    rows: bytes
    answers: list[PlainNumberAnswer]


class MonteCarloPart(Struct, frozen=True, tag="monte_carlo"):
    """Some rows of a request for Monte-Carlo answers, with their answers."""

    time: int
    rows: bytes
    """Features of the rows, `(N, F)` doubles."""
    answers: list[MonteCarloAnswer]
    asked: Asked
    is_drawn: bool
    """Whether the first row's seed was drawn for this row alone."""


class MonteCarloNumberPart(Struct, frozen=True, tag="monte_carlo_number"):
    """The same with answers of a number."""

    time: int
    rows: bytes
    answers: list[MonteCarloNumberAnswer]
    asked: Asked
    is_drawn: bool


AnyPlainPart = PlainPart | PlainNumberPart
AnyMonteCarloPart = MonteCarloPart | MonteCarloNumberPart
AnyPart = AnyPlainPart | AnyMonteCarloPart


class Draft(Struct, frozen=True, tag="draft"):
    """An answered request, from which an entry is built outside the request's critical path."""

    parts: tuple[AnyPart, ...]
    reference: str | None
    reply: Reply | None

    @property
    def digest(self) -> str:
        """Digest of the bundle that gave all these answers."""
        return self.parts[0].answers[0].model.digest

    @property
    def rows(self) -> int:
        """Number of rows in all parts."""
        return sum(len(part.answers) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Rollups that a reader has not processed yet."""

    last: Mapping[str, int]
    """Owner to the start of its last rollup, seconds since 1970, for all owners in the period."""
    rollups: Sequence[Rollup]
    """Rollups in the order of their starts."""


Made = Callable[[Sequence[Draft]], Entry]
"""A function that builds the entry of drafts of one bundle, of which one at most has a reply."""


def alarm_id(alarm: str, digest: str) -> str:
    """Return the identifier of a bundle's alarm in its events; never a prediction's."""
    return f"alarm:{alarm}:{digest.rpartition(':')[2][:DIGEST_DIGITS]}"


def now() -> int:
    """Return the present time in microseconds since 1970."""
    return time.time_ns() // 1_000


def moment(at: int) -> str:
    """Format a time, in microseconds since 1970, as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at / MICROSECONDS, UTC).isoformat()
