"""Windows: the stretches of time that figures are asked for, and their steps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.count_keys import Counts, summed
from app.record_events import HOUR, MINUTE, MINUTES_KEPT, Rollup

STEPS = {"1m": MINUTE, "10m": 10 * MINUTE, "1h": HOUR, "1d": 24 * HOUR}
"""Seconds of a step."""


@dataclass(frozen=True, slots=True)
class Length:
    """How far back, and the step that goes with it."""

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
"""That are read for a window, and at a time for a range."""
USUAL_STEPS = 168
"""Of a range for which no step is named: as many as the longest window has."""
ANEW_SECONDS = MINUTE
"""After which all of a window is read again: a clock that was set back for a while, or another
machine's, has dated something in the past."""
LATE_SECONDS = 10
"""After the end of a stretch its counts may still change for so long: a commit takes its time."""


@dataclass(frozen=True, slots=True)
class Window:
    """A length of time and the steps it is told in, by name."""

    length: str
    step: str

    @property
    def span(self) -> int:
        """Seconds of the counts that its steps are made of."""
        return MINUTE if STEPS[self.step] < HOUR else HOUR

    @property
    def limit(self) -> None:
        """Nothing is too late for it."""
        return None

    def bounds(self, now: int) -> tuple[int, int]:
        """Where it begins and ends, seconds since 1970; the last step holds the present."""
        step = STEPS[self.step]
        end = now // step * step + step
        return end - WINDOWS[self.length].seconds, end


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of time with bounds of its own.

    Steps are counted from its start; the last one may be shorter.
    """

    start: int
    end: int
    step: str
    span: int
    """Seconds of the counts that its steps are made of."""

    @property
    def length(self) -> None:
        """It has no name."""
        return None

    @property
    def limit(self) -> int:
        """Where what is too late for it begins."""
        return self.end

    def bounds(self, now: int) -> tuple[int, int]:  # noqa: ARG002 - a window needs it
        """Where it begins and ends, seconds since 1970, whatever the time is."""
        return self.start, self.end


Stretch = Window | Range


def spanning(since: float, until: float, step: str | None, now: float) -> Range:
    """The range that holds a stretch of time, in whole minutes or, where it must be, whole hours.

    Args:
        since: where the stretch begins, seconds since 1970.
        until: where it ends, later than that.
        step: the one that is asked for; the nearest that fits is taken.
        now: the time, by which minutes are forgotten.
    """
    has_minutes = since >= now - MINUTES_KEPT and until - since <= MOST_STRETCHES * MINUTE
    span = MINUTE if has_minutes else HOUR
    start, end = int(since // span) * span, -int(-until // span) * span
    return Range(start, end, _step(end - start, span, step), span)


def _step(seconds: int, span: int, asked: str | None) -> str:
    """The step of a range: the longest up to what is asked for, or the shortest that is usual."""
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
    """A window with a step, or with the nearest that fits it; else with the one that is usual."""
    if step is None:
        return Window(length, WINDOWS[length].step)
    seconds = WINDOWS[length].seconds
    least = MINUTE if seconds // MINUTE <= MOST_STRETCHES else HOUR
    most = min(max(STEPS[step], least), seconds)
    return Window(length, [name for name, long in STEPS.items() if long <= most][-1])


class Steps:
    """Counts by step, of which mostly only what may have changed is read again.

    The last step also takes what is dated later than it: the clock was set back since that came,
    and what is in no step would be in no figure.
    """

    def __init__(self, window: Stretch) -> None:
        self._step = STEPS[window.step]
        self._known: dict[int, Counts] = {}
        self._read = self._read_whole = 0
        self.fresh: set[int] = set()
        """Steps that have changed with the last `take`."""

    def since(self, start: int, now: int) -> int:
        """From where on is to be read, in a window that begins at `start`."""
        if now < self._read or now >= self._read_whole + ANEW_SECONDS:
            return start
        return max(start, _begin(self._read - LATE_SECONDS, start, self._step))

    def take(self, rollups: Iterable[Rollup], bounds: tuple[int, int], now: int) -> None:
        """Take what was read."""
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
    """The counts of steps: the first begins at `start`, and that at `last` takes all the rest."""
    parts: dict[int, list[Counts]] = {}
    for one in rollups:
        parts.setdefault(min(_begin(one.start, start, step), last), []).append(one.counts)
    return [Rollup(at, summed(counts)) for at, counts in parts.items()]


def _begin(at: int, start: int, step: int) -> int:
    """Where the step begins that holds a time, of steps that are counted from `start`."""
    return start + (at - start) // step * step
