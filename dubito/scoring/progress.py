"""Says how far a table is: rows a second, and the time that is left."""

import sys
import time
from collections.abc import Callable

TERMINAL_SECONDS, FILE_SECONDS = 1.0, 30.0
"""Seconds between two lines on a terminal, where each replaces the one before, and elsewhere."""


class Progress:
    """Writes to stderr how far a table is, now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now."""
        self._clock = clock
        self._start = self._last = clock()
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._rows = self._skipped = 0
        self._read_rows, self._share = 0, 0.0

    def read(self, rows: int, share: float) -> None:
        """Take note of how many rows were read, and which share of the file that is."""
        self._read_rows, self._share = rows, share

    def skipped(self, rows: int) -> None:
        """Take note of rows that were done before."""
        self._skipped += rows

    def scored(self, rows: int) -> None:
        """Take note of rows that are done, and say so if it is time."""
        self._rows += rows
        now = self._clock()
        if now - self._last >= (TERMINAL_SECONDS if self._is_terminal else FILE_SECONDS):
            self._last = now
            line = self.line(now)
            print(f"\r{line:<78}" if self._is_terminal else line, end=self._end, file=sys.stderr)
            sys.stderr.flush()

    def end(self) -> None:
        """Leave the line of a terminal."""
        if self._is_terminal:
            print(f"\r{'':<78}\r", end="", file=sys.stderr, flush=True)

    def line(self, now: float) -> str:
        """Return what is said."""
        seconds = max(now - self._start, 1e-9)
        rate = self._rows / seconds
        done = self._rows + self._skipped
        whole = self._read_rows / self._share if self._share else 0.0
        left = max(0.0, whole - done) / rate if rate else 0.0
        return (
            f"{done:,} rows, {min(1.0, done / whole) if whole else 0.0:.0%}; "
            f"{rate:,.0f} rows/s, {_duration(left)} left"
        )

    @property
    def _end(self) -> str:
        return "" if self._is_terminal else "\n"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
