"""Compares the time from command to ready service with that of importing TensorFlow and FastAPI.

`make bench ONLY=startup`. About two minutes.
"""

import statistics
import subprocess
import sys
import time
from tempfile import TemporaryDirectory

from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import NETWORKS, load_until_warm, ours, resident, row

ROUNDS = 5
IMPORT = "import tensorflow, fastapi; print('done', flush=True); input()"
ASKED = 0.35


def main() -> None:
    """Measure the start with both bundles, and the import, in turn."""
    imports: list[tuple[float, int]] = []
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in NETWORKS}
    _imported()
    for _ in range(ROUNDS):
        imports.append(_imported())
        for network, version in NETWORKS.items():
            # With records, because that is the default, and opening them takes time.
            with (
                TemporaryDirectory() as state,
                ours(version, "--records", "durable", "--state", state) as service,
            ):
                load_until_warm(service.url, row(version))
                found[network].append((service.seconds, service.resident()))
    publish(_report(imports, found))


def _imported() -> tuple[float, int]:
    """Measure the seconds of the import, and its memory in bytes."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", IMPORT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        (process.stdout or sys.stdin.buffer).readline()
        seconds, memory = time.perf_counter() - start, resident(process.pid)
        process.communicate(b"\n")
    return seconds, memory


def _report(imports: list[tuple[float, int]], found: dict[str, list[tuple[float, int]]]) -> Report:
    rows, bars = [], []
    for network, starts in found.items():
        pairs = list(zip(starts, imports, strict=True))
        for at, name in enumerate(("ready after the start", "resident memory")):
            ratios = [start[at] / imported[at] for start, imported in pairs]
            rows.append((network, name, _seen(at, starts), spread(ratios), f"≤ {ASKED}"))
            bars.append(Bar(f"{network}: {name}", statistics.median(ratios), ASKED))
    told = f"{_seen(0, imports)} and {_seen(1, imports)}"
    return Report(
        name="startup",
        title="Start and memory",
        how="`dubito serve` until it is ready, and its memory after 200 requests, beside "
        f'`python -c "import tensorflow, fastapi"` ({told}), {ROUNDS} rounds.',
        head=("network", "figure", "seen", "times the import's", "asked"),
        rows=tuple(rows),
        figures={"import": imports, **found},
        axis="times the import's",
        bars=tuple(bars),
    )


def _seen(at: int, starts: list[tuple[float, int]]) -> str:
    median = statistics.median(start[at] for start in starts)
    return f"{median / 2**20:,.0f} MiB" if at else f"{median:.2f} s"


if __name__ == "__main__":
    main()
