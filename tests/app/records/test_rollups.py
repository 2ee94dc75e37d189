"""Rollups: counts of a minute and of an hour, by bundle and by process, added up when read."""

from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import Engine, func, select

from app.clock import Clock
from app.count_keys import CountKey
from app.record_events import HOUR, MICROSECONDS, MINUTE, MINUTES_KEPT, Entry, Rollup, Tally
from app.records import ledger as module
from app.records.ledger import Ledger
from app.records.rollups import read_rollups, unseen
from app.records.tables import rollups
from tests.app.records.conftest import CHAIN, KEY, ROWS, event

ONE, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
NOON = 1_795_608_000
"""Seconds since 1970, a whole hour."""
SetTo = Callable[[float], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetTo:
    """Sets the ledger's clock, to seconds after noon."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(module, "now", lambda: int((NOON + seconds) * MICROSECONDS))
        monkeypatch.setattr(Clock, "steady", lambda _: NOON + seconds)

    set_to(0)
    return set_to


def counting(digest: str = ONE, **counts: int) -> Entry:
    return Entry((event(1),), tally=Tally(digest, keyed(**counts)))


def keyed(**counts: int) -> dict[CountKey, int]:
    """Counts by their keys."""
    return {CountKey(name): count for name, count in counts.items()}


def told(engine: Engine, span: int, digest: str = ONE) -> list[Rollup]:
    with engine.connect() as connection:
        return read_rollups(connection, digest, span, 0)


def test_minutes_and_hours_add_up(engine: Engine, ledger: Ledger, clock: SetTo) -> None:
    """Of several in a group, of several groups, in the stretch in which they were written."""
    ledger.write([counting(rows=1, a=2), counting(rows=1), counting(rows=3, b=1)])
    clock(59.9)
    ledger.write([counting(rows=1, b=4)])
    clock(60)
    ledger.write([counting(rows=7)])
    clock(3_600)
    ledger.write([counting(rows=1, c=1)])
    first, last = keyed(rows=6, a=2, b=5), keyed(rows=1, c=1)
    minutes = [(0, first), (60, keyed(rows=7)), (3_600, last)]
    hours = [(0, keyed(rows=13, a=2, b=5)), (3_600, last)]
    for span, parts in ((MINUTE, minutes), (HOUR, hours)):
        assert [Rollup(NOON + at, counts) for at, counts in parts] == told(engine, span)


def test_bundles_are_counted_apart(engine: Engine, ledger: Ledger, clock: SetTo) -> None:
    """Also within one group."""
    ledger.write([counting(rows=1), counting(OTHER, rows=5), counting(rows=1)])
    assert [Rollup(NOON, keyed(rows=2))] == told(engine, MINUTE) == told(engine, HOUR)
    assert [Rollup(NOON, keyed(rows=5))] == told(engine, HOUR, OTHER)


def test_processes_are_added_up(engine: Engine, ledger: Ledger, clock: SetTo) -> None:
    """Each has rows of its own, and what is read is their sum."""
    ledger.write([counting(rows=1, a=1)])
    with closing(Ledger(engine, KEY, CHAIN[:-1] + "2")) as other:
        other.write([counting(rows=2, b=1)])
    clock(60)
    ledger.write([counting(rows=4)])
    sums = [Rollup(NOON, keyed(rows=3, a=1, b=1)), Rollup(NOON + 60, keyed(rows=4))]
    assert sums == told(engine, MINUTE)
    assert [keyed(rows=7, a=1, b=1)] == [one.counts for one in told(engine, HOUR)]


def test_only_what_begins_late_enough_is_read(engine: Engine, ledger: Ledger, clock: SetTo) -> None:
    """The stretch that begins at that moment is."""
    for at in range(5):
        clock(60 * at)
        ledger.write([counting(rows=at + 1)])
    with engine.connect() as connection:
        found = read_rollups(connection, ONE, MINUTE, NOON + 60)
    assert [2, 3, 4, 5] == [one.counts[ROWS] for one in found]


def test_a_clock_that_is_set_back_a_little_changes_no_stretch_that_is_over(
    engine: Engine, ledger: Ledger, clock: SetTo
) -> None:
    """What is written then counts in the latest one."""
    clock(121)
    ledger.write([counting(rows=1)])
    clock(117)
    ledger.write([counting(rows=1)])
    clock(122)
    ledger.write([counting(rows=1)])
    assert [Rollup(NOON + 120, keyed(rows=3))] == told(engine, MINUTE)


def shares(
    engine: Engine, seen: dict[str, int], default: int = 0, start: int = 0
) -> list[tuple[int, int]]:
    """Starts, after noon, and rows of what was not seen."""
    with engine.connect() as connection:
        found = unseen(connection, ONE, seen, default, start).rollups
    return [(one.start - NOON, one.counts[ROWS]) for one in found]


def test_a_clock_that_is_set_back_hides_nothing(
    engine: Engine, ledger: Ledger, clock: SetTo
) -> None:
    """What is written then counts where the clock says, beside what was there.

    Whoever has looked at all before finds it, and nothing twice, however often it is set.
    """
    seen, hours, rows = dict[str, int](), (0, 9, 0, 24, 0, -9, 0, -24), 0
    for turn, hour in enumerate(hours):
        clock(hour * HOUR + turn)
        ledger.write([counting(rows=2**turn)])
        rows += 2**turn
        with engine.connect() as connection:
            (share,) = unseen(connection, ONE, seen, 0, 0).rollups
        assert (NOON + hour * HOUR, 2**turn) == (share.start, share.counts[ROWS])
        for span in (MINUTE, HOUR):
            assert rows == sum(one.counts[ROWS] for one in told(engine, span))
        seen[share.owner] = share.start + MINUTE
    at_noon = sum(2**turn for turn, hour in enumerate(hours) if hour == 0)
    assert at_noon == next(one for one in told(engine, MINUTE) if one.start == NOON).counts[ROWS]


def test_what_was_not_seen_is_known_by_its_owner(
    engine: Engine, ledger: Ledger, clock: SetTo
) -> None:
    """Of each owner what is later than was seen of it; of others from a default on."""
    other = CHAIN[:-1] + "2"
    with closing(Ledger(engine, KEY, other)) as second:
        for at in range(3):
            clock(60 * at)
            ledger.write([counting(rows=at), counting(OTHER, rows=99)])
            second.write([counting(rows=10 + at)])
    assert [(0, 0), (0, 10), (60, 1), (60, 11), (120, 2), (120, 12)] == shares(engine, {})
    assert [(60, 11), (120, 2), (120, 12)] == shares(engine, {CHAIN: NOON + 120}, NOON + 60)
    assert [(120, 2)] == shares(engine, {CHAIN: NOON + 61, other: NOON + 180})
    assert [] == shares(engine, {}, NOON + 180)
    assert [(120, 2), (120, 12)] == shares(engine, {CHAIN: NOON + 60}, start=NOON + 120)


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


def test_a_clock_that_is_set_far_ahead_makes_nobody_forget(
    engine: Engine, ledger: Ledger, clock: SetTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes are kept for as long as time has passed, whatever the clock says."""
    ledger.write([counting(rows=1)])
    clock(400 * 24 * HOUR)
    monkeypatch.setattr(Clock, "steady", lambda _: NOON + 1.0)
    ledger.write([counting(rows=1)])
    assert 2 == len(told(engine, MINUTE))


def test_where_nothing_is_counted_nothing_is_written(engine: Engine, ledger: Ledger) -> None:
    """As for an entry that was not added."""
    ledger.write([Entry((event(1),))])
    with engine.connect() as connection:
        assert 0 == connection.scalar(select(func.count()).select_from(rollups))
