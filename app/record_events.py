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
"""Of a list of referred predictions."""
State = Literal["waiting", "decided"]
"""Of a referred prediction."""


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
class Referral:
    """A prediction that waits for a person, or has waited."""

    prediction: str
    time: int
    doubt: float
    """Its predictive entropy, nats."""
    body: bytes
    """JSON: what a list of those that wait shows of it."""
    grade: str
    reasons: str
    """Each between two line breaks."""
    digest: str
    """Of the bundle that answered."""
    version: int
    reference: str | None
    """The client's own name of the case; erased with it."""
    assignee: str | None = None
    """Who looks at it; erased with the assignment."""
    decided: int | None = None
    """When it was reviewed first; None while it waits."""
    verdict: str | None = None
    """The grade of the last review."""
    reviewer: str | None = None
    """Who gave it; erased with the review."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which referred predictions are listed; what is None leaves none out."""

    state: State = "waiting"
    order: Order = "oldest"
    """`oldest` and `newest` go by the time of the answer or, of decided ones, of the review."""
    reason: str | None = None
    grade: str | None = None
    """The network's."""
    version: int | None = None
    reference: str | None = None
    """A part of it, whatever the case of Latin letters."""
    assignee: str | None = None
    since: int | None = None
    until: int | None = None
    """Times by which they are ordered, the end not included."""


Place = tuple[float | str, str]
"""Where something stands in a list: what it is ordered by, and the prediction."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which recorded predictions are listed, the newest first; what is None leaves none out."""

    most: int
    reference: str | None = None
    """The whole of it."""
    grade: str | None = None
    action: str | None = None
    reason: str | None = None
    version: int | None = None
    since: int | None = None
    until: int | None = None
    """Times of answers, the end not included."""
    after: Place | None = None
    """The place of the one before the first."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a search has found."""

    events: Sequence[Event]
    """Of predictions."""
    after: Place | None
    """Where to go on; None at the end."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review as the queue takes it."""

    referral: Referral
    """Of the prediction; it is listed from now on where it was not referred."""
    verdict: str
    reviewer: str
    time: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who looks at a prediction from now on; None for nobody."""

    prediction: str
    assignee: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What can be said of a prediction once only."""

    kind: str
    """An event's kind, and for a correction its number."""
    prediction: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A note of the service to itself, which only moves on."""

    name: str
    position: int
    content: bytes
    follows: int | None = None
    """Position of the mark that it was made from, 0 if there was none: once that has moved on, the
    mark is refused. None where whatever is behind may be overwritten."""


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
    """Seconds since 1970, UTC."""
    counts: Counts


class Entry(Struct, frozen=True, tag="entry"):
    """What is recorded together, all of it or nothing."""

    events: tuple[Event, ...]
    reply: Reply | None = None
    tally: Tally | None = None
    referrals: tuple[Referral, ...] = ()
    claim: Claim | None = None
    mark: Mark | None = None
    erasure: Erasure | None = None
    """What is erased; the event that says so is made with it, as it lists what was there."""
    review: Reviewed | None = None
    assignment: Assignment | None = None


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
class Share:
    """What one process counted in a minute, of one bundle."""

    owner: str
    """Whoever counted: of one owner, a later share has a later start."""
    start: int
    """Seconds since 1970, UTC, by the clock of then."""
    counts: Counts


@dataclass(frozen=True, slots=True)
class Unseen:
    """Shares that somebody has not looked at yet."""

    last: Mapping[str, int]
    """All owners of shares in that time, each with the start of its last one."""
    shares: Sequence[Share]
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
