"""What is remembered: events, as they travel between the edge and the records.

An event never changes. What is personal in it stands apart, so that it can be erased later.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from app.count_keys import Counts, summed
from app.recorded_prediction import Asked
from dubito.answer import MonteCarloAnswer, PlainAnswer

FORMAT = 1
"""Version of what events hold; events of before there was a number have none."""
MICROSECONDS = 1_000_000
"""In a second; times here are microseconds since 1970, UTC."""
MINUTE, HOUR = 60, 3_600
"""Seconds of the stretches of time that figures are counted in."""
MINUTES_KEPT = 8 * 86_400
"""Seconds after which counts by the minute are forgotten; those by the hour stay."""
DIGEST_DIGITS = 20
"""Of a bundle's digest, in the identifier of its alarms: as many as fit into its column."""
Kind = Literal[
    "prediction",
    "outcome",
    "review",
    "assignment",
    "erasure",
    "key",
    "acknowledgement",
    "beginning",
]
"""The last two are of an alarm."""
Order = Literal["oldest", "newest", "doubtful", "reference"]
"""Of a list of the review queue."""
State = Literal["waiting", "decided"]
"""Of a prediction in the review queue."""
Step = Literal["refer", "assign", "decide"]
"""What happens to a prediction in the review queue."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a prediction, or that a person said of an alarm."""

    kind: Kind
    prediction: str
    """Identifier of the prediction, or of an alarm of a bundle (`alarm_id`); empty for what is said
    of several predictions, or of the records."""
    time: int
    body: bytes
    """JSON in which nobody can be recognised."""
    personal: bytes | None = None
    """JSON that may be erased: features, the client's reference, a reviewer's words."""
    reference: str | None = None
    """The client's own name of the case, by which it may be erased; in `personal` as well."""
    ordinal: int | None = field(default=None, compare=False)
    """Number among the events of its kind and prediction, from 0, where two of one number would
    contradict each other: the first wins. None where any number may be recorded."""
    id: str = field(default="", compare=False)
    """Its chain and its place in it, once it was written."""


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
class Tally:
    """What an entry adds to the figures of a bundle."""

    digest: str
    """The bundle's."""
    counts: Counts
    """What is added to each count: whole numbers, whose order is of no matter."""
    at: int | None = None
    """Seconds since 1970 where it corrects what was counted then; None for what happens now."""

    @classmethod
    def joined(cls, parts: "Sequence[Tally]") -> "Tally":
        """What several add to the figures of one bundle."""
        if len(parts) == 1:
            return parts[0]
        return cls(parts[0].digest, summed(part.counts for part in parts))


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A prediction in the review queue, and which step of its way there this is."""

    prediction: str
    time: int
    """Time of the answer, microseconds since 1970."""
    doubt: float
    """Predictive entropy, nats."""
    body: bytes
    """JSON: what lists show of it besides."""
    grade: str
    """The predicted class."""
    reasons: str
    """Reasons of the referral, each between two line breaks."""
    digest: str
    """Digest of the bundle that answered."""
    version: int
    reference: str | None
    """The client's own name of the case; erased with it."""
    assignee: str | None = None
    """Who looks at it; erased with the assignment."""
    decided: int | None = None
    """When it was reviewed first, microseconds since 1970; None while it waits."""
    verdict: str | None = None
    """The class of the last review."""
    reviewer: str | None = None
    """Who gave it; erased with the review."""
    step: Step = field(default="refer", compare=False)
    """What is written: that it is referred, who looks at it, or how it was decided."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which predictions are listed; what is None leaves none out."""

    state: State | None = None
    """Of the review queue; None for all that are recorded, referred or not."""
    order: Order = "oldest"
    """`oldest` and `newest` go by the time of the answer or, of decided ones, of the review."""
    reference: str | None = None
    """The client's name of the case: in the queue a part of it, whatever the case of Latin letters;
    else the whole of it."""
    grade: str | None = None
    """The predicted class."""
    action: str | None = None
    """The decision; the queue knows but referrals."""
    reason: str | None = None
    """A reason of the referral."""
    version: int | None = None
    """Version of the bundle that answered."""
    assignee: str | None = None
    """Who looks at it, in the queue alone."""
    since: int | None = None
    """First time, microseconds since 1970: that by which they are ordered."""
    until: int | None = None
    """The time after the last one, as `since`."""


Place = tuple[float | str, str]
"""Position in a list: the value it is ordered by, and the prediction's identifier."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The predictions that a search has found."""

    events: Sequence[Event]
    after: Place | None
    """Position to go on from; None at the end."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note of the service to itself, whose position only moves on."""

    name: str
    position: int
    content: bytes
    follows: int | None = None
    """Position of the note that it was made from, 0 if there was none: once that has moved on, this
    one is refused. None where whatever is behind may be overwritten."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Which events lose what is personal of them."""

    reference: str | None = None
    """Those of all predictions of this case of a client's."""
    before: int | None = None
    """Those before this time."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """The counts of a stretch of time, of one bundle."""

    start: int
    """Seconds since 1970, UTC, by the clock of then."""
    counts: Counts
    owner: str = ""
    """Who counted: of one owner, a later rollup has a later start. Empty where several did."""


class Entry(Struct, frozen=True, tag="entry"):
    """What is recorded together, all of it or nothing."""

    events: tuple[Event, ...]
    reply: Reply | None = None
    tally: Tally | None = None
    queue: tuple[QueueItem, ...] = ()
    """Steps of predictions in the review queue."""
    note: Note | None = None
    erasure: Erasure | None = None
    """What is erased; the event that says so is made with it, as it lists what was there."""


class PlainPart(Struct, frozen=True, tag="plain"):
    """Some rows of a request for deterministic answers, and the answers."""

    time: int
    rows: bytes
    """`(N, F)` doubles."""
    answers: list[PlainAnswer]


class MonteCarloPart(Struct, frozen=True, tag="monte_carlo"):
    """Some rows of a request for Monte-Carlo answers, and the answers."""

    time: int
    rows: bytes
    """`(N, F)` doubles."""
    answers: list[MonteCarloAnswer]
    asked: Asked
    is_drawn: bool
    """Whether the first row's seed was drawn for it alone."""


class Draft(Struct, frozen=True, tag="draft"):
    """What a request was answered, of which an entry is made elsewhere: nobody waits for that."""

    parts: tuple[PlainPart | MonteCarloPart, ...]
    reference: str | None
    reply: Reply | None

    @property
    def rows(self) -> int:
        """How many rows there are in all parts."""
        return sum(len(part.answers) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Rollups that somebody has not looked at yet."""

    last: Mapping[str, int]
    """All owners of rollups in that time, each with the start of its last one."""
    rollups: Sequence[Rollup]
    """By their start."""


Made = Callable[[Draft], Entry]
"""How entries are made of drafts."""


def alarm_id(alarm: str, digest: str) -> str:
    """What the events of an alarm of a bundle are filed under; no prediction is called so."""
    return f"alarm:{alarm}:{digest.rpartition(':')[2][:DIGEST_DIGITS]}"


def now() -> int:
    """The time."""
    return time.time_ns() // 1_000


def moment(at: int) -> str:
    """A time as ISO 8601."""
    return datetime.fromtimestamp(at / MICROSECONDS, UTC).isoformat()
