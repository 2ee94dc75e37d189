"""Measures what clients notice while bundles are replaced.

`make bench ONLY=swaps`. About an hour; ARGS=20 makes so many swaps in each case.
"""

import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import load
from benchmarks.report import Bar, Report, publish
from benchmarks.services import MODELS, NAME, Running, post, row, serving_models

OLD, NEW = 4, 5
"""Versions that replace each other."""
SWAPS = 200
CONNECTIONS = 8
WINDOW = 10
"""Seconds of a window."""
AT_A_TIME = 2
"""Swaps in a window."""
CALM = 2
"""Windows with swaps for each without."""
WARM = 10
"""Swaps under the same load before anything is measured."""
CONNECTED = 1
"""Seconds of a window before its first swap: what connects during one may all get one worker."""
LEVEL = 5
"""Windows whose median is a level of memory."""
ASKED, GROWTH = 1.5, 0.05


@dataclass(frozen=True, slots=True)
class Case:
    """A service whose bundle is replaced."""

    label: str
    words: tuple[str, ...]
    records: str
    part: float = 1.0
    """Part of all swaps that are made."""
    at_a_time: int = AT_A_TIME


CASES = (
    Case("one worker, durable", (), "durable"),
    Case("two workers, no records", ("--workers", "2"), "off"),
    Case("one worker, computed by TensorFlow", ("--backend", "tensorflow"), "durable", 0.05, 1),
)


@dataclass(slots=True)
class Seen:
    """What was measured of a case."""

    swaps: int
    without: list[float] = field(default_factory=list)
    """p99 of each window without swaps, seconds."""
    beside: list[float] = field(default_factory=list)
    """p99 of each window with swaps, seconds."""
    rates: list[tuple[float, float]] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    """Seconds of each swap."""
    memory: list[int] = field(default_factory=list)
    """Of all its processes after each window with swaps, bytes."""

    @property
    def ratios(self) -> list[float]:
        """p99 of each window with swaps, of the median window without."""
        median = statistics.median(self.without)
        return [one / median for one in self.beside]

    @property
    def growth(self) -> float:
        """Growth of memory from the first windows to the last."""
        first, last = self.memory[:LEVEL], self.memory[-LEVEL:]
        return statistics.median(last) / statistics.median(first) - 1


class Published:
    """A folder of bundles whose highest version comes and goes."""

    def __init__(self, root: Path) -> None:
        """Copy both versions into a folder of their own."""
        self.models = root / "models"
        self._here, self._aside = self.models / NAME / str(NEW), root / "aside"
        for version in (OLD, NEW):
            shutil.copytree(MODELS / NAME / str(version), self.models / NAME / str(version))

    def show_other(self) -> None:
        """Publish the new version, or take it away."""
        source, target = self._here, self._aside
        if not source.exists():
            source, target = target, source
        source.rename(target)


def main() -> None:
    """Measure windows without swaps and with them, in turn."""
    swaps = int(sys.argv[1]) if len(sys.argv) > 1 else SWAPS
    publish(_report({case.label: _measured(case, int(swaps * case.part)) for case in CASES}))


def _measured(case: Case, swaps: int) -> Seen:
    seen = Seen(swaps)
    with _serving(case) as (service, published):
        for _ in range(WARM // case.at_a_time):
            _disturbed(seen, case, service, published)
        seen = Seen(swaps)
        for at in range(max(1, swaps // case.at_a_time)):
            if at % CALM == 0:
                calm = _window(service)
                seen.without.append(calm[1])
            busy = _disturbed(seen, case, service, published)
            seen.rates.append((calm[0], busy[0]))
            print(
                f"{case.label} {at + 1}: {calm[1] * 1e3:.1f} ms, {busy[1] * 1e3:.1f} ms; "
                f"{calm[0]:,.0f}, {busy[0]:,.0f} requests/s",
                flush=True,
            )
    return seen


def _disturbed(
    seen: Seen, case: Case, service: Running, published: Published
) -> tuple[float, float]:
    """Measure a window with swaps; return its rate and its p99."""
    with ThreadPoolExecutor(1) as threads:
        window = threads.submit(_window, service)
        time.sleep(CONNECTED)
        seen.took += _swap(service, published, case.at_a_time, WINDOW - CONNECTED)
        busy = window.result()
    seen.beside.append(busy[1])
    seen.memory.append(service.resident())
    return busy


@contextmanager
def _serving(case: Case) -> Iterator[tuple[Running, Published]]:
    with TemporaryDirectory() as folder:
        published = Published(Path(folder))
        words = ["--models", str(published.models), "--state", str(Path(folder) / "state")]
        with serving_models(NAME, *words, *case.words, records=case.records) as service:
            yield service, published


def _swap(service: Running, published: Published, count: int, seconds: float = 0.0) -> list[float]:
    """Replace the bundle a number of times, evenly over a time; return the seconds of each."""
    start, took = time.perf_counter(), []
    for at in range(count):
        time.sleep(max(0.0, start + at * seconds / count - time.perf_counter()))
        published.show_other()
        began = time.perf_counter()
        # A load that fails raises.
        post(f"{service.url}/v2/repository/models/{NAME}/load", "")
        took.append(time.perf_counter() - began)
    return took


def _window(service: Running) -> tuple[float, float]:
    """Return the rate and the p99 of a window; a failed request raises."""
    found = load(f"{service.url}/predict/mc", row(NEW), CONNECTIONS, WINDOW)
    return found.rate, found.p99


def _report(seen: dict[str, Seen]) -> Report:
    return Report(
        name="swaps",
        title="Swaps under load",
        how=f"Versions {OLD} and {NEW} of `{NAME}` replace each other while {CONNECTIONS} "
        f"connections ask for one loan as fast as they are answered. Windows of {WINDOW} s without "
        f"swaps, and then {CALM} with them, in turn; {AT_A_TIME} swaps a window, one of those that "
        "TensorFlow computes; the first a second after the clients have connected. "
        "A ratio is the p99 of a window with swaps, of the median window "
        "without; any failed request would have ended the benchmark. Before all that, "
        f"{WARM} swaps under the same load. Memory is the median of the last {LEVEL} windows, of "
        f"the first {LEVEL}.",
        head=("service", "swaps", "a swap", "p99 without", "ratio of p99", "worst", "memory"),
        rows=(
            *(_row(label, one) for label, one in seen.items()),
            ("asked", "", "", "", f"≤ {ASKED:g}", "", f"≤ {GROWTH:+.0%}"),
        ),
        figures={
            label: {
                "without": one.without,
                "beside": one.beside,
                "rates": one.rates,
                "swaps": one.took,
                "memory": one.memory,
            }
            for label, one in seen.items()
        },
        axis="p99 of a window with swaps, of one without",
        bars=tuple(Bar(label, statistics.median(one.ratios), ASKED) for label, one in seen.items()),
    )


def _row(label: str, one: Seen) -> tuple[str, ...]:
    return (
        label,
        str(one.swaps),
        f"{statistics.median(one.took):.2f} s",
        f"{statistics.median(one.without) * 1e3:.1f} ms",
        f"{statistics.median(one.ratios):.2f}",
        f"{max(one.ratios):.2f}",
        f"{one.growth:+.1%}",
    )


if __name__ == "__main__":
    main()
