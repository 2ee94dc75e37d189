"""Measures how fast whole tables are scored, beside the engine alone, and in how much memory.

`make bench ONLY=score`. About fifteen minutes; ARGS=200000 scores so many rows.
"""

import csv
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np

from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import MODELS, NAME, NETWORKS, resident
from dubito.bundle import load
from dubito.domains import chosen_domain
from dubito.scoring.rows import row_seed
from dubito.training.data import read_table
from dubito.types import Floats

ROWS, FEW = 1_000_000, 100_000
"""Rows of the table that is scored, and of the one whose memory it is compared with."""
PART = 16_384
"""Rows that the engine alone computes in one call."""
PARTS = 8
"""Such calls of each processor in a round."""
ROUNDS = 3
JITTER = 0.05
"""Standard deviation of the logarithm by which amounts are multiplied."""
ASKED, MEMORY = 0.8, 1.1
PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Run:
    """A table that was scored."""

    rate: float
    """Rows a second, the start included."""
    peak: int
    """Largest memory of all its processes, bytes."""


def main() -> None:
    """Score tables and run the engine alone, in turn."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.csv", Path(folder) / "small.csv"
        features = _loans(count)
        _write(large, features)
        _write(small, features[:FEW])
        publish(
            _report(
                {network: _measured(network, small, large, count) for network in NETWORKS}, count
            )
        )


def _loans(count: int) -> Floats:
    """Resample real loans, and jitter their amounts."""
    layout = chosen_domain(None).layout
    rows, random = read_table(None, layout).features, np.random.default_rng(0)
    found: Floats = rows[random.integers(0, len(rows), count)]
    for at, column in enumerate(layout.features):
        if column.kind == "float":
            factors = np.exp(random.normal(0, JITTER, count))
            found[:, at] = np.round(found[:, at] * factors, 2)
    return found


def _write(path: Path, features: Floats) -> None:
    names = [column.name for column in chosen_domain(None).layout.features]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", *names])
        for at, row in enumerate(features.tolist()):
            writer.writerow([f"K-{at}", *("" if one != one else f"{one:.12g}" for one in row)])


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured of a network."""

    engine: list[float]
    """Rows a second of the engine alone on all processors, a round each."""
    scored: list[Run]
    few: list[Run]
    """Runs of the small table."""


def _measured(network: str, small: Path, large: Path, count: int) -> Seen:
    seen, version = Seen([], [], []), NETWORKS[network]
    for at in range(ROUNDS):
        seen.few.append(_scored(version, small, FEW))
        seen.engine.append(_engine(version))
        seen.scored.append(_scored(version, large, count))
        print(f"{network} {at + 1}: {seen.engine[-1]:,.0f} rows/s, {seen.scored[-1]}", flush=True)
    return seen


def _scored(version: int, table: Path, count: int) -> Run:
    out, start = table.with_suffix(".out"), time.perf_counter()
    words = ["dubito", "score", str(table), "--out", str(out), "--key", "case"]
    bundle = str(MODELS / NAME / str(version))
    script = str(Path(sys.executable).parent / words.pop(0))
    with subprocess.Popen(
        [script, *words, "--model", bundle], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(PAUSE_SECONDS)
    if process.returncode:
        raise SystemExit("the table was not scored")
    seconds = time.perf_counter() - start
    shutil.rmtree(out)
    return Run(count / seconds, peak)


def _engine(version: int) -> float:
    """Return the rows a second of the engine alone, a process for each processor."""
    processors = len(os.sched_getaffinity(0))
    context = get_context("spawn")
    together = context.Barrier(processors)
    with ProcessPoolExecutor(processors, context, _set, (together,)) as pool:
        seconds = list(pool.map(_computed, [version] * processors))
    return processors * PARTS * PART / statistics.mean(seconds)


class _Process:
    """What the processes of the engine alone share."""

    together: ClassVar[Barrier]


def _set(together: Barrier) -> None:
    _Process.together = together


def _computed(version: int) -> float:
    """Compute rows at the same time as the other processes; return the seconds it took."""
    bundle, rows = load(MODELS / NAME / str(version)), _loans(PART)
    seeds = [row_seed(f"K-{at}") for at in range(PART)]
    bundle.engine.summarise_rows(rows[:100], seeds[:100], bundle.manifest.passes)
    _Process.together.wait()
    start = time.perf_counter()
    for _ in range(PARTS):
        bundle.engine.summarise_rows(rows, seeds, bundle.manifest.passes)
    return time.perf_counter() - start


def _report(measured: dict[str, Seen], count: int) -> Report:
    ratios = {
        network: [run.rate / engine for run, engine in zip(seen.scored, seen.engine, strict=True)]
        for network, seen in measured.items()
    }
    growth = {
        network: [large.peak / few.peak for large, few in zip(seen.scored, seen.few, strict=True)]
        for network, seen in measured.items()
    }
    rows = tuple(
        (
            network,
            f"{statistics.median(seen.engine):,.0f}",
            f"{statistics.median(run.rate for run in seen.scored):,.0f}",
            spread(ratios[network]),
            f"≥ {ASKED:g}" if network == "shipped" else "told",
            f"{statistics.median(run.peak for run in seen.scored) / 2**20:,.0f} MiB",
            spread(growth[network]),
            f"≤ {MEMORY:g}",
        )
        for network, seen in measured.items()
    )
    return Report(
        name="score",
        title="Whole tables",
        how=f"`dubito score` of a CSV of {count:,} real loans, resampled with jitter, to Parquet, "
        "100 passes and a seed for each row, start included; in turn with the engine alone, a "
        f"process for each processor, and with a table of {FEW:,} rows. Memory is the largest of "
        f"all processes together (PSS), and the ratio is of the two tables. {ROUNDS} rounds.",
        head=(
            "network",
            "engine alone, rows/s",
            "scored, rows/s",
            "ratio",
            "asked",
            "memory",
            f"of that of {FEW:,} rows",
            "asked",
        ),
        rows=rows,
        figures={
            network: {
                "engine": seen.engine,
                "scored": [[run.rate, run.peak] for run in seen.scored],
                "few": [[run.rate, run.peak] for run in seen.few],
            }
            for network, seen in measured.items()
        },
        axis="rows a second, of those of the engine alone",
        bars=tuple(
            Bar(network, statistics.median(found), ASKED) for network, found in ratios.items()
        ),
    )


if __name__ == "__main__":
    main()
