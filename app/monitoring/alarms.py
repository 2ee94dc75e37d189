"""The alarms: advances them minute by minute, from the counts of all processes.

The state is stored in a note, so that a restart loses nothing; a person's statement about an alarm
is an event written together with the updated note. Progress is stored for each owner of counts
rather than as one point in time: after a step of the clock, new counts may be dated before old
ones. Random numbers are drawn from the bundle's digest and the progress, so that every process
computes the same state.
"""

import asyncio
import math
import time
from asyncio import to_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from app.clock import Clock
from app.count_keys import Counts, summed
from app.errors import RecordingFailed
from app.monitoring.alarm_events import AlarmWords, alarm_reports, event_of, spoken
from app.monitoring.alarm_state import AlarmState
from app.monitoring.alarm_tests import TESTS, AlarmName
from app.monitoring.report import AlarmReport
from app.monitoring.time_windows import LATE_SECONDS
from app.record_events import HOUR, MINUTE, AlarmStatement, Entry, Event, Note, Rollup, Unseen, now
from app.record_ports import Reader, Writer
from app.watched_bundle import WatchedBundle
from dubito.uncertainty.alarm_threshold import raised

NEAR_SECONDS = HOUR
"""Period in seconds before now that a normal check reads: unless the clock was set, all new counts
lie in it."""
WHOLE_SECONDS = HOUR
"""Seconds between checks that read all stored minutes, since another machine's clock may be far
behind."""
UNSETTLED_SECONDS = MINUTE + LATE_SECONDS
"""Age in seconds, since it was first seen, at which a minute is over whatever the clock says. For
as long after a step of the clock this is the only criterion: the clock may be set back into a past
minute."""

ATTEMPTS = 10
"""Most attempts to store a statement while other workers advance the note."""

AlarmPosition = tuple[str, int]
"""Owner and start of a share, seconds since 1970."""
AlarmStep = Callable[[AlarmState, int], AlarmState]
"""Effect of a person's statement on the state, at a time in microseconds since 1970."""


class Sentry:
    """Advances all alarms of one bundle."""

    def __init__(self, reader: Reader, writer: Writer, watched: WatchedBundle) -> None:
        """Set the source of counts, the destination of notes and the bundle to watch."""
        self._reader = reader
        self._writer = writer
        self._watched = watched
        self._name = f"watch:{watched.identity.digest}"
        self._fresh = self._state = AlarmState.begin(watched)
        self._turn = asyncio.Lock()
        """Lock that serialises statements about alarms: within one process none has to be
        retried."""
        self._clock = Clock()
        self._read_whole = -math.inf
        """Time at which all stored minutes were last read, seconds of the monotonic clock."""
        self._set_at = -math.inf
        """Time at which the clock was last seen to be set, seconds of the monotonic clock."""
        self._noticed: dict[AlarmPosition, float] = {}
        """Shares that are not over, with the time when they were first read, seconds of the
        monotonic clock."""

    async def look(self) -> None:
        """Process all minutes that are over.

        Raises:
            RecordsUnavailable: the database does not respond.
            RecordingFailed: the database did not accept the new state.
        """
        note = await self._stored()
        state, start = self._state, self._start()
        unseen = await self._unseen(state, start)
        if start and not unseen.last.keys() <= state.seen.keys():
            # Another machine's clock, or ours between two checks, may have been far behind.
            start, unseen = 0, await self._unseen(state, 0)
        self._read_whole = self._read_whole if start else time.monotonic()
        over = self._over(unseen.rollups)
        if not over:
            return
        seen = {owner: state.seen.get(owner, state.default) for owner in unseen.last}
        if start:
            # Owners that were not read may still exist, so they stay in the state.
            seen = {**state.seen, **seen}
        moved = await to_thread(self._moved, replace(state, seen=seen, default=0), over)
        if await self._put(moved, note):
            self._come_to(moved)
        elif not start:
            # Another worker was faster, and may not have read everything.
            self._read_whole = -math.inf

    async def acknowledge(self, alarm: AlarmName, words: AlarmWords) -> None:
        """Record that a person acknowledged a raised alarm.

        Raises:
            Conflict: the alarm is not raised, or is acknowledged already.
            RecordsUnavailable: the database does not respond.
            RecordingFailed: the database did not accept the statement.
        """
        await self._say(
            "acknowledgement", alarm, words, lambda state, at: state.acknowledge(alarm, at)
        )

    async def begin_anew(self, alarm: AlarmName, words: AlarmWords) -> None:
        """Restart an alarm: discard all its evidence so far; the others go on.

        Raises:
            RecordsUnavailable: the database does not respond.
            RecordingFailed: the database did not accept the statement.
        """
        await self._say(
            "beginning", alarm, words, lambda state, at: state.begin_anew(alarm, at, self._fresh)
        )

    async def alarms(self) -> tuple[AlarmReport, ...]:
        """Return the reports of all alarms.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        state = await self._known()
        return alarm_reports(
            state, await spoken(self._reader, state, self._watched.identity.digest)
        )

    async def _known(self) -> AlarmState:
        """Return the latest known state; before the first check, the one that a restart left."""
        if self._state is self._fresh:
            # Every check tells of one that cannot be read.
            with suppress(AttributeError, KeyError, TypeError, ValueError):
                await self._stored()
        return self._state

    async def _stored(self) -> Note | None:
        """Read the stored state, and adopt it if it is later."""
        note = await self._reader.note(self._name)
        if note is not None and note.position > self._state.position:
            self._state = self._read(note)
        return note

    async def _say(
        self, kind: AlarmStatement, alarm: AlarmName, words: AlarmWords, step: AlarmStep
    ) -> None:
        """Write a person's statement and the resulting state, in one transaction."""
        async with self._turn:
            for _ in range(ATTEMPTS):
                note, at = await self._reader.note(self._name), now()
                state = self._fresh if note is None else self._read(note)
                moved = step(state, at)
                digest = self._watched.identity.digest
                event = event_of(kind, alarm, words, at, state, digest)
                if await self._put(moved, note, event):
                    self._come_to(moved)
                    return
        raise RecordingFailed

    async def _put(self, moved: AlarmState, before: Note | None, *events: Event) -> bool:
        """Write a state computed from the note `before`; False if that note has moved on."""
        follows = 0 if before is None else before.position
        return await self._writer.put(Entry(events, note=moved.note(self._name, follows)))

    def _come_to(self, moved: AlarmState) -> None:
        """Adopt a written state, unless a later one is known already."""
        if moved.position > self._state.position:
            self._state = moved

    def _read(self, note: Note) -> AlarmState:
        return AlarmState.read(note, int(time.time()), self._fresh)

    async def _unseen(self, state: AlarmState, start: int) -> Unseen:
        digest = self._watched.identity.digest
        return await self._reader.unseen(digest, state.seen, state.default, start)

    def _start(self) -> int:
        """Return the earliest start to read, in seconds since 1970; 0 for all stored minutes."""
        if time.monotonic() >= self._read_whole + WHOLE_SECONDS:
            return 0
        return int(time.time()) - NEAR_SECONDS

    def _over(self, shares: Sequence[Rollup]) -> list[Rollup]:
        """Return the shares that no process adds to any more; for each owner the earliest ones."""
        elapsed, past = time.monotonic(), time.time() - MINUTE - LATE_SECONDS
        if self._clock.step():
            self._set_at = elapsed
        is_clear = elapsed >= self._set_at + UNSETTLED_SECONDS
        if not is_clear:
            # Waiting shares may be dated far from now, and would be missed by a read of the last
            # hour.
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

    def _moved(self, state: AlarmState, shares: Sequence[Rollup]) -> AlarmState:
        minutes: dict[int, list[Rollup]] = {}
        for share in shares:
            minutes.setdefault(share.start, []).append(share)
        for start, parts in sorted(minutes.items()):
            state = self._after(state, start, summed(part.counts for part in parts))
        seen = {share.owner: share.start + MINUTE for share in shares}
        return replace(state, seen={**state.seen, **seen})

    def _after(self, state: AlarmState, start: int, counts: Counts) -> AlarmState:
        digest = int(self._watched.identity.digest.rpartition(":")[2], 16)
        random = np.random.default_rng([digest, state.position, start])
        tests = {
            name: test.advance(state.tests[name], self._watched, counts, random)
            for name, test in TESTS.items()
        }
        new = {name for name, test in tests.items() if raised(test.largest)} - set(state.raised_at)
        return replace(
            state,
            position=max(state.position + 1, start + MINUTE),
            tests=tests,
            raised_at={**state.raised_at, **dict.fromkeys(new, start)},
        )
