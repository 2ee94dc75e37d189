"""The state of all alarms after the processed minutes, and the note that stores it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from app.errors import Conflict
from app.monitoring.alarm_tests import ALARMS, TESTS, AlarmName, SequentialTest
from app.problem_codes import ProblemCode
from app.record_events import MINUTE, Note
from app.watched_bundle import WatchedBundle

MOST_PAST = 20
"""Most ended runs of an alarm that are stored."""


@dataclass(frozen=True, slots=True)
class AlarmRun:
    """Final state of an alarm's run, when a person restarted the alarm."""

    alarm: str
    began_at: int | None
    """Start of the run, microseconds since 1970, UTC; None for the first run."""
    ended_at: int
    """End of the run, microseconds since 1970, UTC: the time of the event that restarted the
    alarm."""
    raised_at: int | None
    """Minute in which the alarm was raised, seconds since 1970; None if it was not."""
    largest: float
    """Natural logarithm of the largest evidence."""
    rows: int


@dataclass(frozen=True, slots=True)
class AlarmState:
    """State of all alarms after the processed minutes."""

    position: int
    """Position of the note, which only increases: the end of the last minute in seconds since 1970,
    if the clock is never set back and no person makes a statement."""
    tests: Mapping[AlarmName, SequentialTest]
    """Alarm to the state of its test."""
    raised_at: Mapping[str, int] = field(default_factory=dict)
    """Alarm to the minute in which it was raised, seconds since 1970."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """Owner of counts to the end of its last processed minute, seconds since 1970."""
    default: int = 0
    """End of the last processed minute for owners missing in `seen`, as left by an older Dubito
    that did not know owners."""
    acknowledged: Mapping[str, int] = field(default_factory=dict)
    """Raised alarm to the time at which a person acknowledged it, microseconds since 1970."""
    past: tuple[AlarmRun, ...] = ()
    """Ended runs, oldest first."""

    @classmethod
    def begin(cls, watched: WatchedBundle) -> "AlarmState":
        """Return the state before the first minute."""
        return cls(0, {name: test.begin(watched) for name, test in TESTS.items()})

    def past_of(self, alarm: AlarmName) -> list[AlarmRun]:
        """Return the ended runs of an alarm, oldest first."""
        return [run for run in self.past if run.alarm == alarm]

    def began_at(self, alarm: AlarmName) -> int | None:
        """Return the start of an alarm's run, microseconds since 1970; None for the first run."""
        past = self.past_of(alarm)
        return past[-1].ended_at if past else None

    def acknowledge(self, alarm: AlarmName, at: int) -> "AlarmState":
        """Return the state after a person acknowledged an alarm.

        Raises:
            Conflict: the alarm is not raised, or is acknowledged already.
        """
        if alarm not in self.raised_at:
            sentence = "the alarm is not raised, so that there is nothing to acknowledge"
            raise Conflict(ProblemCode.NOT_RAISED, sentence)
        if alarm in self.acknowledged:
            raise Conflict(ProblemCode.ACKNOWLEDGED, "the alarm is acknowledged already")
        acknowledged = {**self.acknowledged, alarm: at}
        return replace(self, position=self.position + 1, acknowledged=acknowledged)

    def begin_anew(self, alarm: AlarmName, at: int, fresh: "AlarmState") -> "AlarmState":
        """Return the state after a person restarted an alarm; all others are unchanged.

        Args:
            alarm: name of the alarm to restart.
            at: time of the restart, microseconds since 1970.
            fresh: state before the first minute.
        """
        runs = [*self.past_of(alarm), self._run(alarm, at)][-MOST_PAST:]
        others = (run for run in self.past if run.alarm != alarm)
        return replace(
            self,
            position=self.position + 1,
            tests={**self.tests, alarm: fresh.tests[alarm]},
            raised_at=_without(self.raised_at, alarm),
            acknowledged=_without(self.acknowledged, alarm),
            past=(*others, *runs),
        )

    def note(self, name: str, follows: int) -> Note:
        """Build the note that stores the state.

        Args:
            name: name of the note.
            follows: position of the note that the state was computed from; 0 if there was none.
        """
        told: dict[str, Any] = {
            **{name: test.to_json() for name, test in self.tests.items()},
            "raised_at": dict(self.raised_at),
            "seen": dict(self.seen),
            "default": self.default,
            "acknowledged": dict(self.acknowledged),
            "past": [asdict(run) for run in self.past],
        }
        return Note(name, self.position, json.dumps(told).encode(), follows)

    @classmethod
    def read(cls, note: Note, now: int, fresh: "AlarmState") -> "AlarmState":
        """Read a state from a note, also one of an older Dubito.

        Args:
            note: the note.
            now: seconds since 1970.
            fresh: state before the first minute, of tests that an older Dubito did not have.
        """
        told = json.loads(note.content)
        seen = told.get("seen")
        # An older Dubito recorded only a position, which may be ahead of a clock that was set back.
        looked = min(note.position, now // MINUTE * MINUTE)
        return cls(
            note.position,
            {
                name: TESTS[name].read(told[name]) if name in told else fresh.tests[name]
                for name in ALARMS
            },
            told["raised_at"],
            seen or {},
            looked if seen is None else told.get("default", 0),
            told.get("acknowledged", {}),
            tuple(AlarmRun(**run) for run in told.get("past", ())),
        )

    def _run(self, alarm: AlarmName, at: int) -> AlarmRun:
        test = self.tests[alarm]
        began_at, raised_at = self.began_at(alarm), self.raised_at.get(alarm)
        return AlarmRun(alarm, began_at, at, raised_at, test.largest, test.rows)


def _without(times: Mapping[str, int], alarm: AlarmName) -> dict[str, Any]:
    return {name: at for name, at in times.items() if name != alarm}
