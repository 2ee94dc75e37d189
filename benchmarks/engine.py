"""Compares the engine's speed with other ways to compute the same statistics, in process.

`make bench ONLY=engine`. About eight minutes. The study's loop calls the network once per pass;
tiled Keras calls it once with every row repeated for each pass; a `tf.function` does the same with
mean and std in the graph, traced once.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.report import Bar, Report, publish, spread
from dubito.bundle import load
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.engine import Engine
from dubito.layers.archive import from_bytes
from dubito.layers.impute import Impute
from dubito.loans.columns import LAYOUT
from dubito.training.architecture import Architecture, build
from dubito.training.data import read_table
from dubito.training.heads import ClassHead
from dubito.training.monte_carlo import with_monte_carlo
from dubito.types import Floats, Query, Threads

ROUNDS = 5
LEAST_SECONDS = 0.1
"""Least duration of a round in seconds, for which a call is repeated."""
MOST_WORK = {"study": 110_000, "wide": 110_000, "shipped": 6_400}
"""Largest rows × passes for the other ways, which would need gigabytes beyond: tiled, they compute
the lattice again in every pass."""
PASSES = (1, 10, 100, 1_000, 10_000)
ROWS = (1, 16, 64, 1_024)
LOOPED = ((1, 100), (64, 100))
"""Rows and passes for which the loop is run; the cost of a pass does not depend on their number."""
OWN_SEEDS = "tf.function, own seeds"
"""One graph beside ours with a seed for each row, as requests that arrive together have."""
ASKED = {
    ("study", "loop", 1, 100): 1_000.0,
    ("study", "loop", 64, 100): 300.0,
    ("study", "tf.function", 1, 100): 20.0,
    ("study", OWN_SEEDS, 64, 100): 6.0,
    ("wide", "tf.function", 1_024, 1): 3.0,
}
THREADS = 2
"""Number of threads: the cores of the machine."""

Key = tuple[str, str, int, int]


def main() -> None:
    """Measure every network, way, number of rows and number of passes."""
    pin_arithmetic()
    rows = np.nan_to_num(read_table(None, LAYOUT).features, nan=17.6)
    found: dict[Key, list[tuple[float, float]]] = {}
    for network, (model, engine) in networks(rows).items():
        graph = _graph(model)
        for size, passes in _sizes(MOST_WORK[network]):
            ways = {"tiled Keras": tiled(model), "tf.function": graph}
            if network == "study" and (size, passes) in LOOPED:
                ways["loop"] = _loop(model)
            if passes == 100:
                pairs = _pairs(graph, ours_of_rows(engine), rows[:size], passes)
                found[network, OWN_SEEDS, size, passes] = pairs
            for way, theirs in ways.items():
                pairs = _pairs(theirs, ours(engine), rows[:size], passes)
                found[network, way, size, passes] = pairs
            print(network, size, passes, flush=True)
        if network == "study":
            found[network, "T = 1,000", 64, 100] = _pairs(
                ours(engine, 1_000),
                ours(engine),
                rows[:64],
                100,
            )
    publish(_report(found))


def networks(rows: Floats) -> dict[str, tuple[keras.Model, Engine]]:
    """Return the networks by name, normalised on rows `(N, F)`, each with its engine."""
    imputed = [17.6 if column.nullable else None for column in LAYOUT.features]
    head = ClassHead(len(LAYOUT.classes))
    wide = Architecture(widths=(256, 256, 256), rate=0.2)
    networks = {
        "study": with_monte_carlo(build(Architecture(), rows, [Impute(imputed)], head)),
        "wide": with_monte_carlo(build(wide, rows, [Impute(imputed)], head)),
    }
    folder = find_version(Path("models"), "loan-grade")
    engines = {
        name: (model, engine_of(model, Threads(THREADS))) for name, model in networks.items()
    }
    shipped = from_bytes(inspect(folder).networks[0])
    return {**engines, "shipped": (shipped, load(folder, threads=THREADS).engine)}


def _sizes(most: int) -> Iterator[tuple[int, int]]:
    for size in ROWS:
        for passes in PASSES:
            if size * passes <= most:
                yield size, passes


Way = Callable[[Floats, int], Any]


def ours(engine: Engine, always: int | None = None) -> Way:
    """Wrap the engine, with a new seed for each call, and `always` passes if that is set."""
    seeds = count()
    return lambda rows, passes: engine.summarise([Query(rows, always or passes, next(seeds))])


def ours_of_rows(engine: Engine) -> Way:
    """Wrap the engine, with a new seed for each row."""
    seeds = count()

    def run(rows: Floats, passes: int) -> Any:
        return engine.summarise([Query(row[None], passes, next(seeds)) for row in rows])

    return run


def _loop(model: keras.Model) -> Way:
    def loop(rows: Floats, passes: int) -> Any:
        inputs = keras.ops.convert_to_tensor(rows.astype(np.float32))
        draws = np.stack([model(inputs, training=True) for _ in range(passes)])
        return draws.mean(axis=0), draws.std(axis=0)

    return loop


def tiled(model: keras.Model) -> Way:
    """Wrap a single call of a network with every row repeated for each pass."""
    dtype = model.inputs[0].dtype

    def run(rows: Floats, passes: int) -> Any:
        inputs = keras.ops.convert_to_tensor(np.repeat(rows.astype(dtype), passes, axis=0))
        draws = np.asarray(model(inputs)).reshape(len(rows), passes, -1)
        return draws.mean(axis=1), draws.std(axis=1)

    return run


def _graph(model: keras.Model) -> Way:
    dtype = model.inputs[0].dtype

    @tf.function(input_signature=[tf.TensorSpec((None, 9), dtype), tf.TensorSpec((), tf.int32)])
    def run(rows: Any, passes: Any) -> Any:
        draws = model(tf.repeat(rows, passes, axis=0))
        draws = tf.reshape(draws, (-1, passes, draws.shape[-1]))
        return tf.reduce_mean(draws, 1), tf.math.reduce_std(draws, 1)

    def graph(rows: Floats, passes: int) -> Any:
        mean, std = run(tf.constant(rows.astype(dtype)), tf.constant(passes))
        return mean.numpy(), std.numpy()

    return graph


def _pairs(theirs: Way, ours: Way, rows: Floats, passes: int) -> list[tuple[float, float]]:
    """Measure the seconds of a call, theirs and ours, in turn, after one warm-up call of each."""
    theirs(rows, passes)
    ours(rows, passes)
    return [(seconds(theirs, rows, passes), seconds(ours, rows, passes)) for _ in range(ROUNDS)]


def seconds(way: Way, rows: Floats, passes: int) -> float:
    """Measure the mean duration of a call in seconds, over at least `LEAST_SECONDS`."""
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < LEAST_SECONDS:
        way(rows, passes)
        calls += 1
    return (time.perf_counter() - start) / calls


def _report(found: dict[Key, list[tuple[float, float]]]) -> Report:
    rows, bars = [], []
    for key, pairs in found.items():
        network, way, size, passes = key
        times = [theirs / ours for theirs, ours in pairs]
        asked, limit = ASKED.get(key), way == "T = 1,000"
        median = statistics.median(times)
        rows.append(
            (
                network,
                f"{size:,}",
                f"{passes:,}",
                way,
                f"{statistics.median(one for one, _ in pairs) * 1e3:,.3g}",
                f"{statistics.median(one for _, one in pairs) * 1e3:,.3g}",
                spread(times, 1),
                "≤ 10" if limit else f"≥ {asked:,}" if asked else "",
            )
        )
        if passes == 100 and size in {1, 64} and not limit:
            bars.append(Bar(f"{network}, {size} rows, {way}", median, asked))
    return Report(
        name="engine",
        title="In process",
        how=f"Milliseconds of one call, theirs and ours in turn, {ROUNDS} rounds of at least "
        f"{LEAST_SECONDS} s, and the ratio. *loop* is the study's, a call for every pass; *tiled "
        "Keras* one call for all passes; *tf.function* the same compiled, with mean and std in the "
        "graph, and beside ours with a seed for each row where it says so; *T = 1,000* is ours "
        "beside ours with 100.",
        head=("network", "rows", "passes", "beside", "theirs ms", "ours ms", "ratio", "asked"),
        rows=tuple(rows),
        figures={
            "seconds": {", ".join(map(str, key)): pairs for key, pairs in found.items()},
        },
        axis="times as fast as the other way, 100 passes",
        bars=tuple(bars),
    )


if __name__ == "__main__":
    main()
