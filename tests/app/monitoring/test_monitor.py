"""The monitor: figures that are read once a second, whoever asks and however many."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.count_keys import CountKey, Family, key
from app.errors import RecordsUnavailable
from app.http.statistics_models import UncertaintyFigures
from app.monitoring import monitor as module
from app.monitoring import request_counts
from app.monitoring.alarms import Sentry
from app.monitoring.class_counter import ClassCounter
from app.monitoring.monitor import MOST_RANGES, USUAL, Monitor, ReportJson
from app.monitoring.time_windows import Stretch, Window, fitting, spanning
from app.record_events import Tally
from tests.app.monitoring.plain import estimate, figures, outcomes, report, service, shift
from tests.app.monitoring.toy import (
    CALM,
    CLASSES,
    NOON,
    POLICY,
    WATCHED,
    Clock,
    Records,
    answers,
    columns,
    recorded,
    tally_of,
)

COUNTER = ClassCounter(WATCHED)
ROWS = key(Family.ROWS)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def records() -> Records:
    return Records()


def watched(records: Records) -> Monitor:
    return Monitor(records, Sentry(records, records, WATCHED), WATCHED, CALM)


def tallies(seed: int, count: int) -> list[Tally]:
    """Of some rows, and of how some of them came out."""
    random = np.random.default_rng(seed)
    rows = columns(random, count)
    answered = answers(random, rows)
    known = [COUNTER.came_out(recorded(one), str(random.choice(CLASSES))) for one in answered[::3]]
    return [tally_of(COUNTER, answered, rows, is_drawn=True), *known]


def asked(seed: int) -> Tally:
    """Of some exchanges."""
    random = np.random.default_rng(seed)
    names = random.choice(["status.200", "grading.200", "status.503", "latency.40"], 8)
    return Tally(request_counts.DIGEST, Counter(map(CountKey, names.tolist())))


def read(monitor: Monitor, window: Stretch = USUAL) -> ReportJson:
    return asyncio.run(monitor.content(window))


def test_figures_are_those_of_all_that_was_counted(clock: Clock, records: Records) -> None:
    """In total and step by step, beside the same computed from the counts of the window."""
    random = np.random.default_rng(0)
    for at in random.integers(NOON - 5_000, NOON + 30, 40).tolist():
        records.add([*tallies(at, 5), asked(at)], at)
    clock.now = NOON + 30
    values = report(read(watched(records)))
    start, end = NOON - 3_540, NOON + 60
    whole = records.whole(start, end)
    assert whole[ROWS] == values["total"]["rows"]
    assert figures(whole, CLASSES) == values["total"]
    assert outcomes(whole, POLICY) == values["outcomes"]
    assert estimate(whole) == values["estimate"]
    now = {"last_record": None, "queue": 0, "trouble": None}
    served = service(records.whole(start, end, request_counts.DIGEST))
    assert served["requests"] > 40
    assert served | now == values["service"]
    assert shift(whole, WATCHED.streams) == values["drift"]
    steps = [
        {
            "start": datetime.fromtimestamp(at, UTC).isoformat(),
            **figures(records.whole(at, at + 60), CLASSES),
            "service": service(records.whole(at, at + 60, request_counts.DIGEST)),
        }
        for at in range(start, end, 60)
    ]
    assert steps == values["steps"]


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=8))
@settings(max_examples=25)
def test_figures_that_moved_on_are_those_read_anew(moves: list[tuple[int, bool]]) -> None:
    """However often one looked before: the same bytes as of a monitor that never did."""
    with pytest.MonkeyPatch.context() as patch:
        clock, records = Clock(), Records()
        patch.setattr(module, "time", clock)
        old = watched(records)
        for seconds, looks in moves:
            clock.now += 2 + seconds
            records.add([*tallies(seconds, 3), asked(seconds)], clock.now)
            if looks:
                assert read(watched(records)).body == read(old).body
        clock.now += 2
        assert read(watched(records)).body == read(old).body


@pytest.mark.parametrize("step", ["1m", "10m", "1h"])
def test_any_step_tells_the_same_total(clock: Clock, records: Records, step: str) -> None:
    """Minutes or hours: the same rows."""
    records.add(tallies(1, 30), NOON - 100)
    records.add(tallies(2, 30), NOON + 20)
    clock.now = NOON + 50 * 60
    usual = report(read(watched(records), Window("6h", "10m")))["total"]
    assert 60 == usual["rows"]
    assert usual == report(read(watched(records), fitting("6h", step)))["total"]


def test_they_are_kept_for_a_second(clock: Clock, records: Records) -> None:
    """Then read again; as nothing changed, the tag is the same, and else another."""
    monitor = watched(records)
    first = read(monitor)
    records.add(tallies(3, 4), clock.now)
    clock.now += 1
    assert first is read(monitor)
    assert 1 == len(records.asked)
    clock.now += 0.1
    second = read(monitor)
    assert 2 == len(records.asked)
    assert first.tag != second.tag
    clock.now += 2
    third = read(monitor)
    assert second is not third
    assert (second.tag, second.body) == (third.tag, third.body)
    assert third.report is monitor.latest


def test_many_who_ask_at_once_have_them_read_once(clock: Clock, records: Records) -> None:
    """Fifty at once, of two windows: two readings."""
    records.is_slow = True
    monitor = watched(records)

    async def ask() -> list[ReportJson]:
        windows = [USUAL, Window("1d", "1h")] * 25
        return await asyncio.gather(*(monitor.content(window) for window in windows))

    found = asyncio.run(ask())
    assert 2 == len(records.asked) == len({id(content) for content in found})


def test_who_goes_away_leaves_them_whole(clock: Clock, records: Records) -> None:
    """A listener that is cancelled at any moment spoils neither the reading nor the next one."""
    monitor = watched(records)

    async def ask() -> list[bool]:
        same = []
        for moment in range(12):
            records.add(tallies(moment, 3), clock.now + 30)
            clock.now += 200
            await leave(monitor, moment)
            clock.now += 3
            content = await monitor.content(USUAL)
            same.append(content.body == (await watched(records).content(USUAL)).body)
        return same

    assert [True] * 12 == asyncio.run(ask())


async def leave(monitor: Monitor, moment: int) -> None:
    """Ask, and go away before there is an answer."""
    leaving = asyncio.create_task(monitor.content(USUAL))
    for _ in range(moment):
        await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)


def test_what_was_begun_for_somebody_who_left_is_for_others(clock: Clock, records: Records) -> None:
    """They wait for the same reading, and no second one begins beside it."""
    records.is_slow = True
    monitor = watched(records)

    async def ask() -> None:
        await leave(monitor, 3)
        await monitor.content(USUAL)

    asyncio.run(ask())
    assert 1 == len(records.asked)


def test_records_that_do_not_answer_are_told(clock: Clock, records: Records) -> None:
    """To everybody who waits; the next who asks has figures again."""
    monitor = watched(records)

    async def ask() -> list[object]:
        return list(
            await asyncio.gather(
                *(monitor.content(USUAL) for _ in range(3)), return_exceptions=True
            )
        )

    records.fails = records.is_slow = True
    assert [RecordsUnavailable] * 3 == list(map(type, asyncio.run(ask())))
    assert monitor.latest is None
    records.fails = False
    assert 60 == len(report(read(monitor))["steps"])


def test_the_body_is_as_documented(clock: Clock, records: Records) -> None:
    """OpenAPI's model takes it; it names the window, its bounds and the bundle."""
    records.add(tallies(5, 80), NOON)
    content = read(watched(records), Window("6h", "10m"))
    told = json.loads(content.body)
    UncertaintyFigures.model_validate(told, strict=True)
    assert ("6h", "10m", "shells", 3) == (
        told["window"],
        told["step"],
        told["model"]["name"],
        told["model"]["version"],
    )
    assert 36 == len(told["steps"])
    assert [told["start"], "drift", "validity"] == [
        told["steps"][0]["start"],
        *(alarm["name"] for alarm in told["alarms"]),
    ]


# Ranges.


@pytest.mark.parametrize(("since", "until"), [(-1_500, 45), (-3_600, 0), (-90_000, 7_000)])
@pytest.mark.parametrize("step", [None, "1m", "10m", "1h", "1d"])
def test_a_range_has_what_its_minutes_have(
    clock: Clock, records: Records, since: int, until: int, step: str | None
) -> None:
    """In whole and step by step, whichever the step is; nothing of before or after."""
    for at in np.random.default_rng(-since).integers(NOON - 93_600, NOON + 60, 60).tolist():
        records.add([*tallies(at, 2), asked(at)], at)
    clock.now = NOON + 30
    window = spanning(NOON + since, NOON + until, step, clock.now)
    values = report(read(watched(records), window))
    whole = records.whole(window.start, window.end)
    assert whole[ROWS] == values["total"]["rows"] == sum(one["rows"] for one in values["steps"])
    served = service(records.whole(window.start, window.end, request_counts.DIGEST))
    assert served["requests"] == values["service"]["requests"]
    assert served["requests"] == sum(one["service"]["requests"] for one in values["steps"])
    assert None is values["window"]


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=8))
@settings(max_examples=25)
def test_a_range_that_was_looked_at_is_as_read_anew(moves: list[tuple[int, bool]]) -> None:
    """While it goes on, and once it is over."""
    with pytest.MonkeyPatch.context() as patch:
        clock, records = Clock(), Records()
        patch.setattr(module, "time", clock)
        old, window = watched(records), spanning(NOON - 90, NOON + 900, "10m", NOON)
        for seconds, looks in moves:
            clock.now += 2 + seconds
            records.add([*tallies(seconds, 3), asked(seconds)], clock.now)
            if looks:
                assert read(watched(records), window).body == read(old, window).body
        clock.now += 2
        assert read(watched(records), window).body == read(old, window).body


def test_a_long_range_is_read_in_parts(clock: Clock, records: Records) -> None:
    """No more hours at a time than of any window; day by day it has all of them."""
    for day in range(0, 400, 7):
        records.add([*tallies(day, 2), asked(day)], NOON - day * 86_400)
    window = spanning(NOON - 399 * 86_400, NOON + 86_400, None, NOON)
    values = report(read(watched(records), window))
    parts = -(-400 * 24 // 1_500)
    assert (parts, "1d", 400) == (len(records.asked), values["step"], len(values["steps"]))
    whole = records.whole(window.start, window.end)
    assert whole[ROWS] == values["total"]["rows"] == sum(one["rows"] for one in values["steps"])
    assert 58 * 8 == sum(records.whole(window.start, window.end, request_counts.DIGEST).values())


def test_few_ranges_are_kept(clock: Clock, records: Records) -> None:
    """Of those that were asked for last; windows stay."""
    monitor = watched(records)
    first = read(monitor)
    ranges = [spanning(NOON - 60 * at, NOON, None, NOON) for at in range(1, 10)]
    for window in ranges:
        read(monitor, window)
        assert report(read(monitor, ranges[0]))["start"]
    count = len(records.asked)
    assert read(monitor) is first
    for window in (ranges[0], *ranges[-MOST_RANGES + 1 :]):
        read(monitor, window)
    assert count == len(records.asked)
    read(monitor, ranges[1])
    assert count + 1 == len(records.asked)


def test_no_more_ranges_are_read_at_once_than_are_kept(clock: Clock, records: Records) -> None:
    """The rest is refused, and told to come again; the same ones are read once for many."""
    records.is_slow = True
    monitor = watched(records)
    ranges = [spanning(NOON - 60 * at, NOON, None, NOON) for at in range(1, MOST_RANGES + 3)]

    async def ask() -> list[object]:
        several = [monitor.content(window) for window in ranges for _ in range(3)]
        return list(await asyncio.gather(*several, return_exceptions=True))

    kinds = Counter(type(one) for one in asyncio.run(ask()))
    assert {ReportJson: 3 * MOST_RANGES, RecordsUnavailable: 3 * 2} == kinds
    assert MOST_RANGES == len(records.asked)


def test_counts_of_exchanges_move_no_alarm(clock: Clock, records: Records) -> None:
    """The sentry reads its bundle's, which the toy insists on."""
    records.add([asked(at) for at in range(40)], NOON - 600)
    sentry = Sentry(records, records, WATCHED)
    asyncio.run(sentry.look())
    assert [0, 0] == [one.rows for one in asyncio.run(sentry.alarms())]
    assert {} == records.marks
