"""Measures the latency of small requests while a large request is being processed.

`make bench ONLY=beside`. About three minutes.
"""

import json
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.load import Load, load
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import NETWORKS, Running, ours, post, row

CONNECTIONS = 8
ROUNDS = 5
SECONDS = 5
ROUTE = "/predict/mc?passes=100"
LARGE = {"10,000 passes": (1, 10_000), "10,000 rows": (10_000, 100)}
"""Rows and passes of the large request that is repeated meanwhile."""
ASKED = 2.0
LIMITS = ("--max-rows", "10000", "--max-body-bytes", str(1 << 23))

Pairs = list[tuple[Load, Load]]


def main() -> None:
    """Measure small requests alone and during each kind of large request, in turn."""
    found: dict[tuple[str, str], tuple[Pairs, int]] = {}
    for network, version in NETWORKS.items():
        body = row(version)
        with ours(version, *LIMITS) as service:
            load(service.url + ROUTE, body, CONNECTIONS, SECONDS)
            for name, (rows, passes) in LARGE.items():
                large = json.dumps({"instances": [json.loads(body)] * rows})
                pairs, answered = [], 0
                for _ in range(ROUNDS):
                    alone = load(service.url + ROUTE, body, CONNECTIONS, SECONDS)
                    with _repeated(service, f"/predict/mc?passes={passes}", large) as counted:
                        beside = load(service.url + ROUTE, body, CONNECTIONS, SECONDS)
                    answered += len(counted)
                    pairs.append((alone, beside))
                found[network, name] = pairs, answered
    publish(_report(found))


@contextmanager
def _repeated(service: Running, route: str, body: str) -> Iterator[list[int]]:
    """Repeat a large request for a block; yields the lengths of its responses in bytes."""
    ended, lengths = threading.Event(), list[int]()

    def repeat() -> None:
        while not ended.is_set():
            lengths.append(len(post(service.url + route, body)))

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield lengths
    finally:
        ended.set()
        thread.join()


def _report(found: dict[tuple[str, str], tuple[Pairs, int]]) -> Report:
    rows, bars = [], []
    for (network, name), (pairs, answered) in found.items():
        ratios = [beside.p99 / alone.p99 for alone, beside in pairs]
        alone, beside = (
            statistics.median(one.p99 for one in side) for side in zip(*pairs, strict=True)
        )
        delays = f"{alone * 1e3:.1f} and {beside * 1e3:.1f} ms"
        rows.append((network, name, delays, spread(ratios), f"≤ {ASKED}", str(answered)))
        bars.append(Bar(f"{network}, {name}", statistics.median(ratios), ASKED))
    return Report(
        name="beside",
        title="Small requests beside a large one",
        how=f"One row and 100 passes over {CONNECTIONS} connections, alone and while "
        f"another client repeats a large request, in turn; wrk, {ROUNDS} rounds of {SECONDS} s.",
        head=("network", "beside", "p99 alone and beside", "ratio", "asked", "large answers"),
        rows=tuple(rows),
        figures={
            f"{network}, {name}": [
                {"alone": one.p99, "beside": two.p99, "rates": [one.rate, two.rate]}
                for one, two in pairs
            ]
            for (network, name), (pairs, _) in found.items()
        },
        axis="p99 beside a large request, times that alone",
        bars=tuple(bars),
    )


if __name__ == "__main__":
    main()
