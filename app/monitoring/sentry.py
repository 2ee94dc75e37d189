"""The sentry: moves the alarms on, minute by minute, from the counts of all processes.

What it knows stands in a mark, so that a restart forgets nothing. It remembers how far it has come
with the counts of each owner, and not a time up to which all was looked at: after a step of the
clock what comes may be dated before what came. Whatever is drawn at random is drawn from the
bundle's digest and how far it had come: every process comes to the same.
"""

import json
import math
import time
from asyncio import to_thread
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from app.clock import Clock
from app.events import HOUR, MINUTE, Entry, Mark, Share, Unseen, summed
from app.memory import Reader, Writer
from app.monitoring.figures import kept, kept_in_bands, missed
from app.monitoring.shift import stream_counts
from app.monitoring.subject import Subject
from app.monitoring.window import LATE_SECONDS
from app.uncertainty.alarm import THRESHOLD, raised, shown
from app.uncertainty.betting import Outcomes
from app.uncertainty.watch import Watch

NEAR_SECONDS = HOUR
"""In the past, in which a look finds what came meanwhile if the clock was not set."""
WHOLE_SECONDS = HOUR
"""After which a look goes through all that is kept: another machine's clock may be far behind."""
UNSETTLED_SECONDS = MINUTE + LATE_SECONDS
"""After which a minute is over that was seen to begin, whatever the clock says; and for which after
a step of the clock nothing else tells what is over: it may be set back into a minute that was."""

Place = tuple[str, int]
"""Owner and start of a share."""


@dataclass(frozen=True, slots=True)
class State:
    """What is known after some minutes."""

    position: int
    """The mark's, which only moves on: the end of the last minute, if the clock is never set."""
    drift: Watch
    validity: Outcomes
    raised_at: Mapping[str, int] = field(default_factory=dict)
    """Name of an alarm to the minute in which it was raised."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """Owner of counts to the end of the last minute of its that was looked at."""
    default: int = 0
    """The same of owners that are not named, which an older Dubito knew no names of."""


class Sentry:
    """Watches one bundle."""

    def __init__(self, reader: Reader, writer: Writer, subject: Subject) -> None:
        """Take where counts come from, where marks go to, and what is watched."""
        self._reader = reader
        self._writer = writer
        self._subject = subject
        self._name = f"watch:{subject.identity.digest}"
        policy = None if subject.calibration is None else subject.calibration.policy
        of_cases = policy is not None and policy.is_of_cases
        validity = Outcomes.begin(of_cases=of_cases)
        self._state = State(0, Watch.begin(subject.streams), validity)
        self._clock = Clock()
        self._read_whole = -math.inf
        """When all was read last, by the monotonic clock."""
        self._set_at = -math.inf
        """When the clock was set last, as far as was noticed."""
        self._noticed: dict[Place, float] = {}
        """Shares that are not over, with when they were read first, by the monotonic clock."""

    async def look(self) -> None:
        """Look at all minutes that are over.

        Raises:
            Unreadable: the database does not answer.
            Unrecorded: it does not take what came of it.
        """
        mark = await self._reader.mark(self._name)
        if mark is not None and mark.position > self._state.position:
            self._state = _read(mark)
        state, start = self._state, self._start()
        unseen = await self._unseen(start)
        if start and not unseen.last.keys() <= state.seen.keys():
            # Somebody else's clock, or ours between two looks, may have been far back.
            start, unseen = 0, await self._unseen(0)
        self._read_whole = self._read_whole if start else time.monotonic()
        over = self._over(unseen.shares)
        if not over:
            return
        seen = {owner: state.seen.get(owner, state.default) for owner in unseen.last}
        if start:
            # Of owners that were not read nobody knows that they are gone.
            seen = {**state.seen, **seen}
        moved = await to_thread(self._moved, replace(state, seen=seen, default=0), over)
        told = Mark(self._name, moved.position, _written(moved))
        if await self._writer.put(Entry((), mark=told)):
            self._state = moved

    async def _unseen(self, start: int) -> Unseen:
        digest, state = self._subject.identity.digest, self._state
        return await self._reader.unseen(digest, state.seen, state.default, start)

    def _start(self) -> int:
        """From where on is to be read, in seconds since 1970; 0 for all that is kept."""
        if time.monotonic() >= self._read_whole + WHOLE_SECONDS:
            return 0
        return int(time.time()) - NEAR_SECONDS

    def _over(self, shares: Sequence[Share]) -> list[Share]:
        """Those that nobody adds to any more; of each owner the first ones."""
        elapsed, past = time.monotonic(), time.time() - MINUTE - LATE_SECONDS
        if self._clock.step():
            self._set_at = elapsed
        is_clear = elapsed >= self._set_at + UNSETTLED_SECONDS
        if not is_clear:
            # What waits here may be dated far from now, and is passed over if it is not read.
            self._read_whole = -math.inf
        self._noticed = {
            (one.owner, one.start): self._noticed.get((one.owner, one.start), elapsed)
            for one in shares
            if not (is_clear and one.start <= past)
        }
        first: dict[str, int] = {}
        for (owner, start), at in self._noticed.items():
            if elapsed < at + UNSETTLED_SECONDS:
                first[owner] = min(start, first.get(owner, start))
        return [one for one in shares if one.owner not in first or one.start < first[one.owner]]

    def alarms(self) -> list[dict[str, Any]]:
        """Both alarms, as they are shown."""
        state = self._state
        return [
            _alarm("drift", state.drift, state, state.drift.foremost),
            _alarm("validity", state.validity, state, None),
        ]

    def _moved(self, state: State, shares: Sequence[Share]) -> State:
        minutes: dict[int, list[Share]] = {}
        for share in shares:
            minutes.setdefault(share.start, []).append(share)
        for start, parts in sorted(minutes.items()):
            state = self._after(state, start, summed(part.counts for part in parts))
        seen = {share.owner: share.start + MINUTE for share in shares}
        return replace(state, seen={**state.seen, **seen})

    def _after(self, state: State, start: int, counts: Mapping[str, int]) -> State:
        names = list(self._subject.streams)
        seen = dict(zip(names, stream_counts(counts, len(names)), strict=True))
        digest = int(self._subject.identity.digest.rpartition(":")[2], 16)
        random = np.random.default_rng([digest, state.position, start])
        drift = state.drift.advance(seen, random)
        validity = state.validity.advance(missed(counts), kept(counts), kept_in_bands(counts))
        known = {"drift": drift.largest, "validity": validity.largest}
        new = {name for name, largest in known.items() if raised(largest)} - set(state.raised_at)
        return replace(
            state,
            position=max(state.position + 1, start + MINUTE),
            drift=drift,
            validity=validity,
            raised_at={**state.raised_at, **dict.fromkeys(new, start)},
        )


def _alarm(
    name: str, watched: Watch | Outcomes, state: State, foremost: str | None
) -> dict[str, Any]:
    at = state.raised_at.get(name)
    return {
        "name": name,
        "raised": at is not None,
        "evidence": shown(watched.evidence),
        "largest": shown(watched.largest),
        "threshold": THRESHOLD,
        "rows": watched.rows,
        "raised_at": None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
        "largest_feature": foremost if watched.rows else None,
    }


def _written(state: State) -> bytes:
    told = {
        "drift": state.drift.to_json(),
        "validity": state.validity.to_json(),
        "raised_at": dict(state.raised_at),
        "seen": dict(state.seen),
    }
    return json.dumps(told).encode()


def _read(mark: Mark) -> State:
    told = json.loads(mark.content)
    seen = told.get("seen")
    # An older Dubito looked at all before a time, from which the clock may have been set back.
    looked = min(mark.position, int(time.time()) // MINUTE * MINUTE)
    return State(
        mark.position,
        Watch.from_json(told["drift"]),
        Outcomes.from_json(told["validity"]),
        told["raised_at"],
        seen or {},
        looked if seen is None else 0,
    )
