"""What a person says of an alarm: it changes that alarm alone, and forgets nothing that was."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.errors import Conflict
from app.monitoring.alarm_events import AlarmWords, StatementKey, alarm_reports, nameless
from app.monitoring.alarm_state import MOST_PAST, AlarmRun, AlarmState
from app.monitoring.alarm_tests import ALARMS, AlarmName, SequentialTest
from app.record_events import Note
from dubito.uncertainty.drift_alarm import Watch
from dubito.uncertainty.validity_alarm import BettingState, PromiseTrials
from tests.app.monitoring.plain import told
from tests.app.monitoring.toy import NOON, WATCHED

FRESH = AlarmState.begin(WATCHED)
AT = NOON * 1_000_000 + 5


def moved(position: int = NOON) -> AlarmState:
    """After rows and outcomes by which both alarms are raised."""
    tests: dict[AlarmName, SequentialTest] = {
        "drift": Watch.begin(WATCHED.streams).advance(
            {"weight": {0: 500}}, np.random.default_rng(0)
        ),
        "validity": BettingState.begin().advance({0.1: PromiseTrials(50, 50)}, {}, {}),
    }
    seen = {"one": NOON, "two": NOON - 60}
    raised_at = {"drift": NOON - 60, "validity": NOON - 120}
    return AlarmState(position, tests, raised_at, seen)


@pytest.mark.parametrize("alarm", ALARMS)
def test_begun_anew_an_alarm_knows_nothing_and_the_other_all(alarm: AlarmName) -> None:
    """Bit for bit; what was looked at stays so, and what it had come to is told."""
    before = moved().acknowledge("drift", AT).acknowledge("validity", AT + 1)
    after = before.begin_anew(alarm, AT + 2, FRESH)
    other = next(name for name in ALARMS if name != alarm)
    assert FRESH.tests[alarm] == after.tests[alarm]
    assert before.tests[other] is after.tests[other]
    assert {other: before.raised_at[other]} == after.raised_at
    assert {other: before.acknowledged[other]} == after.acknowledged
    assert (before.seen, before.position + 1) == (after.seen, after.position)
    test = before.tests[alarm]
    run = AlarmRun(alarm, None, AT + 2, before.raised_at[alarm], test.largest, test.rows)
    assert ((run,), AT + 2, None) == (after.past, after.began_at(alarm), after.began_at(other))


def test_runs_follow_one_another_and_the_newest_are_kept() -> None:
    """Of each alarm: those of one never push out the other's."""
    state = moved().begin_anew("validity", AT, FRESH)
    for turn in range(MOST_PAST + 5):
        state = state.begin_anew("drift", AT + turn, FRESH)
    past = state.past_of("drift")
    assert (MOST_PAST, 1) == (len(past), len(state.past_of("validity")))
    assert [run.ended_at for run in past[:-1]] == [run.began_at for run in past[1:]]
    assert AT + MOST_PAST + 4 == past[-1].ended_at == state.began_at("drift")
    shown = told(state, {})[0]["past"]
    assert [run["ended_at"] for run in shown] == sorted(
        (run["ended_at"] for run in shown), reverse=True
    )


def test_what_is_acknowledged_is_raised_and_only_once() -> None:
    """Until the alarm is begun anew and raised again."""
    with pytest.raises(Conflict, match="not raised"):
        FRESH.acknowledge("drift", AT)
    state = moved().acknowledge("drift", AT)
    assert {"drift": AT} == state.acknowledged
    with pytest.raises(Conflict, match="acknowledged already"):
        state.acknowledge("drift", AT + 1)
    again = state.begin_anew("drift", AT + 2, FRESH)
    with pytest.raises(Conflict, match="not raised"):
        again.acknowledge("drift", AT + 3)
    raised = replace(again, raised_at={**again.raised_at, "drift": NOON + 600})
    assert {"drift": AT + 4} == raised.acknowledge("drift", AT + 4).acknowledged


def test_a_mark_holds_all_of_it() -> None:
    """Also the time before which owners without a name were looked at."""
    state = replace(moved(), default=NOON - 60).acknowledge("validity", AT)
    state = state.begin_anew("drift", AT + 1, FRESH)
    mark = state.note("watch", 7)
    assert (state.position, 7) == (mark.position, mark.follows)
    assert state == AlarmState.read(mark, NOON + 600, FRESH)


def test_marks_of_older_versions_are_read() -> None:
    """Those of no acknowledgement, of an alarm less, and those that looked at all before a time."""
    content = json.loads(moved().note("watch", 0).content)
    for name in ("acknowledged", "past", "default"):
        del content[name]
    assert moved() == AlarmState.read(
        Note("watch", NOON, json.dumps(content).encode()), NOON, FRESH
    )
    fewer = {name: value for name, value in content.items() if name != "validity"}
    less = AlarmState.read(Note("watch", NOON, json.dumps(fewer).encode()), NOON, FRESH)
    assert {"drift": moved().tests["drift"], "validity": FRESH.tests["validity"]} == less.tests
    del content["seen"]
    older = AlarmState.read(Note("watch", NOON, json.dumps(content).encode()), NOON + 600, FRESH)
    assert ({}, NOON) == (older.seen, older.default)
    again = older.begin_anew("drift", AT, FRESH)
    assert older.default == AlarmState.read(again.note("watch", NOON), NOON + 900, FRESH).default


def test_names_are_shown_as_long_as_they_are_kept() -> None:
    """And to those alone whom records are shown."""
    state = moved().acknowledge("validity", AT).begin_anew("drift", AT + 1, FRESH)
    said = {
        StatementKey("validity", "acknowledgement", AT): AlarmWords("kim", "seen"),
        StatementKey("validity", "acknowledgement", AT - 1): AlarmWords("lee", "of another run"),
        StatementKey("drift", "beginning", AT + 1): AlarmWords("park", "new prices"),
    }
    drift, validity = alarm_reports(state, said)
    assert validity.acknowledged is not None
    assert ("kim", "seen") == (validity.acknowledged.name, validity.acknowledged.note)
    assert ["park"] == [run.name for run in drift.past]
    unsaid = alarm_reports(state, {})
    assert nameless([drift, validity]) == unsaid == nameless(unsaid)
    fresh = alarm_reports(FRESH, {})
    assert fresh == nameless(fresh)
