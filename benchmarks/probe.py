"""Times predictions in process, in seconds.

`python benchmarks/probe.py BUNDLES VERSION:ROWS …`; it uses what every version of the library has,
so that the modules of any commit can be measured with it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import dubito

SECONDS = 0.1
"""Least time that a figure is measured for."""
PASSES = 100


def prediction(folder: Path, rows: int) -> Callable[[], object]:
    """Return a call that predicts a number of rows of a bundle."""
    bundle = dubito.load(folder)
    golden = np.array([one.features for one in bundle.manifest.golden], dtype=np.float64)
    several = np.resize(golden, (rows, golden.shape[1]))
    return lambda: bundle.predict_mc(several, passes=PASSES, seed=1)


def seconds_of(call: Callable[[], object]) -> float:
    """Return the mean seconds of a call, after one that is not measured."""
    call()
    count, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < SECONDS or not count:
        call()
        count += 1
    return taken / count


def main() -> None:
    """Print the seconds of every shape."""
    folder, *shapes = sys.argv[1:]
    pairs = [shape.split(":") for shape in shapes]
    calls = [prediction(Path(folder) / version, int(rows)) for version, rows in pairs]
    print(*map(seconds_of, calls))


if __name__ == "__main__":
    main()
