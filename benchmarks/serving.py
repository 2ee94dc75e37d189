"""Compares the service, as it is by default and without records, with the plain FastAPI route.

`make bench ONLY=serving`. About ten minutes. With ARGS='--against COMMIT' it compares this work
tree with another commit instead; the exit code is 1 if it is slower than `benchmarks.against`
allows.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import against
from benchmarks.load import Load, load
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import NETWORKS, ours, plain, row

ROUTE = "/predict/mc"
"""With the bundle's default of 100 passes, as clients ask it first."""
CONNECTIONS = (32, 1)
MODES = ("durable", "relaxed", "off")
"""Settings of records; the first is the default."""
ROUNDS = 5
SECONDS = 4
BLOCK, SYNCS = 4096, 200
"""Bytes of an append that is synced, and how many of them give the median of a round."""
ASKED = {
    ("study", "durable", 32): (0.75, 1.2),
    ("study", "durable", 1): (1.7, 1.1),
    ("study", "off", 32): (0.9, 1.8),
    ("study", "off", 1): (1.7, 1.0),
    ("shipped", "durable", 32): (0.55, 1.0),
    ("shipped", "durable", 1): (2.2, 1.3),
    ("shipped", "off", 32): (0.7, 1.3),
    ("shipped", "off", 1): (2.5, 1.3),
}
"""Least or most ratio asked, and the one that is aimed for, by network, records and connections."""


@dataclass(frozen=True, slots=True)
class Round:
    """One service and the plain route, one after the other."""

    ours: Load
    plain: Load
    sync: float
    """Median seconds of a synced append in this round."""

    def ratio(self, connections: int, mode: str) -> float:
        """Rate against the plain route's; of one connection, p50 against its and a sync's."""
        if connections > 1:
            return self.ours.rate / self.plain.rate
        return self.ours.p50 / (self.plain.p50 + (self.sync if mode == "durable" else 0.0))


def main(words: Sequence[str]) -> int:
    """Run the benchmark that the arguments choose; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench ONLY=serving")
    against.add_arguments(parser)
    arguments = parser.parse_args(words)
    if arguments.against is None:
        publish(_report(_measured()))
        return 0
    return against.run(parser, arguments, against.SERVING)


def _measured() -> dict[tuple[str, str, int], list[Round]]:
    """Measure every network with every setting of records, each beside the plain route."""
    found: dict[tuple[str, str, int], list[Round]] = {}
    with TemporaryDirectory(dir=Path.cwd()) as folder, plain() as theirs:
        for network, version in NETWORKS.items():
            body = row(version)
            with ExitStack() as stack:
                services = {
                    mode: stack.enter_context(
                        ours(version, "--state", f"{folder}/{network}-{mode}", records=mode)
                    )
                    for mode in MODES
                }
                for service in (theirs, *services.values()):
                    load(service.url + ROUTE, body, 32, SECONDS)
                for connections in CONNECTIONS:
                    for _ in range(ROUNDS):
                        sync = _sync_seconds(Path(folder))
                        for mode, mine in services.items():
                            own, other = (
                                load(service.url + ROUTE, body, connections, SECONDS)
                                for service in (mine, theirs)
                            )
                            rounds = found.setdefault((network, mode, connections), [])
                            rounds.append(Round(own, other, sync))
    return found


def _sync_seconds(folder: Path) -> float:
    """Return the median seconds of an append of 4 KiB that is synced to the disk."""
    seconds = []
    with (folder / "synced").open("ab", buffering=0) as file:
        for _ in range(SYNCS):
            start = time.perf_counter()
            file.write(bytes(BLOCK))
            os.fdatasync(file.fileno())
            seconds.append(time.perf_counter() - start)
    return median(seconds)


def _report(found: dict[tuple[str, str, int], list[Round]]) -> Report:
    rows, bars = [], []
    for (network, mode, connections), rounds in found.items():
        ratios = [one.ratio(connections, mode) for one in rounds]
        least, aim = ASKED.get((network, mode, connections), (None, None))
        many = connections > 1
        sign = "≥" if many else "≤"
        rows.append(
            (
                f"{network}, {mode}",
                f"{connections}: {'rate' if many else 'p50'}",
                spread(ratios),
                "" if least is None else f"{sign} {least}, aim {aim}",
                _seen(sorted(rounds, key=lambda one: one.ours.rate)[len(rounds) // 2]),
            )
        )
        if many:
            bars.append(Bar(f"{network}, {mode}", median(ratios), least))
    return Report(
        name="serving",
        title="Beside an empty route",
        how="`POST /predict/mc` with 100 passes for one row in each request, one worker, beside "
        "FastAPI's plainest route: a body of nine numbers, a small answer, no query and no "
        f"network. wrk, {ROUNDS} rounds of {SECONDS} s. At one connection the median latency is "
        "compared; with durable records to the plain route's plus a synced append of 4 KiB, "
        "measured in the same round.",
        head=("network, records", "connections", "times the plain route's", "asked", "a round"),
        rows=tuple(rows),
        figures={
            f"{network}, {mode}, {connections}": [asdict(one) for one in rounds]
            for (network, mode, connections), rounds in found.items()
        },
        axis="requests a second at 32 connections, times the plain route's",
        bars=tuple(bars),
    )


def _seen(one: Round) -> str:
    parts = (("ours", one.ours), ("plain", one.plain))
    told = (f"{name} {load.rate:,.0f} / s, p50 {load.p50 * 1e3:.2f} ms" for name, load in parts)
    return f"{'; '.join(told)}; sync {one.sync * 1e3:.2f} ms"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
