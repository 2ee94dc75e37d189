"""Windows: the stretches of time that figures are asked for, and their steps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.events import HOUR, MINUTE, Rollup, summed

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
"""That are read for a window."""
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

    def bounds(self, now: int) -> tuple[int, int]:
        """Where it begins and ends, seconds since 1970; the last step holds the present."""
        step = STEPS[self.step]
        end = now // step * step + step
        return end - WINDOWS[self.length].seconds, end


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

    def __init__(self, window: Window) -> None:
        self._window = window
        self._known: dict[int, dict[str, int]] = {}
        self._read = self._read_whole = 0
        self.fresh: set[int] = set()
        """Steps that have changed with the last `take`."""

    def since(self, start: int, now: int) -> int:
        """From where on is to be read, in a window that begins at `start`."""
        if now < self._read or now >= self._read_whole + ANEW_SECONDS:
            return start
        step = STEPS[self._window.step]
        return max(start, (self._read - LATE_SECONDS) // step * step)

    def take(self, rollups: Iterable[Rollup], bounds: tuple[int, int], now: int) -> None:
        """Take what was read."""
        step, (start, end) = STEPS[self._window.step], bounds
        since = self.since(start, now)
        parts: dict[int, list[Rollup]] = {}
        for one in rollups:
            parts.setdefault(min(one.start // step * step, end - step), []).append(one)
        before = self._known
        again = {
            at: summed(one.counts for one in parts.get(at, ())) for at in range(since, end, step)
        }
        self._known = {at: counts for at, counts in before.items() if start <= at < since} | again
        self.fresh = {at for at, counts in again.items() if before.get(at) != counts}
        self._read = now
        if since == start:
            self._read_whole = now

    def __iter__(self) -> Iterator[tuple[int, dict[str, int]]]:
        return iter(sorted(self._known.items()))
