"""The engine beside the study's loop: the same network, rows and number of passes, in turn.

`make bench ONLY=engine`. Prints the median of the ratios of pairs taken in one run; a figure
without its pair says nothing about another machine.
"""

import statistics
import time
from collections.abc import Callable
from itertools import count

import keras
import numpy as np

from app.network.architecture import Architecture, build
from app.network.conversion import with_monte_carlo
from app.network.engine import Engine
from app.network.environment import pin_arithmetic
from app.training.data import read_table
from app.training.layout import LOANS
from app.values import Query

PASSES = 100
ROUNDS = 7
CALLS = 50
"""Of the engine in a round; the loop is called once."""
WANTED = {1: 200, 64: 100}
"""Rows to the ratio the project asks for."""


def main() -> None:
    """Measure both sizes and print a table."""
    pin_arithmetic()
    table = read_table(None, LOANS)
    study = build(Architecture(), table.features, _imputed(), len(LOANS.classes))
    engine = Engine(with_monte_carlo(study))
    print(f"study network, {PASSES} passes, {ROUNDS} rounds, medians")
    print("rows  study's loop ms  Dubito ms  ratio (least to most)  wanted")
    for rows, wanted in WANTED.items():
        theirs, ours = _pairs(study, engine, table.features[:rows])
        ratios = [slow / fast for slow, fast in zip(theirs, ours, strict=True)]
        print(
            f"{rows:4d}  {statistics.median(theirs) * 1e3:15,.0f}  "
            f"{statistics.median(ours) * 1e3:9.3f}  {statistics.median(ratios):,.0f} × "
            f"({min(ratios):,.0f} to {max(ratios):,.0f})  {wanted} ×"
        )


def _pairs(study: keras.Model, engine: Engine, rows: np.ndarray) -> tuple[list[float], list[float]]:
    """Seconds of a loop and of an engine call, taken in turn, after one of each to warm up."""
    inputs = keras.ops.convert_to_tensor(rows.astype(np.float32))
    seeds = count()

    def loop() -> None:
        draws = np.stack([study(inputs, training=True) for _ in range(PASSES)])
        draws.mean(axis=0), draws.std(axis=0)

    def ours() -> None:
        for _ in range(CALLS):
            engine.summarise([Query(rows, PASSES, next(seeds))])

    loop()
    ours()
    pairs = [(_seconds(loop), _seconds(ours) / CALLS) for _ in range(ROUNDS)]
    theirs, own = zip(*pairs, strict=True)
    return list(theirs), list(own)


def _seconds(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _imputed() -> list[float | None]:
    return [17.6 if column.nullable else None for column in LOANS.features]


if __name__ == "__main__":
    main()
