"""Rollups: counts of a minute and of an hour, by bundle and by process, added up when read."""

from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import Engine, func, select

from app.events import HOUR, MICROSECONDS, MINUTE, Entry, Rollup, Tally
from app.records import ledger as module
from app.records.ledger import Ledger
from app.records.rollups import MINUTES_KEPT, read
from app.records.tables import rollups
from tests.records.conftest import CHAIN, KEY, event

ONE, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
NOON = 1_795_608_000
"""Seconds since 1970, a whole hour."""
SetTo = Callable[[float], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetTo:
    """Sets the ledger's clock, to seconds after noon."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(module, "now", lambda: int((NOON + seconds) * MICROSECONDS))

    set_to(0)
    return set_to


def counting(digest: str = ONE, **counts: int) -> Entry:
    return Entry((event(1),), tally=Tally(digest, counts))


def told(engine: Engine, span: int, digest: str = ONE) -> list[Rollup]:
    with engine.connect() as connection:
        return read(connection, digest, span, 0, NOON + 10**9)


def test_minutes_and_hours_add_up(engine: Engine, ledger: Ledger, clock: SetTo) -> None:
    """Of several in a group, of several groups, in the stretch in which they were written."""
    ledger.write([counting(rows=1, a=2), counting(rows=1), counting(rows=3, b=1)])
    clock(59.9)
    ledger.write([counting(rows=1, b=4)])
    clock(60)
    ledger.write([counting(rows=7)])
    clock(3_600)
    ledger.write([counting(rows=1, c=1)])
    first = {"rows": 6, "a": 2, "b": 5}
    minutes = [(0, first), (60, {"rows": 7}), (3_600, {"rows": 1, "c": 1})]
    hours = [(0, first | {"rows": 13}), (3_600, {"rows": 1, "c": 1})]
    for span, parts in ((MINUTE, minutes), (HOUR, hours)):
        assert [Rollup(NOON + at, counts) for at, counts in parts] == told(engine, span)


def test_bundles_are_counted_apart(engine: Engine, ledger: Ledger, clock: SetTo) -> None:
    """Also within one group."""
    ledger.write([counting(rows=1), counting(OTHER, rows=5), counting(rows=1)])
    assert [Rollup(NOON, {"rows": 2})] == told(engine, MINUTE) == told(engine, HOUR)
    assert [Rollup(NOON, {"rows": 5})] == told(engine, HOUR, OTHER)


def test_processes_are_added_up(engine: Engine, ledger: Ledger, clock: SetTo) -> None:
    """Each has rows of its own, and what is read is their sum."""
    ledger.write([counting(rows=1, a=1)])
    with closing(Ledger(engine, KEY, CHAIN[:-1] + "2")) as other:
        other.write([counting(rows=2, b=1)])
    clock(60)
    ledger.write([counting(rows=4)])
    sums = [Rollup(NOON, {"rows": 3, "a": 1, "b": 1}), Rollup(NOON + 60, {"rows": 4})]
    assert sums == told(engine, MINUTE)
    assert [{"rows": 7, "a": 1, "b": 1}] == [one.counts for one in told(engine, HOUR)]


def test_only_what_begins_in_a_window_is_read(engine: Engine, ledger: Ledger, clock: SetTo) -> None:
    """Its start is in it, its stop is not."""
    for at in range(5):
        clock(60 * at)
        ledger.write([counting(rows=at + 1)])
    with engine.connect() as connection:
        found = read(connection, ONE, MINUTE, NOON + 60, NOON + 180)
    assert [2, 3] == [one.counts["rows"] for one in found]


def test_a_clock_that_is_set_back_changes_no_stretch_that_is_over(
    engine: Engine, ledger: Ledger, clock: SetTo
) -> None:
    """What is written then counts in the latest one."""
    clock(120)
    ledger.write([counting(rows=1)])
    clock(10)
    ledger.write([counting(rows=1)])
    clock(121)
    ledger.write([counting(rows=1)])
    assert [Rollup(NOON + 120, {"rows": 3})] == told(engine, MINUTE)


def test_old_minutes_are_forgotten_and_hours_are_not(
    engine: Engine, ledger: Ledger, clock: SetTo
) -> None:
    """With the first row of an hour."""
    ledger.write([counting(rows=1)])
    clock(MINUTES_KEPT)
    ledger.write([counting(rows=1)])
    assert 2 == len(told(engine, MINUTE))
    clock(MINUTES_KEPT + HOUR)
    ledger.write([counting(rows=1)])
    assert [MINUTES_KEPT, MINUTES_KEPT + HOUR] == [one.start - NOON for one in told(engine, MINUTE)]
    assert 3 == len(told(engine, HOUR))


def test_where_nothing_is_counted_nothing_is_written(engine: Engine, ledger: Ledger) -> None:
    """As for an entry that was not added."""
    ledger.write([Entry((event(1),))])
    with engine.connect() as connection:
        assert 0 == connection.scalar(select(func.count()).select_from(rollups))
