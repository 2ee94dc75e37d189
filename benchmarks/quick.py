"""Compares this work tree with another commit in under three minutes: what moved beyond noise.

`make bench ONLY=quick`, beside the last commit; ARGS='--against COMMIT' names another one. Prints a
table; the exit code is 1 if anything became slower. No report is written: its rounds are short.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.against import ROOT, build_kernels, checked_out, describe, positive
from benchmarks.load import load
from benchmarks.services import MODELS, NAME, NETWORKS, load_until_warm, ours, row

PAIRS = 7
"""Rounds of both trees. That all ratios of one figure lie on the same side of 1 by chance has the
probability 2 / 2⁷ (sign test), 1.6%."""
LEAST_MOVE = 0.02
"""Least change of the median ratio that is told."""
SERVICES = (("study", "durable"), ("shipped", "off"))
"""Networks and settings of records that are served."""
ROUTE = "/predict/mc"
SECONDS = 1
SHAPES = (("study", 1), ("study", 1_000), ("shipped", 1), ("shipped", 200))
"""Networks and rows that are predicted in process, with 100 passes."""
PROBE = Path(__file__).parent / "probe.py"

Measure = Callable[[], dict[str, float]]
"""Measures one tree: name of a figure to its cost, of which less is better."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a figure's rounds say."""

    ratio: float
    """Median of ours / theirs; below 1 ours is faster."""
    least: float
    most: float

    @classmethod
    def of(cls, ratios: Sequence[float]) -> "Verdict":
        """Summarise the ratios of all rounds."""
        return cls(statistics.median(ratios), min(ratios), max(ratios))

    @property
    def is_slower(self) -> bool:
        """Whether ours took longer in every round, and by enough."""
        return self.least > 1 and self.ratio - 1 >= LEAST_MOVE

    @property
    def is_faster(self) -> bool:
        """Whether ours took less in every round, and by enough."""
        return self.most < 1 and 1 - self.ratio >= LEAST_MOVE

    @property
    def word(self) -> str:
        """What moved, in words."""
        if self.is_slower:
            return f"slower by {self.ratio - 1:.0%}"
        return f"faster by {1 - self.ratio:.0%}" if self.is_faster else "within noise"


def main(words: Sequence[str]) -> int:
    """Compare, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench ONLY=quick")
    parser.add_argument("--against", metavar="COMMIT", default="HEAD", help="the other commit")
    parser.add_argument("--pairs", type=positive, default=PAIRS, help="rounds of both trees")
    arguments = parser.parse_args(words)
    try:
        name = describe(arguments.against)
    except ValueError as error:
        parser.error(str(error))
    start = time.perf_counter()
    with checked_out(name) as theirs:
        build_kernels(theirs)
        found = _compared(theirs, arguments.pairs)
    print(f"This tree beside {name}, {arguments.pairs} pairs, {time.perf_counter() - start:.0f} s")
    print("\n".join(lines(found)))
    return 1 if any(one.is_slower for one in found.values()) else 0


def lines(found: Mapping[str, Verdict]) -> Iterator[str]:
    """Yield the table's lines: first what moved."""
    width = max(map(len, found))
    for name, one in sorted(found.items(), key=lambda item: item[1].word == "within noise"):
        spread = f"{one.ratio:.3f} ({one.least:.3f} to {one.most:.3f})"
        yield f"{name:{width}}  {spread:24}  {one.word}"


def _compared(theirs: Path, pairs: int) -> dict[str, Verdict]:
    """Measure both trees in turn, each kind of figure with nothing else running."""
    ratios: dict[str, list[float]] = {}
    for network, records in SERVICES:
        with _served(ROOT, network, records) as own, _served(theirs, network, records) as other:
            _pair(ratios, pairs, own, other)
    _pair(ratios, pairs, partial(_probed, ROOT), partial(_probed, theirs))
    return {name: Verdict.of(several) for name, several in ratios.items()}


def _pair(ratios: dict[str, list[float]], pairs: int, own: Measure, other: Measure) -> None:
    """Add the ratios of a number of rounds; which tree is first changes with every round."""
    for at in range(pairs):
        if at % 2:
            theirs, mine = other(), own()
        else:
            mine, theirs = own(), other()
        for name, cost in mine.items():
            ratios.setdefault(name, []).append(cost / theirs[name])


@contextmanager
def _served(tree: Path, network: str, records: str) -> Iterator[Measure]:
    """Serve a tree; measure time and CPU time a request at 32 connections, and p50 at one."""
    version = NETWORKS[network]
    body = row(version)
    with (
        TemporaryDirectory(dir=Path.cwd()) as state,
        ours(version, "--state", state, tree=tree, records=records) as service,
    ):
        load_until_warm(service.url, body)

        def measure() -> dict[str, float]:
            start = service.cpu_seconds()
            many = load(service.url + ROUTE, body, 32, SECONDS)
            used = (service.cpu_seconds() - start) / SECONDS
            one = load(service.url + ROUTE, body, 1, SECONDS)
            title = f"{network}, records {records}"
            return {
                f"{title}: a request of 32 connections": 1 / many.rate,
                f"{title}: CPU time of such a request": used / many.rate,
                f"{title}: p50 at one connection": one.p50,
            }

        yield measure


def _probed(tree: Path) -> dict[str, float]:
    """Run the probe of the engine in a process with a tree's modules."""
    shapes = [f"{NETWORKS[network]}:{rows}" for network, rows in SHAPES]
    done = subprocess.run(
        [sys.executable, str(PROBE), str(MODELS.absolute() / NAME), *shapes],
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=True,
    )
    names = [f"{network}, {rows} × 100 in process" for network, rows in SHAPES]
    return dict(zip(names, map(float, done.stdout.split()), strict=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
