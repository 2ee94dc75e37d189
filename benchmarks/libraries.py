"""Compares uncertainty libraries with the engine: same weights, rows and passes, in process.

`make bench ONLY=libraries`. About a minute, plus a few in the first run for torch's environment in
`build/servers/torch`. The calls of the libraries are in `benchmarks/wrapped`.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engine import tiled
from benchmarks.peers import BUILT, install_into
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import MODELS, NAME, NETWORKS
from dubito.bundle import load
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.layers.archive import from_bytes
from dubito.loans.columns import LAYOUT
from dubito.training.data import read_table
from dubito.types import Floats, Query

HERE = Path("benchmarks/wrapped").resolve()
ENVIRONMENT = BUILT / "torch"
PASSES = 100
ROWS = (1, 64)
ROUNDS = 7
THREADS = 2
LEAST_SECONDS = 0.1
WRAPPED = {
    "torch-uncertainty": "torch-uncertainty, `mc_dropout(on_batch=True)`",
    "baal": "Baal, `ModelWrapper(replicate_in_memory=True)`",
    "torch": "torch, tiled by hand",
}
TILED = "Keras, tiled"
ASKED = {
    ("torch-uncertainty", 1): 3.0,
    ("torch-uncertainty", 64): 10.0,
    ("baal", 1): 3.0,
    ("baal", 64): 10.0,
}
FAR = 0.06
"""Largest difference between means of 100 passes of one network."""

Pairs = list[tuple[float, float]]


def main() -> None:
    """Measure every library."""
    folder = find_version(MODELS, NAME, NETWORKS["study"])
    model, engine = from_bytes(inspect(folder).networks[0]), load(folder, threads=THREADS).engine
    rows = np.nan_to_num(read_table(None, LAYOUT).features[: max(ROWS)], nan=17.6)
    given = BUILT / "weights.npz"
    install_into(ENVIRONMENT, HERE / "requirements.txt")
    np.savez(given, **_weights(model, rows))
    seeds = count()
    found: dict[tuple[str, int], Pairs] = {}
    with _wrapped(given) as theirs:
        for size in ROWS:
            part = rows[:size]

            def ours() -> Any:
                return engine.summarise([Query(part, PASSES, next(seeds))])  # noqa: B023 - called at once

            for name in WRAPPED:
                _check(theirs(name, size), engine.summarise([Query(part, 1_000, 0)])[0].mean[0])
                ours()
                found[name, size] = [
                    (theirs(name, size)["seconds"], _seconds(ours)) for _ in range(ROUNDS)
                ]
            keras = tiled(model)
            keras(part, PASSES)
            found[TILED, size] = [
                (_seconds(lambda: keras(part, PASSES)), _seconds(ours))  # noqa: B023 - called at once
                for _ in range(ROUNDS)
            ]
    publish(_report(found))


def _weights(model: Any, rows: Floats) -> dict[str, Any]:
    """Return the dense layers, the dropout rate, and rows as they enter the first layer."""
    scaled = model.get_layer("normalization")(model.get_layer("impute")(rows.astype("float32")))
    dense = [layer for layer in model.layers if type(layer).__name__ == "Dense"]
    return {
        **{f"kernel{at}": np.asarray(layer.kernel) for at, layer in enumerate(dense)},
        **{f"bias{at}": np.asarray(layer.bias) for at, layer in enumerate(dense)},
        "rate": model.get_layer("dropout_0").rate,
        "rows": np.asarray(scaled),
        "passes": PASSES,
    }


@contextmanager
def _wrapped(given: Path) -> Iterator[Any]:
    """Start a process for the libraries; yields a function that measures one in it."""
    process = subprocess.Popen(
        [str(ENVIRONMENT / "bin" / "python"), "-W", "ignore", str(HERE / "measure.py"), str(given)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        text=True,
    )
    asked, answers = process.stdin or sys.stdout, process.stdout or sys.stdin

    def measured(name: str, size: int) -> Any:
        print(name, size, file=asked, flush=True)
        return json.loads(answers.readline())

    try:
        yield measured
    finally:
        process.communicate("")


def _check(theirs: Any, mean: Floats) -> None:
    """Check that a library ran the same network, and with random passes."""
    if np.abs(np.array(theirs["mean"]) - mean).max() > FAR or min(theirs["std"]) <= 0:
        raise RuntimeError(f"another network: {theirs} beside {mean}")


def _seconds(call: Any) -> float:
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < LEAST_SECONDS:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls


def _report(found: dict[tuple[str, int], Pairs]) -> Report:
    rows, bars = [], []
    for (name, size), pairs in found.items():
        ratios, asked = [two / one for two, one in pairs], ASKED.get((name, size))
        theirs, ours = (statistics.median(side) / size * 1e6 for side in zip(*pairs, strict=True))
        told = WRAPPED.get(name, name)
        seen = (f"{theirs:,.1f}", f"{ours:,.1f}", spread(ratios, 1))
        rows.append((told, str(size), *seen, "" if asked is None else f"≥ {asked:.0f}"))
        if size == max(ROWS):
            bars.append(Bar(told.partition(",")[0], statistics.median(ratios), asked))
    return Report(
        name="libraries",
        title="Beside uncertainty libraries",
        how=f"The study's weights, {PASSES} passes, in process, on {THREADS} cores; mean and "
        "standard deviation theirs, and ours with the entropies. Microseconds of a row, "
        f"{ROUNDS} rounds of at least {LEAST_SECONDS} s in turn "
        "([how they are called](../benchmarks/wrapped/measure.py)).",
        head=("library", "rows", "theirs µs", "ours µs", "theirs / ours", "asked"),
        rows=tuple(rows),
        figures={f"{name}, {size}": pairs for (name, size), pairs in found.items()},
        axis=f"times as fast, {max(ROWS)} rows",
        bars=tuple(bars),
    )


if __name__ == "__main__":
    main()
