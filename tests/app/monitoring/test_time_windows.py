"""Windows of time: their steps, and what of them is read again."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.count_keys import CountKey, Family, key, summed
from app.monitoring.time_windows import (
    ANEW_SECONDS,
    LATE_SECONDS,
    MOST_STRETCHES,
    STEPS,
    WINDOWS,
    Length,
    Steps,
    Window,
    fitting,
    spanning,
)
from app.record_events import MINUTES_KEPT, Rollup
from tests.app.monitoring.toy import NOON

EVERY = [(length, step) for length in WINDOWS for step in (None, *STEPS)]
HOUR = Window("1h", "1m")
ROWS = key(Family.ROWS)


@pytest.mark.parametrize(("length", "step"), EVERY)
@pytest.mark.parametrize("now", [NOON - 1, NOON, NOON + 1, NOON + 61 * 61])
def test_every_window_has_steps_that_fit(length: str, step: str | None, now: int) -> None:
    """They divide it, the last one holds the present, and no more are read than is allowed."""
    window = fitting(length, step)
    seconds, long = WINDOWS[length].seconds, STEPS[window.step]
    start, end = window.bounds(now)
    assert (0, 0) == (seconds % long, end % long)
    assert seconds == end - start
    assert end - long <= now < end
    assert 1 <= seconds // long <= MOST_STRETCHES
    assert seconds // window.span <= MOST_STRETCHES
    assert 0 == long % window.span


@pytest.mark.parametrize(
    ("length", "step", "expected"),
    [
        ("1h", None, "1m"),
        ("30d", None, "1d"),
        ("1d", "1m", "1m"),
        ("7d", "1m", "1h"),
        ("30d", "10m", "1h"),
        ("1h", "1d", "1h"),
        ("6h", "1h", "1h"),
        ("6h", "1d", "1h"),
        ("1d", "1d", "1d"),
    ],
)
def test_a_step_that_does_not_fit_is_the_nearest(
    length: str, step: str | None, expected: str
) -> None:
    assert expected == fitting(length, step).step


class Book:
    """Counts by minute as they come, and steps that are read from it."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.steps = Steps(window)
        self.minutes: dict[int, int] = {}
        self.since = 0

    def write(self, at: int) -> None:
        self.minutes[at // 60 * 60] = self.minutes.get(at // 60 * 60, 0) + 1

    def read(self, now: int) -> None:
        start, end = self.window.bounds(now)
        self.since = self.steps.since(start, now)
        self.steps.take(list(self._from(self.since)), (start, end), now)

    def whole(self, now: int) -> dict[int, dict[CountKey, int]]:
        """All steps, read anew."""
        step, (start, end) = STEPS[self.window.step], self.window.bounds(now)
        return {
            at: summed(one.counts for one in self._from(at, inf if at + step == end else at + step))
            for at in range(start, end, step)
        }

    def _from(self, start: int, end: float = inf) -> list[Rollup]:
        found = sorted((at, count) for at, count in self.minutes.items() if start <= at < end)
        return [Rollup(at, {ROWS: count}) for at, count in found]


MOVES = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 90), st.sampled_from([-3_600, -70, -1, 600, 3_590, 9_000])),
        st.booleans(),
        st.integers(0, LATE_SECONDS - 1),
    ),
    max_size=40,
)


@given(MOVES, st.sampled_from([HOUR, Window("1h", "10m"), Window("6h", "10m")]))
def test_what_is_not_read_again_has_not_changed(
    moves: list[tuple[int, bool, int]], window: Window
) -> None:
    """Idle for hours, read twice a second, a late commit, a clock set back: all steps are right.

    What a clock that was set back adds to old minutes is found if somebody looks meanwhile, else a
    minute later. What is dated later than the present is in the last step.
    """
    book, now = Book(window), NOON
    for more, reads, late in moves:
        now += more
        book.write(now - late)
        if reads or more < 0:
            book.read(now)
            assert book.whole(now) == dict(book.steps)
    now += ANEW_SECONDS
    book.read(now)
    assert book.whole(now) == dict(book.steps)
    assert list(book.whole(now)) == [at for at, _ in book.steps]


def test_only_what_may_have_changed_is_read_again() -> None:
    """The present minute, and for ten seconds the one before it; all of it once a minute."""
    book = Book(HOUR)
    book.read(NOON + 5)
    assert NOON + 60 - 3_600 == book.since
    book.read(NOON + 6)
    assert NOON - 60 == book.since
    for at in (NOON - 1, NOON + 29):
        book.write(at)
    book.read(NOON + 30)
    assert (NOON - 60, {NOON - 60, NOON}) == (book.since, book.steps.fresh)
    book.write(NOON + 31)
    book.read(NOON + 31)
    assert (NOON, {NOON}) == (book.since, book.steps.fresh)
    book.read(NOON + 64)
    assert (NOON, {NOON + 60}) == (book.since, book.steps.fresh)
    book.read(NOON + 65)
    assert (NOON + 120 - 3_600, set()) == (book.since, book.steps.fresh)


def test_what_is_dated_later_than_the_present_is_in_the_last_step() -> None:
    """Whenever it came; once the clock has come so far it is where it belongs."""
    book = Book(HOUR)
    for _ in range(5):
        book.write(NOON + 600)
    book.write(NOON)
    for now, step in ((NOON, NOON), (NOON + 70, NOON + 60), (NOON + 700, NOON + 600)):
        book.read(now)
        rows = {at: counts[ROWS] for at, counts in book.steps if counts}
        assert {NOON: 1, step: 5} | ({NOON: 6} if step == NOON else {}) == rows


# Ranges.

DAY = 86_400
AGES = st.one_of(st.floats(0, 10 * DAY), st.floats(0, 500 * DAY))


@given(AGES, st.floats(1, 400 * DAY), st.sampled_from([None, *STEPS]))
def test_every_range_has_steps_that_fit(age: float, seconds: float, step: str | None) -> None:
    """It holds what is asked for in whole minutes or hours, and has no more steps than allowed."""
    since = NOON - age
    window = spanning(since, since + seconds, step, NOON)
    start, end = window.bounds(NOON)
    assert start <= since < since + seconds <= end
    assert since - start < window.span
    assert end - since - seconds < window.span
    assert (0, 0) == (start % window.span, end % window.span)
    long = STEPS[window.step]
    assert window.span <= long <= end - start
    assert 0 == long % window.span
    assert end - start <= MOST_STRETCHES * long
    if window.span == STEPS["1m"]:
        assert age <= MINUTES_KEPT
        assert seconds <= MOST_STRETCHES * 60


@pytest.mark.parametrize(("name", "length"), WINDOWS.items())
def test_a_range_as_long_as_a_window_has_its_step(name: str, length: Length) -> None:
    """Where none is asked for."""
    window = spanning(NOON - length.seconds, NOON, None, NOON)
    assert (length.step, fitting(name, None).span) in [
        (window.step, window.span),
        (window.step, STEPS["1h"]),
    ]


@pytest.mark.parametrize(
    ("since", "until", "step", "expected"),
    [
        (-90, 0, None, ("1m", 60)),
        (-90, 0, "1d", ("1m", 60)),
        (-5_400, 0, "1h", ("1h", 60)),
        (-25 * 3_600, 0, "1m", ("1m", 60)),
        (-25 * 3_600 - 1, 0, "1m", ("1h", 3_600)),
        (-9 * DAY, -9 * DAY + 60, "1m", ("1h", 3_600)),
        (-62 * DAY, 0, "10m", ("1h", 3_600)),
        (-63 * DAY, 0, "10m", ("1d", 3_600)),
        (-400 * DAY, 0, None, ("1d", 3_600)),
    ],
)
def test_a_range_is_told_as_finely_as_it_can_be(
    since: int, until: int, step: str | None, expected: tuple[str, int]
) -> None:
    """By the minute up to 25 hours and 8 days back, else by the hour; days where those are many."""
    window = spanning(NOON + since, NOON + until, step, NOON)
    assert expected == (window.step, window.span)


def test_the_steps_of_a_range_begin_with_it() -> None:
    """And the last one is what is left."""
    window = spanning(NOON + 1_800, NOON + 9_300, "1h", NOON)
    steps = Steps(window)
    minutes = [Rollup(at, {ROWS: 1}) for at in range(NOON + 1_800, NOON + 9_300, 60)]
    steps.take(minutes, window.bounds(NOON), NOON)
    begin = NOON + 1_800
    assert [(begin, 60), (begin + 3_600, 60), (begin + 7_200, 5)] == [
        (at, counts[ROWS]) for at, counts in steps
    ]
