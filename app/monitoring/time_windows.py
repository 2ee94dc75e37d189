"""The windows and ranges of time that statistics are computed for, and their steps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.count_keys import Counts, summed
from app.record_events import HOUR, MINUTE, MINUTES_KEPT, Rollup

STEPS = {"1m": MINUTE, "10m": 10 * MINUTE, "1h": HOUR, "1d": 24 * HOUR}
"""Name to length of a step, seconds."""


@dataclass(frozen=True, slots=True)
class Length:
    """Length of a window in seconds, and its default step."""

    seconds: int
    step: str


WINDOWS = {
    "1h": Length(HOUR, "1m"),
    "6h": Length(6 * HOUR, "10m"),
    "1d": Length(24 * HOUR, "10m"),
    "7d": Length(168 * HOUR, "1h"),
    "30d": Length(720 * HOUR, "1d"),
}
MOST_STRETCHES = 1_500
"""Most time spans read for a window, and at a time for a range."""
USUAL_STEPS = 168
"""Most steps of a range without a requested step: as many as the longest window has."""
ANEW_SECONDS = MINUTE
"""Seconds after which a window is read completely again: a clock that was temporarily set back, or
another machine's clock, may have dated counts in the past."""
LATE_SECONDS = 10
"""Seconds after the end of a span during which its counts may still change, since commits take
time."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window up to now, by the names of its length and its step."""

    length: str
    step: str

    @property
    def span(self) -> int:
        """Length of the counted time spans that the steps consist of, seconds."""
        return MINUTE if STEPS[self.step] < HOUR else HOUR

    @property
    def limit(self) -> None:
        """Always None: a window has no fixed end."""
        return None

    def bounds(self, now: int) -> tuple[int, int]:
        """Return start and end, seconds since 1970; the last step contains the present."""
        step = STEPS[self.step]
        end = now // step * step + step
        return end - WINDOWS[self.length].seconds, end


@dataclass(frozen=True, slots=True)
class Range:
    """A period with fixed bounds.

    Steps are counted from its start; the last step may be shorter.
    """

    start: int
    end: int
    step: str
    span: int
    """Length of the counted time spans that the steps consist of, seconds."""

    @property
    def length(self) -> None:
        """Always None: a range has no name."""
        return None

    @property
    def limit(self) -> int:
        """Time at which the range ends, exclusive, seconds since 1970."""
        return self.end

    def bounds(self, now: int) -> tuple[int, int]:  # noqa: ARG002 - a window needs it
        """Return start and end, seconds since 1970; independent of `now`."""
        return self.start, self.end


Stretch = Window | Range


def spanning(since: float, until: float, step: str | None, now: float) -> Range:
    """Return the range that covers a period, in whole minutes or, where necessary, whole hours.

    Args:
        since: start of the period, seconds since 1970.
        until: end of the period, later than `since`.
        step: requested step; the nearest possible one is used.
        now: present time, by which counts by the minute are deleted.
    """
    has_minutes = since >= now - MINUTES_KEPT and until - since <= MOST_STRETCHES * MINUTE
    span = MINUTE if has_minutes else HOUR
    start, end = int(since // span) * span, -int(-until // span) * span
    return Range(start, end, _step(end - start, span, step), span)


def _step(seconds: int, span: int, asked: str | None) -> str:
    """Return the longest possible step up to the requested one, or the shortest usual one."""
    fit = {
        name: long
        for name, long in STEPS.items()
        if span <= long <= seconds <= long * MOST_STRETCHES
    }
    if asked is None:
        usual = (name for name, long in fit.items() if seconds <= long * USUAL_STEPS)
        return next(usual, list(fit)[-1])
    most = max(STEPS[asked], min(fit.values()))
    return [name for name, long in fit.items() if long <= most][-1]


def fitting(length: str, step: str | None) -> Window:
    """Return a window with the nearest possible step to the requested one, or its default step."""
    if step is None:
        return Window(length, WINDOWS[length].step)
    seconds = WINDOWS[length].seconds
    least = MINUTE if seconds // MINUTE <= MOST_STRETCHES else HOUR
    most = min(max(STEPS[step], least), seconds)
    return Window(length, [name for name, long in STEPS.items() if long <= most][-1])


class Steps:
    """Counts by step, of which usually only those that may have changed are read again.

    The last step also contains counts dated later than the window: the clock was set back after
    they were written, and otherwise no statistic would include them.
    """

    def __init__(self, window: Stretch) -> None:
        self._step = STEPS[window.step]
        self._known: dict[int, Counts] = {}
        self._read = self._read_whole = 0
        self.fresh: set[int] = set()
        """Starts of the steps that the last `take` has changed."""

    def since(self, start: int, now: int) -> int:
        """Return the earliest time that must be read again, for a window that begins at `start`."""
        if now < self._read or now >= self._read_whole + ANEW_SECONDS:
            return start
        return max(start, _begin(self._read - LATE_SECONDS, start, self._step))

    def take(self, rollups: Iterable[Rollup], bounds: tuple[int, int], now: int) -> None:
        """Store counts that were read, from `since` on."""
        start, end = bounds
        since = self.since(start, now)
        last = _begin(end - 1, start, self._step)
        parts = {one.start: one.counts for one in by_step(rollups, start, self._step, last)}
        before = self._known
        again = {at: parts.get(at, {}) for at in range(since, end, self._step)}
        self._known = {at: counts for at, counts in before.items() if start <= at < since} | again
        self.fresh = {at for at, counts in again.items() if before.get(at) != counts}
        self._read = now
        if since == start:
            self._read_whole = now

    def __iter__(self) -> Iterator[tuple[int, Counts]]:
        return iter(sorted(self._known.items()))


def by_step(rollups: Iterable[Rollup], start: int, step: int, last: int) -> list[Rollup]:
    """Sum counts by step: the first begins at `start`, the step at `last` takes all the rest."""
    parts: dict[int, list[Counts]] = {}
    for one in rollups:
        parts.setdefault(min(_begin(one.start, start, step), last), []).append(one.counts)
    return [Rollup(at, summed(counts)) for at, counts in parts.items()]


def _begin(at: int, start: int, step: int) -> int:
    """Return the start of the step that contains a time; steps are counted from `start`."""
    return start + (at - start) // step * step
