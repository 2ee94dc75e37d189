"""The sentry: moves the alarms on, minute by minute, from the counts of all processes.

What it knows stands in a note, so that a restart forgets nothing; what a person says of an alarm
is an event, written with the note that takes note of it. It remembers how far it has come
with the counts of each owner, and not a time up to which all was looked at: after a step of the
clock what comes may be dated before what came. Whatever is drawn at random is drawn from the
bundle's digest and how far it had come: every process comes to the same.
"""

import asyncio
import math
import time
from asyncio import to_thread
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from app.clock import Clock
from app.count_keys import Counts, summed
from app.errors import RecordingFailed
from app.monitoring.alarm_events import Said, Words, alarm_reports, event_of, spoken
from app.monitoring.alarm_state import Alarm, State
from app.monitoring.drift_report import stream_counts
from app.monitoring.report import AlarmReport
from app.monitoring.statistics import kept, kept_in_bands, missed
from app.monitoring.time_windows import LATE_SECONDS
from app.record_events import HOUR, MINUTE, Entry, Event, Note, Rollup, Unseen, now
from app.record_ports import Reader, Writer
from app.watched_bundle import WatchedBundle
from dubito.uncertainty.alarm import raised

NEAR_SECONDS = HOUR
"""In the past, in which a look finds what came meanwhile if the clock was not set."""
WHOLE_SECONDS = HOUR
"""After which a look goes through all that is kept: another machine's clock may be far behind."""
UNSETTLED_SECONDS = MINUTE + LATE_SECONDS
"""After which a minute is over that was seen to begin, whatever the clock says; and for which after
a step of the clock nothing else tells what is over: it may be set back into a minute that was."""

ATTEMPTS = 10
"""To take note of what a person says, while other workers move the note on."""

Place = tuple[str, int]
"""Owner and start of a share."""
Step = Callable[[State, int], State]
"""What a person says of an alarm does to the state, at a time."""


class Sentry:
    """Watches one bundle."""

    def __init__(self, reader: Reader, writer: Writer, watched: WatchedBundle) -> None:
        """Take where counts come from, where marks go to, and what is watched."""
        self._reader = reader
        self._writer = writer
        self._watched = watched
        self._name = f"watch:{watched.identity.digest}"
        self._state = State.begin(watched)
        self._turn = asyncio.Lock()
        """Of those who say something of an alarm: in one process none of them is in vain."""
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
            RecordsUnavailable: the database does not answer.
            RecordingFailed: it does not take what came of it.
        """
        note = await self._reader.note(self._name)
        if note is not None and note.position > self._state.position:
            self._state = self._read(note)
        state, start = self._state, self._start()
        unseen = await self._unseen(state, start)
        if start and not unseen.last.keys() <= state.seen.keys():
            # Somebody else's clock, or ours between two looks, may have been far back.
            start, unseen = 0, await self._unseen(state, 0)
        self._read_whole = self._read_whole if start else time.monotonic()
        over = self._over(unseen.rollups)
        if not over:
            return
        seen = {owner: state.seen.get(owner, state.default) for owner in unseen.last}
        if start:
            # Of owners that were not read nobody knows that they are gone.
            seen = {**state.seen, **seen}
        moved = await to_thread(self._moved, replace(state, seen=seen, default=0), over)
        if await self._put(moved, note):
            self._come_to(moved)
        elif not start:
            # Another worker was faster, who need not have read all.
            self._read_whole = -math.inf

    async def acknowledge(self, alarm: Alarm, words: Words) -> None:
        """Take note that a person knows of a raised alarm.

        Raises:
            Conflict: it is not raised, or acknowledged already.
            RecordsUnavailable: the database does not answer.
            RecordingFailed: it does not take what was said.
        """
        await self._say(
            "acknowledgement", alarm, words, lambda state, at: state.acknowledge(alarm, at)
        )

    async def begin_anew(self, alarm: Alarm, words: Words) -> None:
        """Have an alarm know nothing of what was until now; the other one goes on.

        Raises:
            RecordsUnavailable: the database does not answer.
            RecordingFailed: it does not take what was said.
        """
        fresh = State.begin(self._watched)
        await self._say(
            "beginning", alarm, words, lambda state, at: state.begin_anew(alarm, at, fresh)
        )

    async def alarms(self) -> tuple[AlarmReport, ...]:
        """Both alarms, as they are shown.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        state = self._state
        return alarm_reports(
            state, await spoken(self._reader, state, self._watched.identity.digest)
        )

    async def _say(self, kind: Said, alarm: Alarm, words: Words, step: Step) -> None:
        """Write what a person says with the state after it, both or neither."""
        async with self._turn:
            for _ in range(ATTEMPTS):
                note, at = await self._reader.note(self._name), now()
                state = State.begin(self._watched) if note is None else self._read(note)
                moved = step(state, at)
                digest = self._watched.identity.digest
                event = event_of(kind, alarm, words, at, state, digest)
                if await self._put(moved, note, event):
                    self._come_to(moved)
                    return
        raise RecordingFailed

    async def _put(self, moved: State, before: Note | None, *events: Event) -> bool:
        """Write a state, made from a note that was read; False if that has moved on meanwhile."""
        follows = 0 if before is None else before.position
        return await self._writer.put(Entry(events, note=moved.note(self._name, follows)))

    def _come_to(self, moved: State) -> None:
        """Know what was written, unless what was written after it is known already."""
        if moved.position > self._state.position:
            self._state = moved

    def _read(self, note: Note) -> State:
        return State.read(note, int(time.time()))

    async def _unseen(self, state: State, start: int) -> Unseen:
        digest = self._watched.identity.digest
        return await self._reader.unseen(digest, state.seen, state.default, start)

    def _start(self) -> int:
        """From where on is to be read, in seconds since 1970; 0 for all that is kept."""
        if time.monotonic() >= self._read_whole + WHOLE_SECONDS:
            return 0
        return int(time.time()) - NEAR_SECONDS

    def _over(self, shares: Sequence[Rollup]) -> list[Rollup]:
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

    def _moved(self, state: State, shares: Sequence[Rollup]) -> State:
        minutes: dict[int, list[Rollup]] = {}
        for share in shares:
            minutes.setdefault(share.start, []).append(share)
        for start, parts in sorted(minutes.items()):
            state = self._after(state, start, summed(part.counts for part in parts))
        seen = {share.owner: share.start + MINUTE for share in shares}
        return replace(state, seen={**state.seen, **seen})

    def _after(self, state: State, start: int, counts: Counts) -> State:
        names = list(self._watched.streams)
        seen = dict(zip(names, stream_counts(counts, len(names)), strict=True))
        digest = int(self._watched.identity.digest.rpartition(":")[2], 16)
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
