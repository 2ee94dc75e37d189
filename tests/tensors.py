"""Bundles whose input is a tensor: scikit-learn's digits as images, graded and as a number."""

from functools import cache
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from sklearn.datasets import load_digits

from dubito.layout import Column, NumberColumn
from dubito.training.convert import Conversion, convert
from tests.converted import digits
from tests.made import made

Kind = Literal["classes", "number"]
KINDS: tuple[Kind, ...] = ("classes", "number")
SHAPE, PASSES = (8, 8, 1), 60
COLUMN = Column(name="image", aliases=("그림",), kind="tensor", shape=SHAPE, minimum=0, maximum=16)
CLASSES = tuple("0123456789")
NUMBER = NumberColumn(name="ink", unit="levels")


def images(first: int, last: int) -> tuple[Any, Any]:
    """Some of the digits' images `(N, 8, 8, 1)`, and what they show."""
    found, truth = load_digits(return_X_y=True)
    return found[first:last].reshape(-1, *SHAPE), truth[first:last]


def write_archive(path: Path, first: int, last: int) -> Path:
    found, truth = images(first, last)
    np.savez(path, image=found, digit=truth, ink=found.mean(axis=(1, 2, 3)))
    return path


def conversion(work: Path, kind: Kind) -> Conversion:
    """The job that makes the bundle, with its files in a folder."""
    is_number = kind == "number"
    return Conversion(
        network=work / "digits.keras",
        features=(COLUMN,),
        classes=() if is_number else CLASSES,
        data=write_archive(work / "data.npz", 600, 800),
        target=None if is_number else "digit",
        out=work / "models",
        name="digits",
        version=None,
        passes=PASSES,
        calibrate=write_archive(work / "held.npz", 800, 1_797),
        temperature=False,
        command="dubito convert digits.keras",
        number=NUMBER if is_number else None,
        logits=not is_number,
    )


def _inky() -> Any:
    """A network that estimates how much ink an image has."""
    found, _ = images(0, 600)
    keras.utils.set_random_seed(8)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Rescaling(1 / 16),
            layers.Conv2D(6, 3, activation="relu"),
            layers.SpatialDropout2D(0.05),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(found, found.mean(axis=(1, 2, 3)), epochs=60, verbose=0)
    return model


@cache
def tensor_bundle(kind: Kind = "classes") -> Path:
    """The bundle's folder, below one that has no other."""

    def make(work: Path) -> Path:
        (work / "models").mkdir()
        model = digits().model if kind == "classes" else _inky()
        model.save(work / "digits.keras")
        return convert(conversion(work, kind))[0]

    return made(f"tensor-{kind}", make)
