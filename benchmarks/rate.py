"""Compares the engine's multiplications per second, on the wide network, with the machine's limit.

`make bench ONLY=rate`. About a minute. OpenBLAS chooses its own kernel: variables that name one for
older versions are left out.
"""

import os
import statistics
import sys
import time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from benchmarks.engine import THREADS, networks, ours, seconds
from benchmarks.report import Bar, Report, publish, spread
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.engine import Engine
from dubito.loans.columns import LAYOUT
from dubito.training.data import read_table
from dubito.types import Floats

ROUNDS = 25
ROWS, PASSES = 64, 100
WORK = PASSES * ROWS * (9 * 256 + 2 * 256 * 256 + 256 * 7)
"""Number of multiplications of a call."""
SETTLED_SECONDS = 0.3
"""Pause in seconds after a matrix product on all cores, whose threads spin for a while."""
SIDE = 2_048
"""Side of the square matrices whose product gives the machine's rate."""
ASKED = 0.9
NAMED_KERNEL = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
"""Variables that keep OpenBLAS from the kernel it would choose."""


def main() -> None:
    """Measure both rates in turn."""
    if NAMED_KERNEL & os.environ.keys():
        # NumPy has read them already.
        rest = {name: value for name, value in os.environ.items() if name not in NAMED_KERNEL}
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.rate"], rest)  # noqa: S606 - this program
    pin_arithmetic()
    rows = np.nan_to_num(read_table(None, LAYOUT).features, nan=17.6)
    _, engine = networks(rows)["wide"]
    publish(_report(_rates(engine, rows[:ROWS])))


def _rates(engine: Engine, rows: Floats) -> list[tuple[float, float]]:
    """Measure multiplications per second: of a float32 matrix product on all cores, and ours."""
    matrix = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32)

    def product(_: Floats, __: int) -> Any:
        with threadpool_limits(limits=THREADS, user_api="blas"):
            return matrix @ matrix

    def rates() -> tuple[float, float]:
        peak = SIDE**3 / seconds(product, rows, PASSES)
        time.sleep(SETTLED_SECONDS)
        return peak, WORK / seconds(mine, rows, PASSES)

    mine = ours(engine)
    mine(rows, PASSES)
    return [rates() for _ in range(ROUNDS)]


def _report(rates: list[tuple[float, float]]) -> Report:
    shares = [own / peak for peak, own in rates]
    (kernel,) = {one["architecture"] for one in threadpool_info() if one["user_api"] == "blas"}
    peak, own = (statistics.median(side) / 1e9 for side in zip(*rates, strict=True))
    return Report(
        name="rate",
        title="Arithmetic of a wide network",
        how=f"Three layers of 256 units, {ROWS} rows, {PASSES} passes, beside the product of two "
        f"float32 matrices of {SIDE:,} on both cores by OpenBLAS' kernel {kernel}, in turn, "
        f"{ROUNDS} rounds.",
        head=("what", "thousand million multiplications a second", "share", "asked"),
        rows=(
            ("matrix product", f"{peak:,.0f}", "", ""),
            ("ours", f"{own:,.0f}", spread(shares), f"≥ {ASKED}"),
        ),
        figures={"rates": rates},
        axis="share of the rate of a matrix product",
        bars=(Bar("wide, 64 rows", statistics.median(shares), ASKED),),
    )


if __name__ == "__main__":
    main()
