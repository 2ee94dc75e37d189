"""Runs kernels on networks and odd rows: `python fuzz.py FOLDER PROGRAMS COUNT`, without Keras.

The kernels in the folder are built with sanitizers, which end the process at the first fault. All
forms must have the same bits, of numbers that are enormous, tiny, infinite or none too. What is no
number is refused, so that its bits do not matter.
"""

import ctypes
import pickle
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from dubito.engine.backends.native.engine import NativeEngine
from dubito.engine.backends.native.library import FORMS, Library
from dubito.engine.backends.native.lowering import lowered
from dubito.engine.program import Program
from dubito.loans.formulas import scoring
from dubito.types import Floats, Query

ODD = (0.0, -0.0, np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-300, 3e38, 1e-45)


def odd_rows(random: np.random.Generator, count: int, features: int) -> Floats:
    """Rows of all sizes, some of whose numbers are odd."""
    values = 10.0 ** random.uniform(-6, 12, (count, features))
    strange = random.random(values.shape) < 0.1
    values[strange] = random.choice(ODD, int(strange.sum()))
    return values


def run(program: Program, engines: list[NativeEngine], random: np.random.Generator) -> None:
    """Compare the forms on one case."""
    rows = odd_rows(random, int(random.integers(1, 40)), program.shape[0])
    first, passes = int(random.integers(0, 100)), int(random.integers(1, 70))
    query = Query(rows, passes, int(random.integers(0, 2**53)), first)
    results: set[bytes] = set()
    for engine in engines:
        (summary,) = engine.summarise([query])
        parts: list[Any] = [engine.draws(query), engine.predict(rows), summary.mean, summary.std]
        results.add(b"".join(np.where(np.isnan(part), np.nan, part).tobytes() for part in parts))
    assert len(results) == 1, "the forms differ"


def main(folder: Path, programs: Path, count: int) -> None:
    """Run a number of cases, network after network."""
    kernel, lattice = (ctypes.CDLL(str(folder / f"{name}.so")) for name in ("kernel", "lattice"))
    scoring.scoring_library = lambda: lattice  # type: ignore[assignment]
    forms = FORMS[: kernel.dubito_forms()]
    made = []
    for program in pickle.loads(programs.read_bytes()):  # noqa: S301 - the test wrote it
        network = lowered(program)
        assert network is not None
        engines = [NativeEngine(Library(kernel, form), network, program) for form in forms]
        made.append((program, engines))
    random = np.random.default_rng(17)
    for program, engines in islice(cycle(made), count):
        run(program, engines, random)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
