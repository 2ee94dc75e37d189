"""Measures the growth of memory over 300,000 requests of every kind.

`make bench ONLY=soak`. About ten minutes; ARGS=30000 takes fewer requests.
"""

import asyncio
import json
import sys
from itertools import count

import numpy as np

from benchmarks.arrivals import Connections
from benchmarks.report import Bar, Report, publish
from benchmarks.services import NETWORKS, ours, row

REQUESTS = 300_000
CONNECTIONS = 16
LOOKS = 30
WARM = 0.1
"""Requests before the first measurement, as a share of all counted requests."""
ASKED = 0.02
"""Largest growth of memory, as a share, that we aim at."""


def main() -> None:
    """Send the requests, and measure the memory at intervals."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    version = NETWORKS["study"]
    with ours(version) as service:
        port = int(service.url.rpartition(":")[2])
        mixture = _mixture(row(version))
        seen: list[int] = []
        statuses: dict[int, int] = {}
        asyncio.run(_ask(port, mixture, int(requests * WARM), statuses))
        seen.append(service.resident())
        for _ in range(LOOKS):
            asyncio.run(_ask(port, mixture, requests // LOOKS, statuses))
            seen.append(service.resident())
            print(f"{seen[-1] / 2**20:,.1f} MiB", flush=True)
    publish(_report(requests, seen, statuses))


def _mixture(one: str) -> list[tuple[str, str]]:
    """Return paths and bodies with varied rows, passes, seeds and options, some of them invalid."""
    random = np.random.default_rng(0)
    loan = json.loads(one)
    found = []
    for seed in range(2_000):
        rows = int(random.choice([1, 1, 1, 2, 5, 20]))
        changed = {**loan, "annual_income": float(random.integers(1_000, 10**6))}
        body = json.dumps(changed if rows == 1 else {"instances": [changed] * rows})
        query = f"passes={random.integers(1, 300)}&seed={seed}"
        paths = (
            f"/predict/mc?{query}",
            f"/predict/mc?{query}",
            "/predict",
            "/predict/mc?passes=auto&max_passes=500",
            f"/predict/mc?passes=20&draws=true&seed={seed}",
            f"/predict/mc?{query}&deadline_ms=1",
        )
        path = paths[random.integers(len(paths))]
        if random.random() < 0.1:
            body = body[: random.integers(len(body))]
        found.append((path, body))
    return found


async def _ask(
    port: int, mixture: list[tuple[str, str]], requests: int, statuses: dict[int, int]
) -> None:
    """Send a number of requests over `CONNECTIONS` connections, and count their statuses."""
    turns = count()

    async def client() -> None:
        connections = Connections(port)
        while (turn := next(turns)) < requests:
            status = await connections.ask(*mixture[turn % len(mixture)])
            statuses[status] = statuses.get(status, 0) + 1
        connections.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))


def _report(requests: int, seen: list[int], statuses: dict[int, int]) -> Report:
    growth = seen[-1] / seen[0] - 1
    told = ", ".join(f"{status}: {number:,}" for status, number in sorted(statuses.items()))
    rows = (
        ("memory after warm-up", f"{seen[0] / 2**20:,.1f} MiB", ""),
        ("memory at the end", f"{seen[-1] / 2**20:,.1f} MiB", ""),
        ("growth", f"{growth:.2%}", f"≤ {ASKED:.0%}"),
        ("statuses", told, ""),
    )
    return Report(
        name="soak",
        title="Soak",
        how=f"{requests:,} requests of every kind over {CONNECTIONS} connections, after "
        f"{int(requests * WARM):,} to warm up: one row and many, fixed and automatic passes, "
        "draws, hopeless deadlines, broken bodies.",
        head=("figure", "seen", "asked"),
        rows=rows,
        figures={"bytes": seen, "statuses": {str(k): v for k, v in statuses.items()}},
        axis="resident MiB, look by look",
        bars=tuple(
            Bar(f"after {requests * at // LOOKS:,}", size / 2**20)
            for at, size in list(enumerate(seen))[:: LOOKS // 6]
        ),
    )


if __name__ == "__main__":
    main()
