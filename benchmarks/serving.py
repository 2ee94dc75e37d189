"""Compares the service with an empty FastAPI route that has the same models.

`make bench ONLY=serving`. About ten minutes. With ARGS='--against COMMIT' it compares this work
tree with another commit instead; the exit code is 1 if it is slower than `benchmarks.against`
allows.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks import against
from benchmarks.load import Load, load
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import NETWORKS, bare, ours, post, row

ROUTE = "/predict/mc?passes=100"
CONNECTIONS = (1, 8, 32, 128)
ROUNDS = 5
SECONDS = 4
ASKED = {
    ("study", 32, "requests a second, of the bare route's"): 0.80,
    ("study", 32, "p99, times the bare route's"): 2.0,
    ("study", 1, "p50, times the bare route's"): 2.5,
    ("shipped", 32, "requests a second, of the bare route's"): 0.40,
}

Pairs = list[tuple[Load, Load]]


def main(words: Sequence[str]) -> int:
    """Run the benchmark that the arguments choose; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench ONLY=serving")
    against.add_arguments(parser)
    arguments = parser.parse_args(words)
    if arguments.against is None:
        _measure_beside_bare()
        return 0
    return against.run(parser, arguments, against.SERVING)


def _measure_beside_bare() -> None:
    """Measure both networks at every number of connections."""
    found: dict[tuple[str, int], Pairs] = {}
    for network, version in NETWORKS.items():
        body = row(version)
        with ExitStack() as services:
            mine = services.enter_context(ours(version))
            answer = post(mine.url + ROUTE, body)
            theirs = services.enter_context(bare(version, answer))
            for service in (mine, theirs):
                load(service.url + ROUTE, body, 32, SECONDS)
            for connections in CONNECTIONS:
                found[network, connections] = [
                    (
                        load(mine.url + ROUTE, body, connections, SECONDS),
                        load(theirs.url + ROUTE, body, connections, SECONDS),
                    )
                    for _ in range(ROUNDS)
                ]
    publish(_report(found))


def _ratios(pairs: Pairs) -> dict[str, list[float]]:
    return {
        "requests a second, of the bare route's": [one.rate / two.rate for one, two in pairs],
        "p50, times the bare route's": [one.p50 / two.p50 for one, two in pairs],
        "p99, times the bare route's": [one.p99 / two.p99 for one, two in pairs],
    }


def _report(found: dict[tuple[str, int], Pairs]) -> Report:
    rows, bars = [], []
    for (network, connections), pairs in found.items():
        first = sorted(pairs, key=lambda pair: pair[0].rate)[len(pairs) // 2]
        for name, ratios in _ratios(pairs).items():
            asked = ASKED.get((network, connections, name))
            rows.append((network, str(connections), name, spread(ratios), _asked(name, asked)))
            if name.startswith("requests"):
                value = sorted(ratios)[len(ratios) // 2]
                bars.append(Bar(f"{network}, {connections} connections", value, asked))
        rows.append((network, str(connections), "ours and bare, a round", _seen(first), ""))
    return Report(
        name="serving",
        title="Beside an empty route",
        how="`POST /predict/mc` with 100 passes for one row in each request, one worker, beside a "
        f"FastAPI route with the same models and no network; wrk, {ROUNDS} rounds of {SECONDS} s.",
        head=("network", "connections", "figure", "median (least to most)", "asked"),
        rows=tuple(rows),
        figures={
            f"{network}, {connections}": [
                {"ours": _figures(one), "bare": _figures(two)} for one, two in pairs
            ]
            for (network, connections), pairs in found.items()
        },
        axis="requests a second, of the bare route's",
        bars=tuple(bars),
    )


def _asked(name: str, asked: float | None) -> str:
    if asked is None:
        return ""
    return f"≥ {asked:.2f}" if name.startswith("requests") else f"≤ {asked:.1f}"


def _figures(one: Load) -> dict[str, float]:
    return {"rate": one.rate, "p50": one.p50, "p99": one.p99}


def _seen(pair: tuple[Load, Load]) -> str:
    return "; ".join(
        f"{one.rate:,.0f} / s, p50 {one.p50 * 1e3:.2f} ms, p99 {one.p99 * 1e3:.2f} ms"
        for one in pair
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
