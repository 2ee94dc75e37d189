"""The alarms as they are shown, and what persons said of them, which stands in events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from msgspec import json
from msgspec.structs import replace

from app.monitoring.alarm_state import ALARMS, Alarm, Run, State
from app.monitoring.report import Acknowledgement, AlarmReport, PastRun
from app.record_events import FORMAT, MICROSECONDS, Event, alarm_id, moment
from app.record_ports import Reader
from dubito.uncertainty.alarm import THRESHOLD, shown

Said = Literal["acknowledgement", "beginning"]
"""What a person may say of an alarm."""


@dataclass(frozen=True, slots=True)
class Words:
    """Who said something of an alarm, and why; None once that was erased."""

    name: str | None = None
    note: str | None = None


class Place(NamedTuple):
    """By what an event of an alarm is found again."""

    alarm: str
    kind: str
    time: int


Spoken = Mapping[Place, Words]
UNKNOWN = Words()


def event_of(kind: Said, alarm: Alarm, words: Words, at: int, state: State, digest: str) -> Event:
    """The event that says what a person said of an alarm.

    Args:
        kind: what was said.
        alarm: of which one.
        words: who said it, and why.
        at: microseconds since 1970.
        state: what the alarm had come to.
        digest: the bundle's.
    """
    watched = state.watched(alarm)
    body = {
        "format": FORMAT,
        "alarm": alarm,
        "digest": digest,
        "raised_at": _minute(state.raised_at.get(alarm)),
        "largest": shown(watched.largest),
        "rows": watched.rows,
    }
    return Event(kind, alarm_id(alarm, digest), at, json.encode(body), json.encode(words))


async def spoken(reader: Reader, state: State, digest: str) -> Spoken:
    """What was said of the alarms, as far as it was not erased; nothing is read if none was.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    found: dict[Place, Words] = {}
    for alarm in ALARMS:
        if alarm in state.acknowledged or state.past_of(alarm):
            for event in await reader.history(alarm_id(alarm, digest)):
                found[Place(alarm, event.kind, event.time)] = _words(event)
    return found


def alarm_reports(state: State, said: Spoken) -> tuple[AlarmReport, ...]:
    """Both alarms as they are shown."""
    return tuple(_alarm(name, state, said) for name in ALARMS)


def nameless(alarms: Sequence[AlarmReport]) -> tuple[AlarmReport, ...]:
    """The same without what is personal, for those whom no records are shown."""
    return tuple(
        replace(
            alarm,
            acknowledged=alarm.acknowledged and replace(alarm.acknowledged, name=None, note=None),
            past=tuple(replace(run, name=None, note=None) for run in alarm.past),
        )
        for alarm in alarms
    )


def _alarm(name: Alarm, state: State, said: Spoken) -> AlarmReport:
    watched = state.watched(name)
    at = state.raised_at.get(name)
    return AlarmReport(
        name=name,
        raised=at is not None,
        evidence=shown(watched.evidence),
        largest=shown(watched.largest),
        threshold=THRESHOLD,
        rows=watched.rows,
        raised_at=_minute(at),
        largest_feature=state.drift.foremost if name == "drift" and watched.rows else None,
        acknowledged=_acknowledged(name, state, said),
        began_at=_moment(state.began_at(name)),
        past=tuple(_run(run, said) for run in reversed(state.past_of(name))),
    )


def _acknowledged(name: Alarm, state: State, said: Spoken) -> Acknowledgement | None:
    at = state.acknowledged.get(name)
    if at is None:
        return None
    words = said.get(Place(name, "acknowledgement", at), UNKNOWN)
    return Acknowledgement(moment(at), words.name, words.note)


def _run(run: Run, said: Spoken) -> PastRun:
    words = said.get(Place(run.alarm, "beginning", run.ended_at), UNKNOWN)
    return PastRun(
        began_at=_moment(run.began_at),
        ended_at=moment(run.ended_at),
        raised_at=_minute(run.raised_at),
        largest=shown(run.largest),
        rows=run.rows,
        name=words.name,
        note=words.note,
    )


def _words(event: Event) -> Words:
    return UNKNOWN if event.personal is None else json.decode(event.personal, type=Words)


def _minute(at: int | None) -> str | None:
    """A minute in seconds since 1970 as ISO 8601."""
    return None if at is None else moment(at * MICROSECONDS)


def _moment(at: int | None) -> str | None:
    return None if at is None else moment(at)
