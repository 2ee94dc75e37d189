"""Computes reference metrics with torch-uncertainty: writes `tests/fixtures/oracles.json`.

`make bench ONLY=oracles`. The libraries take six gigabytes, so they are installed into a separate
environment, `build/oracles` or the folder that `ARGS="--env FOLDER"` names, and this file runs a
second time there. The tests compare Dubito's metrics with the fixture and install nothing.
"""

import argparse
import json
import os
import subprocess
import sys
from importlib.metadata import version
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

PINS = {
    "torch-uncertainty[cpu]": "0.13.0",
    "torch": "2.15.0",
    "torchmetrics": "1.9.0",
    "torchvision": "0.29.2",
    "lightning": "2.6.6",
    "timm": "1.0.31",
    "numpy": "2.4.6",
}
FIXTURE = Path("tests/fixtures/oracles.json")
COMMAND = "make bench ONLY=oracles"

SEED, PASSES, CLASSES = 0, 8, 5
KINDS = {"near uniform": 2000.0, "spread": 2.0, "peaked": 0.3}
"""Concentration of the Dirichlet distribution of the passes, by kind of row."""
ROWS_OF_A_KIND = 25
CONFIDENT_ROWS = 30
EXACT_CONFIDENCES = (0.25, 0.5, 0.625, 0.75, 1.0)
"""Confidences in sixteenths, on the edges of `EDGE_BINS` bins and shared by several rows."""
BINS, EDGE_BINS = 15, 16

TIED = {"confidence": [0.9, 0.9, 0.9, 0.7, 0.6], "wrong": [True, False, False, False, True]}
"""Five rows of two classes, the first three with the same confidence."""
NUDGE = 1e-9
"""Difference of confidence that puts tied rows in an order."""

Array = np.ndarray[Any, np.dtype[Any]]


def main() -> None:
    """Create the environment and compute in it; with `--measure`, compute in this one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--env", type=Path, default=Path("build/oracles"))
    parser.add_argument("--measure", action="store_true", help="in the running environment")
    options = parser.parse_args()
    os.nice(10)
    if options.measure:
        write()
    else:
        run = [environment(options.env), "-m", "benchmarks.oracles", "--measure"]
        subprocess.run(run, check=True)


def environment(folder: Path) -> str:
    """Create a virtual environment with `PINS`, and return its interpreter."""
    if not (folder / "pyvenv.cfg").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    wanted = [f"{name}=={pinned}" for name, pinned in PINS.items()]
    quietly = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([python, "-m", "pip", "install", *quietly, *wanted], check=True)
    return python


def write() -> None:
    """Draw the rows, compute torch-uncertainty's metrics, and write one entry a line."""
    draws, labels, plain = inputs()
    fixture = {
        "command": COMMAND,
        "versions": {name: version(name) for name in (pin.partition("[")[0] for pin in PINS)},
        "seed": SEED,
        "bins": BINS,
        "edge_bins": EDGE_BINS,
        "plain": plain,
        "labels": labels.tolist(),
        "draws": draws.tolist(),
        "tied": TIED,
        **theirs(draws, labels, plain),
    }
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in fixture.items())
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(FIXTURE)


def inputs() -> tuple[Array, Array, int]:
    """Draw the inputs: draws `(T, N, C)`, labels `(N,)`, and the number of plain rows, the first.

    Plain rows all have different confidences, none on the edge of a bin; other rows have ties on
    edges.
    """
    random = np.random.default_rng(SEED)
    shapes = [np.full((ROWS_OF_A_KIND, CLASSES), level) for level in KINDS.values()]
    shapes.append(0.05 + 60 * np.eye(CLASSES)[random.integers(0, CLASSES, CONFIDENT_ROWS)])
    concentrations = np.concatenate(shapes)
    drawn = np.stack([[random.dirichlet(row) for row in concentrations] for _ in range(PASSES)])
    draws = np.concatenate([drawn, _exact()], axis=1)
    grades = draws.mean(axis=0).argmax(axis=1)
    guesses = random.integers(0, CLASSES, len(grades))
    labels = np.where(random.random(len(grades)) < 0.6, grades, guesses)
    return draws, labels, len(concentrations)


def _exact() -> Array:
    """Build three rows for every exact confidence, `(T, N, C)`.

    Their passes are all equal, differ by 1/16 each way, or vote for two classes in turn, so that
    the classes tie.
    """
    rows = []
    for top in EXACT_CONFIDENCES:
        rest = (1 - top) / 4
        row = np.array([rest, top, rest, rest, rest])
        swing = min(1 / 16, rest) * np.array([0, 1, 0, -1, 0])
        turned = np.roll(row, 1)
        rows.append([row] * PASSES)
        rows.append([row + swing, row - swing] * (PASSES // 2))
        rows.append([row, turned] * (PASSES // 2))
    return np.array(rows).swapaxes(0, 1)


def theirs(draws: Array, labels: Array, plain: int) -> dict[str, Any]:
    """Compute torch-uncertainty's metrics of the rows, by the metric's name."""
    import torch  # type: ignore[import-not-found]
    from torch_uncertainty.metrics import classification as metrics  # type: ignore[import-not-found]

    torch.set_default_dtype(torch.float64)

    def ask(metric: Any, *given: Array) -> Any:
        metric.update(*map(torch.from_numpy, given))
        return metric.compute().tolist()

    def calibration(name: str, bins: int, rows: slice) -> Any:
        metric = getattr(metrics, name)(task="multiclass", num_classes=CLASSES, num_bins=bins)
        return ask(metric, mean[rows], labels[rows])

    mean = draws.mean(axis=0)
    by_row = np.ascontiguousarray(draws.swapaxes(0, 1))
    some, every = slice(plain), slice(None)
    return {
        "Entropy of mean": ask(metrics.Entropy(reduction="none"), mean),
        "Entropy of passes": ask(metrics.Entropy(reduction="none"), by_row),
        "MutualInformation": ask(metrics.MutualInformation(reduction="none"), by_row),
        # Passes first, contrary to its documentation, because it transposes its input.
        "VariationRatio": ask(metrics.VariationRatio(probabilistic=False, reduction="none"), draws),
        "CalibrationError": calibration("CalibrationError", BINS, some),
        "CalibrationError on edges": calibration("CalibrationError", EDGE_BINS, every),
        "AdaptiveCalibrationError": calibration("AdaptiveCalibrationError", BINS, some),
        "AURC": ask(metrics.AURC(), mean[some], labels[some]),
        "AURC of orders": [
            ask(metrics.AURC(), *_ordered(order)) for order in permutations(range(3))
        ],
    }


def _ordered(order: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the tied rows, the first three in an order: probabilities `(N, 2)`, errors `(N,)`."""
    confidence = np.array(TIED["confidence"])
    confidence[:3] -= NUDGE * np.array(order)
    return np.stack([confidence, 1 - confidence], axis=1), np.array(TIED["wrong"]).astype(int)


if __name__ == "__main__":
    main()
