"""The sentry: moves the alarms on, minute by minute, from the counts of all processes.

What it knows stands in a mark, so that a restart forgets nothing. Whatever is drawn at random is
drawn from the bundle's digest and the minute: every process comes to the same.
"""

import json
import time
from asyncio import to_thread
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from app.events import MINUTE, Entry, Mark, Rollup
from app.memory import Reader, Writer
from app.monitoring.figures import kept, missed
from app.monitoring.shift import stream_counts
from app.monitoring.subject import Subject
from app.monitoring.window import LATE_SECONDS
from app.uncertainty.alarm import THRESHOLD, raised, shown
from app.uncertainty.betting import Outcomes
from app.uncertainty.watch import Watch


@dataclass(frozen=True, slots=True)
class State:
    """What is known up to a minute."""

    minute: int
    """Seconds since 1970; what began before it was looked at."""
    drift: Watch
    validity: Outcomes
    raised_at: Mapping[str, int] = field(default_factory=dict)
    """Name of an alarm to the minute in which it was raised."""


class Sentry:
    """Watches one bundle."""

    def __init__(self, reader: Reader, writer: Writer, subject: Subject) -> None:
        """Take where counts come from, where marks go to, and what is watched."""
        self._reader = reader
        self._writer = writer
        self._subject = subject
        self._name = f"watch:{subject.identity.digest}"
        self._state = State(0, Watch.begin(subject.streams), Outcomes.begin())

    async def look(self) -> None:
        """Look at all minutes that are over.

        Raises:
            Unreadable: the database does not answer.
            Unrecorded: it does not take what came of it.
        """
        mark = await self._reader.mark(self._name)
        if mark is not None and mark.position > self._state.minute:
            self._state = _read(mark)
        until = (int(time.time()) - LATE_SECONDS) // MINUTE * MINUTE
        digest, since = self._subject.identity.digest, self._state.minute
        minutes = await self._reader.rollups(digest, MINUTE, since, until)
        if not minutes:
            return
        moved = await to_thread(self._moved, self._state, minutes)
        told = Mark(self._name, moved.minute, _written(moved))
        if await self._writer.put(Entry((), mark=told)):
            self._state = moved

    def alarms(self) -> list[dict[str, Any]]:
        """Both alarms, as they are shown."""
        state = self._state
        return [
            _alarm("drift", state.drift, state, state.drift.foremost),
            _alarm("validity", state.validity, state, None),
        ]

    def _moved(self, state: State, minutes: list[Rollup]) -> State:
        for minute in minutes:
            state = self._after(state, minute)
        return state

    def _after(self, state: State, minute: Rollup) -> State:
        names, counts = list(self._subject.streams), minute.counts
        seen = dict(zip(names, stream_counts(counts, len(names)), strict=True))
        digest = int(self._subject.identity.digest.rpartition(":")[2], 16)
        drift = state.drift.advance(seen, np.random.default_rng([digest, minute.start]))
        validity = state.validity.advance(missed(counts), kept(counts))
        moved = State(minute.start + MINUTE, drift, validity, state.raised_at)
        known = {"drift": drift.largest, "validity": validity.largest}
        new = {name for name, largest in known.items() if raised(largest)} - set(state.raised_at)
        return replace(moved, raised_at={**state.raised_at, **dict.fromkeys(new, minute.start)})


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
    }
    return json.dumps(told).encode()


def _read(mark: Mark) -> State:
    told = json.loads(mark.content)
    return State(
        mark.position,
        Watch.from_json(told["drift"]),
        Outcomes.from_json(told["validity"]),
        told["raised_at"],
    )
