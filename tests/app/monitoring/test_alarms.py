"""The sentry: alarms that move on minute by minute, whoever looks and however often."""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from app.errors import RecordingFailed, RecordsUnavailable
from app.monitoring import alarms as module
from app.monitoring.alarm_events import AlarmWords
from app.monitoring.alarms import UNSETTLED_SECONDS, Sentry
from app.monitoring.class_counter import ClassCounter
from app.monitoring.time_windows import LATE_SECONDS
from app.record_events import Note, Tally
from app.record_events import moment as moment_of
from tests.app.monitoring.plain import plain
from tests.app.monitoring.toy import (
    CLASSES,
    DIGEST,
    NOON,
    WATCHED,
    Clock,
    Records,
    answers,
    changed,
    columns,
    recorded,
    tally_of,
)

COUNTER = ClassCounter(WATCHED)
ROWS = 40
"""Of a minute."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr("app.clock.time", clock)
    return clock


@pytest.fixture
def records() -> Records:
    return Records()


def minute(at: int, shift: float = 0.0, *, wrong: bool = False) -> list[Tally]:
    """What came in a minute: usual rows or shifted ones, which come out as expected or do not."""
    random = np.random.default_rng(at)
    rows = columns(random, ROWS, shift)
    found = []
    for one in answers(random, rows):
        assert one.result.decision is not None
        decision = structs.replace(one.result.decision, guaranteed=True)
        found.append(changed(one, passes=50, decision=decision))
    tallies = [
        tally_of(COUNTER, [one], row[None], is_drawn=False)
        for one, row in zip(found, rows, strict=True)
    ]
    for one in found[:20]:
        shares = list(one.result.mean.values())
        label = int(np.argmin(shares)) if wrong else int(np.argmax(shares))
        tallies.append(COUNTER.came_out(recorded(one), CLASSES[label]))
    return tallies


def pass_minutes(
    records: Records, clock: Clock, count: int, shift: float = 0.0, *, wrong: bool = False
) -> None:
    for _ in range(count):
        records.add(minute(int(clock.now), shift, wrong=wrong), clock.now)
        clock.now += 60


def look(*sentries: Sentry) -> None:
    async def one_by_one() -> None:
        for sentry in sentries:
            await sentry.look()

    asyncio.run(one_by_one())


def told(sentry: Sentry) -> dict[str, Any]:
    return {alarm["name"]: alarm for alarm in alarms(sentry)}


def alarms(sentry: Sentry) -> list[dict[str, Any]]:
    return plain(asyncio.run(sentry.alarms()))


def new(records: Records) -> Sentry:
    return Sentry(records, records, WATCHED)


def moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_usual_rows_raise_nothing(clock: Clock, records: Records) -> None:
    """Before the first row and after a hundred minutes of them."""
    sentry = new(records)
    for rows in (0, 100 * ROWS):
        look(sentry)
        alarms = told(sentry)
        assert [False, False] == [alarm["raised"] for alarm in alarms.values()]
        assert {100.0} == {alarm["threshold"] for alarm in alarms.values()}
        assert (rows, rows // 2) == (alarms["drift"]["rows"], alarms["validity"]["rows"])
        pass_minutes(records, clock, 100)
        clock.now += LATE_SECONDS


def test_a_minute_is_looked_at_once_it_is_over(clock: Clock, records: Records) -> None:
    """And ten seconds later, when nothing is committed to it any more; and then only once."""
    sentry = new(records)
    records.add(minute(NOON), NOON)
    clock.now = NOON + 60 + LATE_SECONDS - 1
    look(sentry)
    assert 0 == told(sentry)["drift"]["rows"]
    clock.now += 1
    for _ in range(3):
        look(sentry)
        assert ROWS == told(sentry)["drift"]["rows"]
    clock.now += 10_000
    look(sentry)
    assert ROWS == told(sentry)["drift"]["rows"]


def test_drift_raises_its_alarm_which_stays(clock: Clock, records: Records) -> None:
    """Told are the minute and the feature; usual rows after it and a restart change nothing."""
    pass_minutes(records, clock, 5)
    sentry = new(records)
    began = int(clock.now)
    pass_minutes(records, clock, 10, shift=4.0)
    clock.now += LATE_SECONDS
    look(sentry)
    drift, validity = told(sentry).values()
    assert (True, False) == (drift["raised"], validity["raised"])
    assert "weight" == drift["largest_feature"]
    assert drift["largest"] >= 100 > validity["largest"]
    assert moment(began) <= drift["raised_at"] <= moment(began + 600)
    pass_minutes(records, clock, 10)
    for other in (sentry, new(records)):
        look(other)
        again = told(other)["drift"]
        assert (True, drift["raised_at"]) == (again["raised"], again["raised_at"])
        assert again["largest"] >= drift["largest"]


def test_broken_promises_raise_the_other_alarm(clock: Clock, records: Records) -> None:
    """Outcomes that are mostly wrong, of rows that are as usual."""
    pass_minutes(records, clock, 5, wrong=True)
    clock.now += LATE_SECONDS
    sentry = new(records)
    look(sentry)
    assert {"drift": False, "validity": True} == {
        name: alarm["raised"] for name, alarm in told(sentry).items()
    }
    assert told(sentry)["validity"]["largest_feature"] is None


def test_a_restart_goes_on_from_the_mark(clock: Clock, records: Records) -> None:
    """A new sentry every few minutes comes to what one that lived on does, digit by digit."""
    other = Records()
    one = new(other)
    for at in range(12):
        for place in (records, other):
            place.add(minute(at, at / 20), clock.now)
        clock.now += 60 + LATE_SECONDS
        look(new(records), one)
    last = new(records)
    # Before its first look it tells what was kept.
    assert 12 * ROWS == told(last)["drift"]["rows"]
    look(last)
    assert 12 * ROWS == told(last)["drift"]["rows"]
    assert alarms(one) == alarms(last)


def test_two_sentries_on_the_same_records_agree(clock: Clock, records: Records) -> None:
    """They look at random moments, also both at once: no minute counts twice, none is lost."""
    random = np.random.default_rng(7)
    alone = Records()
    single, pair = new(alone), [new(records), new(records)]

    async def several() -> None:
        for _ in range(60):
            tallies = minute(int(clock.now), 0.3)
            records.add(tallies, clock.now)
            alone.add(tallies, clock.now)
            clock.now += int(random.integers(20, 200))
            chosen = [sentry for sentry in pair if random.random() < 0.6]
            await asyncio.gather(*(sentry.look() for sentry in chosen))
        clock.now += 200
        await asyncio.gather(single.look(), *(sentry.look() for sentry in pair))
        await asyncio.gather(*(sentry.look() for sentry in pair))

    asyncio.run(several())
    assert 60 * ROWS == told(single)["drift"]["rows"]
    assert alarms(single) == alarms(pair[0]) == alarms(pair[1])


def test_what_could_not_be_read_or_written_is_looked_at_later(
    clock: Clock, records: Records
) -> None:
    """A failure moves nothing on."""
    records.add(minute(NOON), NOON)
    clock.now += 100
    sentry = new(records)
    records.fails = True
    with pytest.raises((RecordsUnavailable, RecordingFailed)):
        look(sentry)
    assert 0 == told(sentry)["drift"]["rows"]
    records.fails = False
    look(sentry)
    assert ROWS == told(sentry)["drift"]["rows"]
    other = new(records)
    look(other)
    assert ROWS == told(other)["drift"]["rows"]


WORDS = AlarmWords("kim", "prices were raised")


def say(*said: Coroutine[Any, Any, None]) -> list[BaseException | None]:
    """Have persons say something of alarms, all at once; what came of each."""

    async def all_at_once() -> list[BaseException | None]:
        return await asyncio.gather(*said, return_exceptions=True)

    return asyncio.run(all_at_once())


def drifted(records: Records, clock: Clock) -> Sentry:
    """A sentry that has seen drift."""
    sentry = new(records)
    pass_minutes(records, clock, 10, shift=4.0)
    clock.now += LATE_SECONDS
    look(sentry)
    assert told(sentry)["drift"]["raised"]
    return sentry


def test_an_alarm_begun_anew_goes_on_from_nothing(clock: Clock, records: Records) -> None:
    """Usual rows do not raise it again, drift does; the other one never notices."""
    sentry = drifted(records, clock)
    before = told(sentry)
    assert [None] == say(sentry.begin_anew("drift", WORDS))
    after = told(sentry)
    assert before["validity"] == after["validity"]
    assert (False, 0, None) == tuple(
        after["drift"][name] for name in ("raised", "rows", "raised_at")
    )
    (run,) = after["drift"]["past"]
    for name in ("raised_at", "largest", "rows"):
        assert before["drift"][name] == run[name]
    assert (WORDS.name, WORDS.note) == (run["name"], run["note"])
    assert after["drift"]["began_at"] == run["ended_at"]
    pass_minutes(records, clock, 10)
    clock.now += LATE_SECONDS
    look(sentry)
    assert (False, 10 * ROWS) == (told(sentry)["drift"]["raised"], told(sentry)["drift"]["rows"])
    pass_minutes(records, clock, 10, shift=4.0)
    clock.now += LATE_SECONDS
    other = new(records)
    look(sentry, other)
    assert told(sentry)["drift"]["raised"]
    assert alarms(sentry) == alarms(other)
    assert 30 * ROWS // 2 == told(sentry)["validity"]["rows"]


def test_what_is_said_is_an_event(clock: Clock, records: Records) -> None:
    """With what the alarm had come to; who said it stands apart, so that it can be erased."""
    sentry = drifted(records, clock)
    before = told(sentry)["drift"]
    said = (sentry.acknowledge("drift", WORDS), sentry.begin_anew("drift", WORDS))
    for one in said:
        assert [None] == say(one)
    assert ["acknowledgement", "beginning"] == [event.kind for event in records.events]
    for event in records.events:
        assert f"alarm:drift:{DIGEST[7:27]}" == event.prediction
        assert len(event.prediction) <= 36
        assert {"format": 1, "alarm": "drift", "digest": DIGEST} | {
            name: before[name] for name in ("raised_at", "largest", "rows")
        } == json.loads(event.body)
        assert {"name": WORDS.name, "note": WORDS.note} == json.loads(event.personal or b"")
    records.events = [replace(event, personal=None) for event in records.events]
    (run,) = told(sentry)["drift"]["past"]
    assert (None, None) == (run["name"], run["note"])


def test_of_two_who_acknowledge_at_once_one_does(clock: Clock, records: Records) -> None:
    """In one worker or in two; who comes later is told, and not by whom."""
    pair = [drifted(records, clock), new(records)]
    found = say(*(sentry.acknowledge("drift", WORDS) for sentry in pair * 2))
    refused = [one for one in found if one is not None]
    assert 3 == len(refused)
    assert {"the alarm is acknowledged already"} == {str(one) for one in refused}
    assert ["acknowledgement"] == [event.kind for event in records.events]
    look(*pair)
    assert alarms(pair[0]) == alarms(pair[1])
    shown = told(pair[0])["drift"]["acknowledged"]
    assert {"at", "name", "note"} == shown.keys()
    assert WORDS.name == shown["name"]


def test_nothing_is_lost_of_many_who_begin_anew(clock: Clock, records: Records) -> None:
    """Each is an event and a run, wherever it was said."""
    pair = [drifted(records, clock), new(records)]
    assert [None] * 8 == say(*(one.begin_anew("drift", WORDS) for one in pair * 4))
    look(*pair)
    assert alarms(pair[0]) == alarms(pair[1])
    past = told(pair[0])["drift"]["past"]
    assert [moment_of(event.time) for event in reversed(records.events)] == [
        run["ended_at"] for run in past
    ]
    assert [run["began_at"] for run in past] == [*(run["ended_at"] for run in past[1:]), None]


def test_a_look_does_not_undo_what_was_said_meanwhile(clock: Clock, records: Records) -> None:
    """By another worker: it is refused, and looks at the same minutes the next time."""
    late, other = drifted(records, clock), new(records)
    pass_minutes(records, clock, 3)
    clock.now += LATE_SECONDS

    async def both() -> None:
        looking = asyncio.create_task(late.look())
        await asyncio.sleep(0.002)
        await other.acknowledge("drift", WORDS)
        await looking

    records.is_slow = True
    asyncio.run(both())
    records.is_slow = False
    assert told(late)["drift"]["acknowledged"] is None
    look(late, other)
    for sentry in (late, other):
        assert told(sentry)["drift"]["acknowledged"] is not None
        assert 13 * ROWS == told(sentry)["drift"]["rows"]


def test_what_cannot_be_written_was_not_said(clock: Clock, records: Records) -> None:
    sentry = drifted(records, clock)
    records.fails = True
    (failed,) = say(sentry.begin_anew("drift", WORDS))
    assert isinstance(failed, RecordingFailed)
    records.fails = False
    look(sentry)
    assert (True, []) == (told(sentry)["drift"]["raised"], told(sentry)["drift"]["past"])


HOUR, DAY = 3_600, 86_400


@pytest.mark.parametrize("steps", [(9 * HOUR, -9 * HOUR), (DAY, -DAY), (-DAY, DAY), (-70, 50)])
def test_a_clock_that_is_set_makes_nobody_blind(
    clock: Clock, records: Records, steps: tuple[int, ...]
) -> None:
    """Every row is looked at, once, after a minute or three, as those before the step were."""
    sentry, rows, owner = new(records), 0, "one"
    for step in (0, *steps):
        clock.ahead += step
        owner = owner if step >= 0 else f"{owner}, set back"
        look(sentry)
        for _ in range(4):
            records.add(minute(int(clock.now)), clock.time(), owner)
            rows += ROWS
            for _ in range(3):
                clock.now += 20
                look(sentry)
        assert rows - 3 * ROWS <= told(sentry)["drift"]["rows"] <= rows
    for _ in range(8):
        clock.now += 20
        look(sentry)
    assert rows == told(sentry)["drift"]["rows"]
    other = new(records)
    clock.now += 1_000
    look(other)
    assert alarms(sentry) == alarms(other)


def test_drift_is_seen_after_a_clock_was_set_back(clock: Clock, records: Records) -> None:
    """Nine hours ahead for a while: the alarm is raised as soon as without it."""
    sentry = new(records)
    clock.ahead = 9 * HOUR
    look(sentry)
    pass_minutes(records, clock, 5)
    clock.now += LATE_SECONDS
    look(sentry)
    assert 5 * ROWS == told(sentry)["drift"]["rows"]
    clock.ahead = 0
    look(sentry)
    for _ in range(10):
        records.add(minute(int(clock.now), 4.0), clock.time(), "set back")
        clock.now += 60
    clock.now += LATE_SECONDS
    look(sentry)
    assert told(sentry)["drift"]["raised"]


def test_what_is_dated_in_the_future_is_looked_at_once_it_rests(
    clock: Clock, records: Records
) -> None:
    """A process that starts after the clock was set back finds it, and gives it a little time."""
    records.add(minute(NOON), NOON + DAY)
    sentry = new(records)
    look(sentry)
    clock.now += UNSETTLED_SECONDS - 1
    look(sentry)
    assert 0 == told(sentry)["drift"]["rows"]
    clock.now += 1
    look(sentry)
    assert ROWS == told(sentry)["drift"]["rows"]


def test_what_is_committed_while_the_clock_is_set_is_not_passed_over(
    clock: Clock, records: Records
) -> None:
    """The minute seems over at once, and a group is still on its way to it.

    Or the clock is set back into the minute, and its owner goes on in it as though nothing was.
    """
    records.add(minute(1), NOON)
    sentry = new(records)
    for ahead, adds in ((9 * HOUR, True), (9 * HOUR, False), (0, True), (0, False), (0, False)):
        clock.ahead = ahead
        look(sentry)
        assert 0 == told(sentry)["drift"]["rows"]
        if adds:
            records.add(minute(2), NOON)
        clock.now += 15
    look(sentry)
    assert 3 * ROWS == told(sentry)["drift"]["rows"]


def test_a_clock_that_is_set_all_the_time_makes_nobody_blind(
    clock: Clock, records: Records
) -> None:
    """Then a minute is over some time after it was seen to begin."""
    sentry = new(records)
    for _ in range(6):
        records.add(minute(int(clock.now)), clock.time())
        clock.now += 60
        clock.ahead += 5
        clock.ahead += 5
        look(sentry)
    assert told(sentry)["drift"]["rows"] >= 4 * ROWS
    clock.now += UNSETTLED_SECONDS
    look(sentry)
    assert 6 * ROWS == told(sentry)["drift"]["rows"]


@pytest.mark.parametrize("ahead", [0, DAY])
def test_a_mark_of_an_older_dubito_is_gone_on_from(
    clock: Clock, records: Records, ahead: int
) -> None:
    """It says up to which time all was looked at, though the clock was set back from that."""
    pass_minutes(records, clock, 3)
    clock.now += LATE_SECONDS
    look(new(records))
    (mark,) = records.marks.values()
    content = json.loads(mark.content)
    assert {"chain": NOON + 180} == content.pop("seen")
    records.marks.clear()
    older = Note(mark.name, mark.position + ahead, json.dumps(content).encode())
    records.marks[mark.name] = older
    sentry = new(records)
    look(sentry)
    assert 3 * ROWS == told(sentry)["drift"]["rows"]
    clock.now += 60
    for turn in range(2):
        records.add(minute(turn), clock.now, "new")
        clock.now += 60 + LATE_SECONDS
        look(new(records), sentry)
        assert (4 + turn) * ROWS == told(sentry)["drift"]["rows"]
    assert records.marks[mark.name].position > older.position


def test_all_that_is_kept_is_read_seldom(clock: Clock, records: Records) -> None:
    """At the start, after a step of the clock, where somebody new counts, and once an hour.

    Else the last hour of it is, and no owner is forgotten meanwhile.
    """

    def read_from(later: float) -> list[int]:
        clock.now += later
        records.asked.clear()
        look(sentry)
        return records.asked

    records.add(minute(1), NOON - DAY, "old")
    sentry = new(records)
    assert [0] == read_from(0)
    records.add(minute(2), NOON - 100, "old")
    assert [NOON + 20 - HOUR] == read_from(20)
    assert 2 * ROWS == told(sentry)["drift"]["rows"]
    records.add(minute(3), NOON - 2 * DAY, "behind")
    records.add(minute(4), NOON - 80, "behind")
    assert [NOON + 40 - HOUR, 0] == read_from(20)
    assert 4 * ROWS == told(sentry)["drift"]["rows"]
    assert [NOON + 60 - HOUR] == read_from(20)
    assert [0] == read_from(HOUR)
    clock.ahead = 5
    asked = [0 in read_from(20) for _ in range(6)]
    assert [False, True, True, True, True, False] == asked
    assert 4 * ROWS == told(sentry)["drift"]["rows"]
