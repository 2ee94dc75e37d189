"""A small bundle to be watched, answers of it, and a memory in this process with its own clock."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from msgspec import structs

from app.count_keys import CountKey, Counts, summed
from app.errors import RecordingFailed, RecordsUnavailable
from app.monitoring import request_counts
from app.monitoring.answer_counter import AnswerCounter
from app.monitoring.monitor import Present
from app.record_events import (
    Draft,
    Entry,
    Event,
    Listing,
    ListPosition,
    MonteCarloPart,
    Note,
    PlainPart,
    QueueItem,
    Reply,
    Rollup,
    Search,
    Tally,
    Unseen,
)
from app.recorded_prediction import Asked, MonteCarloBody, PlainBody
from app.watched_bundle import WatchedBundle
from dubito.answer import (
    Answer,
    DecisionAnswer,
    Missing,
    MonteCarloAnswer,
    MonteCarloResult,
    PlainAnswer,
    PlainResult,
    Precision,
    SetAnswer,
    Uncertainty,
)
from dubito.features import NumberFeature
from dubito.targets import ClassTarget
from dubito.training.feature_stats import number_stats
from dubito.types import (
    Band,
    Calibration,
    Floats,
    Identity,
    Policy,
    Promise,
    Signature,
)

CLASSES = ("small", "middle", "large")
PASSES = 50
TARGET = 0.05
SPANS = (60, 3_600)
NOON = 1_795_608_000
"""Seconds since 1970, a whole hour."""


def columns(random: np.random.Generator, rows: int, shift: float = 0.0) -> Floats:
    """Rows `(N, 2)`, as training saw them or shifted."""
    weight = random.normal(10 + shift, 2, rows)
    length = np.where(random.random(rows) < 0.1, np.nan, random.integers(1, 30, rows))
    return np.column_stack([weight, length])


def _signature() -> Signature:
    weight, length = columns(np.random.default_rng(0), 4_000).T
    saw = {"weight": number_stats(weight, "float"), "length": number_stats(length, "float")}
    features = (
        NumberFeature(name, name, (), "float", "", True, 0.0, -1e9, 1e9, of)  # noqa: FBT003 - nullable
        for name, of in saw.items()
    )
    return Signature(tuple(features), ClassTarget(CLASSES))


BOUND = 0.12
"""Second probabilities of the band."""
CASE_LIMIT = 0.1
_BAND = Band(BOUND, 0.1, 0.06, 0.05)
_LINES = (Promise(0.01, 0.2, 0.4, 0.01, _BAND, 0), Promise(TARGET, 0.3, 0.6, 0.03, _BAND, 0))
POLICY = Policy(0.95, TARGET, 0.2, _LINES, CASE_LIMIT, 0.5)


def _calibration() -> Calibration:
    random = np.random.default_rng(1)
    return Calibration(
        passes=PASSES,
        coverage=0.9,
        labels=tuple(random.integers(0, 3, 500).tolist()),
        scores={"lac": tuple(random.random(500).tolist())},
        penalty=0.01,
        free=1,
        accuracy=0.8,
        policy=POLICY,
        mutual_information=tuple(random.exponential(0.05, 500).tolist()),
    )


ENVIRONMENT = "sha256:" + 32 * "1f"
WATCHED = WatchedBundle(
    Identity("shells", 3, "sha256:" + 32 * "5e"), _signature(), _calibration(), ENVIRONMENT
)
DIGEST = WATCHED.identity.digest
ASKED = Asked(PASSES)
CALM = Present(lambda: 0, lambda: None)


def answers(random: np.random.Generator, rows: Floats) -> list[MonteCarloAnswer]:
    """Monte-Carlo answers to rows, of every kind."""
    means = random.dirichlet((0.4, 0.4, 0.4), len(rows))
    return [_answer(random, f"row-{at}", mean) for at, mean in enumerate(means)]


def _answer(random: np.random.Generator, name: str, mean: Floats) -> MonteCarloAnswer:
    entropy = float(-(mean * np.log(np.maximum(mean, 1e-300))).sum())
    reasons = [one for one in ("missing", "ambiguous", "epistemic") if random.random() < 0.2]
    passes = int(random.choice([10, PASSES, 100]))
    inside = [name for name, share in zip(CLASSES, mean, strict=True) if share > 0.1]
    information = float(entropy * random.random() / 5)
    result = MonteCarloResult(
        predicted=CLASSES[int(mean.argmax())],
        mean=dict(zip(CLASSES, mean.tolist(), strict=True)),
        std=dict.fromkeys(CLASSES, 0.01),
        passes=passes,
        seed=7,
        precision=Precision(0.02, None, None),
        uncertainty=Uncertainty(entropy, entropy - information, information, 0.1),
        prediction_set=SetAnswer(0.9, "lac", False, tuple(inside), passes >= PASSES, ()),  # noqa: FBT003
        decision=DecisionAnswer(
            "refer" if reasons else "automate",
            tuple(reasons),
            target=float(random.choice([0.01, TARGET])),
            guaranteed=passes >= PASSES,
            case_limit=CASE_LIMIT,
        ),
    )
    warnings = (Missing(feature="length", value=None, seen_minimum=1.0, seen_maximum=29.0),) * (
        "missing" in reasons
    )
    return Answer(name, result, warnings, WATCHED.identity)


def changed(answer: MonteCarloAnswer, **changes: Any) -> MonteCarloAnswer:
    """The same answer with another result."""
    return structs.replace(answer, result=structs.replace(answer.result, **changes))


def tally_of(
    counter: AnswerCounter, answers: Sequence[MonteCarloAnswer], rows: Floats, *, is_drawn: bool
) -> Tally:
    """What some rows of a request for Monte-Carlo answers add."""
    part = MonteCarloPart(NOON, rows.tobytes(), list(answers), ASKED, is_drawn)
    return counter.answered([part], rows)


def plain_tally_of(counter: AnswerCounter, answers: Sequence[PlainAnswer], rows: Floats) -> Tally:
    """The same of a request for deterministic ones."""
    return counter.answered([PlainPart(NOON, rows.tobytes(), list(answers))], rows)


def by_name(counts: Counts) -> dict[str, int]:
    """Counts by the text that is stored of their keys."""
    return {str(name): count for name, count in counts.items()}


def recorded(answer: MonteCarloAnswer) -> MonteCarloBody[MonteCarloResult]:
    """The body of its record."""
    return MonteCarloBody(ENVIRONMENT, answer.model, ASKED, answer.result, answer.warnings)


def recorded_plain(answer: PlainAnswer) -> PlainBody[PlainResult]:
    """The same of a deterministic one."""
    return PlainBody(ENVIRONMENT, answer.model, answer.result, answer.warnings)


@dataclass
class Clock:
    """The module `time`, at a time that a test sets."""

    now: float = NOON
    ahead: float = 0
    """Seconds by which somebody has set it."""

    def time(self) -> float:
        return self.now + self.ahead

    def monotonic(self) -> float:
        return self.now


@dataclass
class Records:
    """A memory that counts what it was asked, and fails where a test says so."""

    asked: list[int] = field(default_factory=list)
    """Where each reading of the bundle's counts began."""
    latest: int | None = None
    """Time of the newest event."""
    fails: bool = False
    is_slow: bool = False
    behind: int = 0
    failures: int = 0
    trouble: str | None = None
    _counts: dict[tuple[str, int, int, str], list[Counts]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Of a digest, a span, a start and an owner."""
    marks: dict[str, Note] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def add(self, tallies: Iterable[Tally], at: float, owner: str = "chain") -> None:
        """Count what happened at a time."""
        for tally in tallies:
            for span in SPANS:
                place = (tally.digest, span, int(at) // span * span, owner)
                self._counts[place].append(tally.counts)

    def whole(self, start: int, stop: int, digest: str = DIGEST) -> dict[CountKey, int]:
        """All counts of some time."""
        return summed(
            counts
            for (of, span, at, _), parts in self._counts.items()
            for counts in parts
            if (of, span) == (digest, SPANS[0]) and start <= at < stop
        )

    def introduce(self, served: Sequence[WatchedBundle]) -> None:
        """Nobody drafts anything here."""

    def leave(self, entry: Entry | Draft) -> None:
        self.put(entry).add_done_callback(asyncio.Future.exception)

    def put(self, entry: Any) -> "asyncio.Future[bool]":
        written = asyncio.get_running_loop().create_future()
        mark = entry.note
        if self.fails or mark is None:
            written.set_exception(RecordingFailed())
            return written
        known = self.marks.get(mark.name)
        is_ahead = known is None or (
            mark.position > known.position and mark.follows in (None, known.position)
        )
        if is_ahead:
            self.marks[mark.name] = mark
            self.events += entry.events
        written.set_result(is_ahead)
        return written

    async def rollups(
        self, digest: str, span: int, start: int, end: int | None = None
    ) -> list[Rollup]:
        if digest != request_counts.DIGEST:
            await self._read(digest, start)
        found = defaultdict[int, list[Counts]](list)
        for (of, long, at, _), parts in sorted(self._counts.items()):
            if (of, long) == (digest, span) and start <= at and (end is None or at < end):
                found[at] += parts
        return [Rollup(at, summed(parts)) for at, parts in found.items()]

    async def newest(self) -> int | None:
        return self.latest

    async def unseen(
        self, digest: str, seen: Mapping[str, int], default: int, start: int
    ) -> Unseen:
        await self._read(digest, start)
        minutes = [
            Rollup(at, summed(parts), owner)
            for (of, span, at, owner), parts in sorted(self._counts.items())
            if (of, span) == (digest, SPANS[0]) and at >= start
        ]
        last = {one.owner: one.start for one in minutes}
        return Unseen(last, [one for one in minutes if one.start >= seen.get(one.owner, default)])

    async def _read(self, digest: str, start: int) -> None:
        self.asked.append(start)
        await asyncio.sleep(0.01 if self.is_slow else 0)
        if self.fails:
            raise RecordsUnavailable
        assert DIGEST == digest

    async def disagreements(self, most: int) -> list[Event]:
        raise NotImplementedError

    async def note(self, name: str) -> Note | None:
        return self.marks.get(name)

    async def history(self, prediction: str) -> list[Event]:
        return [event for event in self.events if event.prediction == prediction]

    async def reply_to(self, key: str) -> Reply | None:
        raise NotImplementedError

    async def queued(self, sought: Search) -> int:
        raise NotImplementedError

    async def queue(
        self, sought: Search, most: int, after: ListPosition | None
    ) -> list[tuple[ListPosition, QueueItem]]:
        raise NotImplementedError

    async def search(self, found: Search, most: int, after: ListPosition | None) -> Listing:
        raise NotImplementedError


def joined(parts: Sequence[Tally]) -> Tally:
    """The sum of tallies of one bundle."""
    return Tally(parts[0].digest, summed(part.counts for part in parts))
