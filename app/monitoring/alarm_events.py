"""Reports of the alarms, and the events that record what persons stated about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import json
from msgspec.structs import replace

from app.monitoring.alarm_state import AlarmRun, AlarmState
from app.monitoring.alarm_tests import ALARMS, TESTS, AlarmName
from app.monitoring.report import Acknowledgement, AlarmReport, PastRun
from app.record_events import (
    FORMAT,
    MICROSECONDS,
    AlarmStatement,
    Event,
    alarm_id,
    moment,
)
from app.record_ports import Reader
from dubito.uncertainty.alarm_threshold import THRESHOLD, finite_evidence


@dataclass(frozen=True, slots=True)
class AlarmWords:
    """Author and text of a statement about an alarm; None after erasure."""

    name: str | None = None
    note: str | None = None


class StatementKey(NamedTuple):
    """Key of a statement: the alarm, the kind and the time, microseconds since 1970."""

    alarm: str
    kind: str
    time: int


Spoken = Mapping[StatementKey, AlarmWords]
UNKNOWN = AlarmWords()


def event_of(
    kind: AlarmStatement,
    alarm: AlarmName,
    words: AlarmWords,
    at: int,
    state: AlarmState,
    digest: str,
) -> Event:
    """Build the event of a person's statement about an alarm.

    Args:
        kind: kind of the statement.
        alarm: name of the alarm.
        words: author and text of the statement.
        at: time of the statement, microseconds since 1970.
        state: state of the alarms before the statement.
        digest: digest of the bundle.
    """
    test = state.tests[alarm]
    body = {
        "format": FORMAT,
        "alarm": alarm,
        "digest": digest,
        "raised_at": _minute(state.raised_at.get(alarm)),
        "largest": finite_evidence(test.largest),
        "rows": test.rows,
    }
    return Event(kind, alarm_id(alarm, digest), at, json.encode(body), json.encode(words))


async def spoken(reader: Reader, state: AlarmState, digest: str) -> Spoken:
    """Read the statements about the alarms that are not erased; no query if there are none.

    Raises:
        RecordsUnavailable: the database does not respond.
    """
    found: dict[StatementKey, AlarmWords] = {}
    for alarm in ALARMS:
        if alarm in state.acknowledged or state.past_of(alarm):
            for event in await reader.history(alarm_id(alarm, digest)):
                found[StatementKey(alarm, event.kind, event.time)] = _words(event)
    return found


def alarm_reports(state: AlarmState, said: Spoken) -> tuple[AlarmReport, ...]:
    """Build the reports of all alarms."""
    return tuple(_alarm(name, state, said) for name in ALARMS)


def nameless(alarms: Sequence[AlarmReport]) -> tuple[AlarmReport, ...]:
    """Remove personal data from reports, for callers that may not see records."""
    return tuple(
        replace(
            alarm,
            acknowledged=alarm.acknowledged and replace(alarm.acknowledged, name=None, note=None),
            past=tuple(replace(run, name=None, note=None) for run in alarm.past),
        )
        for alarm in alarms
    )


def _alarm(name: AlarmName, state: AlarmState, said: Spoken) -> AlarmReport:
    test = state.tests[name]
    at = state.raised_at.get(name)
    return AlarmReport(
        name=name,
        raised=at is not None,
        evidence=finite_evidence(test.evidence),
        largest=finite_evidence(test.largest),
        threshold=THRESHOLD,
        rows=test.rows,
        raised_at=_minute(at),
        largest_feature=TESTS[name].feature(test) if test.rows else None,
        acknowledged=_acknowledged(name, state, said),
        began_at=_moment(state.began_at(name)),
        past=tuple(_run(run, said) for run in reversed(state.past_of(name))),
    )


def _acknowledged(name: AlarmName, state: AlarmState, said: Spoken) -> Acknowledgement | None:
    at = state.acknowledged.get(name)
    if at is None:
        return None
    words = said.get(StatementKey(name, "acknowledgement", at), UNKNOWN)
    return Acknowledgement(moment(at), words.name, words.note)


def _run(run: AlarmRun, said: Spoken) -> PastRun:
    words = said.get(StatementKey(run.alarm, "beginning", run.ended_at), UNKNOWN)
    return PastRun(
        began_at=_moment(run.began_at),
        ended_at=moment(run.ended_at),
        raised_at=_minute(run.raised_at),
        largest=finite_evidence(run.largest),
        rows=run.rows,
        name=words.name,
        note=words.note,
    )


def _words(event: Event) -> AlarmWords:
    return UNKNOWN if event.personal is None else json.decode(event.personal, type=AlarmWords)


def _minute(at: int | None) -> str | None:
    """Format a minute, in seconds since 1970, as ISO 8601."""
    return None if at is None else moment(at * MICROSECONDS)


def _moment(at: int | None) -> str | None:
    return None if at is None else moment(at)
