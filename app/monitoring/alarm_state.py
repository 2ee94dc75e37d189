"""The state of both alarms: what is known after some minutes, and the note that holds it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from app.errors import Conflict
from app.problem_codes import ProblemCode
from app.record_events import MINUTE, Note
from app.watched_bundle import WatchedBundle
from dubito.uncertainty.betting import Outcomes
from dubito.uncertainty.watch import Watch

Alarm = Literal["drift", "validity"]
ALARMS: tuple[Alarm, ...] = get_args(Alarm)
MOST_PAST = 20
"""Runs of an alarm that are kept once they have ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """What an alarm had come to when a person began it anew."""

    alarm: str
    began_at: int | None
    """Microseconds since 1970, UTC; None of the first run."""
    ended_at: int
    """Likewise: the time of the event that says so."""
    raised_at: int | None
    """The minute in which it was raised, seconds since 1970."""
    largest: float
    """Logarithm of the largest evidence."""
    rows: int


@dataclass(frozen=True, slots=True)
class State:
    """What is known after some minutes."""

    position: int
    """The note's, which only moves on: the end of the last minute, if the clock is never set and no
    person says anything of an alarm."""
    drift: Watch
    validity: Outcomes
    raised_at: Mapping[str, int] = field(default_factory=dict)
    """Name of an alarm to the minute in which it was raised."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """Owner of counts to the end of the last minute of its that was looked at."""
    default: int = 0
    """The same of owners that are not named, which an older Dubito knew no names of."""
    acknowledged: Mapping[str, int] = field(default_factory=dict)
    """Name of a raised alarm to the time at which a person acknowledged it, microseconds."""
    past: tuple[Run, ...] = ()
    """Runs that have ended, the oldest first."""

    @classmethod
    def begin(cls, watched: WatchedBundle) -> "State":
        """Before the first minute."""
        policy = None if watched.calibration is None else watched.calibration.policy
        of_cases = policy is not None and policy.is_of_cases
        return cls(0, Watch.begin(watched.streams), Outcomes.begin(of_cases=of_cases))

    def watched(self, alarm: Alarm) -> Watch | Outcomes:
        """What an alarm goes by."""
        return self.drift if alarm == "drift" else self.validity

    def past_of(self, alarm: Alarm) -> list[Run]:
        """The runs of an alarm that have ended, the oldest first."""
        return [run for run in self.past if run.alarm == alarm]

    def began_at(self, alarm: Alarm) -> int | None:
        """When the run of an alarm began that goes on, microseconds; None of the first run."""
        past = self.past_of(alarm)
        return past[-1].ended_at if past else None

    def acknowledge(self, alarm: Alarm, at: int) -> "State":
        """After a person acknowledged an alarm.

        Raises:
            Conflict: it is not raised, or acknowledged already.
        """
        if alarm not in self.raised_at:
            sentence = "the alarm is not raised, so that there is nothing to acknowledge"
            raise Conflict(ProblemCode.NOT_RAISED, sentence)
        if alarm in self.acknowledged:
            raise Conflict(ProblemCode.ACKNOWLEDGED, "the alarm is acknowledged already")
        acknowledged = {**self.acknowledged, alarm: at}
        return replace(self, position=self.position + 1, acknowledged=acknowledged)

    def begin_anew(self, alarm: Alarm, at: int, fresh: "State") -> "State":
        """After a person began an alarm anew; the other one is as it was.

        Args:
            alarm: which one.
            at: microseconds since 1970.
            fresh: the state before the first minute.
        """
        runs = [*self.past_of(alarm), self._run(alarm, at)][-MOST_PAST:]
        others = (run for run in self.past if run.alarm != alarm)
        return replace(
            self,
            position=self.position + 1,
            drift=fresh.drift if alarm == "drift" else self.drift,
            validity=fresh.validity if alarm == "validity" else self.validity,
            raised_at=_without(self.raised_at, alarm),
            acknowledged=_without(self.acknowledged, alarm),
            past=(*others, *runs),
        )

    def note(self, name: str, follows: int) -> Note:
        """The note that holds it.

        Args:
            name: the note's.
            follows: position of the note that it was made from; 0 if there was none.
        """
        told = {
            "drift": self.drift.to_json(),
            "validity": self.validity.to_json(),
            "raised_at": dict(self.raised_at),
            "seen": dict(self.seen),
            "default": self.default,
            "acknowledged": dict(self.acknowledged),
            "past": [asdict(run) for run in self.past],
        }
        return Note(name, self.position, json.dumps(told).encode(), follows)

    @classmethod
    def read(cls, note: Note, now: int) -> "State":
        """From a note, of an older Dubito as well; it is so many seconds since 1970."""
        told = json.loads(note.content)
        seen = told.get("seen")
        # An older Dubito looked at all before a time, from which the clock may have been set back.
        looked = min(note.position, now // MINUTE * MINUTE)
        return cls(
            note.position,
            Watch.from_json(told["drift"]),
            Outcomes.from_json(told["validity"]),
            told["raised_at"],
            seen or {},
            looked if seen is None else told.get("default", 0),
            told.get("acknowledged", {}),
            tuple(Run(**run) for run in told.get("past", ())),
        )

    def _run(self, alarm: Alarm, at: int) -> Run:
        watched = self.watched(alarm)
        began_at, raised_at = self.began_at(alarm), self.raised_at.get(alarm)
        return Run(alarm, began_at, at, raised_at, watched.largest, watched.rows)


def _without(times: Mapping[str, int], alarm: Alarm) -> dict[str, Any]:
    return {name: at for name, at in times.items() if name != alarm}
