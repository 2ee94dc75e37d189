"""A converted network that overflows on some rows within the allowed range."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from dubito.cli.main import main

NAMES = ("a", "b", "c", "d")
GOOD = dict.fromkeys(NAMES, 0.5)
HUGE = {**GOOD, "a": 1e6}
"""Overflows in every pass."""
RARE = {"a": 80, "b": 10, "c": 10, "d": 10}
"""Overflows in the passes that keep `a` and drop the others, 0.6% of them."""


def publish(folder: Path, *, general: bool = False) -> Path:
    """Convert it, with a calibration; returns the folder of bundles.

    Args:
        folder: where all is written.
        general: whether it has a layer that only the general execution runs.
    """
    network(general=general).save(folder / "net.keras")
    write_rows(folder / "rows.csv")
    described = {"features": [{"name": name} for name in NAMES]}
    (folder / "features.json").write_text(json.dumps(described))
    assert 0 == main(words(folder))
    return folder / "models"


def network(*, general: bool = False) -> Any:
    """Softmax of ±e^(a − b − c − d), the four of them dropped at random."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dropout(0.2),
            layers.Dense(1, "exponential", use_bias=False),
            *([layers.Activation("leaky_relu")] if general else []),
            layers.Dense(2, "softmax", use_bias=False),
        ]
    )
    model.set_weights([np.array([[1.0], [-1], [-1], [-1]]), np.array([[1.0, -1]])])
    return model


def words(folder: Path, **changed: str) -> list[str]:
    """The command that converts it."""
    files = {"features": "features.json", "data": "rows.csv", "calibrate": "rows.csv"} | changed
    flags = [word for name, file in files.items() for word in (f"--{name}", str(folder / file))]
    options = ["--classes", "Y,N", "--target", "grade", "--out", str(folder / "models")]
    return ["convert", str(folder / "net.keras"), *flags, *options, "--passes", "40"]


def write_rows(file: Path, *more: dict[str, float]) -> None:
    """300 rows that can be graded, and some more."""
    random = np.random.default_rng(0)
    rows = [dict(zip(NAMES, row, strict=True)) for row in random.random((300, 4)).round(4)]
    lines = [",".join([*(f"{row[name]}" for name in NAMES), "Y"]) for row in [*rows, *more]]
    lines[7] = lines[7].replace("Y", "N")
    file.write_text("\n".join([",".join([*NAMES, "grade"]), *lines]))
