"""Bundles of a number, the rent of a flat, made of networks of each head, and a table."""

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dubito.features import FeatureValue
from dubito.targets import NumberHead
from dubito.training.convert import Conversion, convert
from dubito.training.description import read_description
from dubito.types import Floats
from tests import mixed
from tests.made import made

HEADS: tuple[NumberHead, ...] = ("point", "normal", "quantiles")
LEVELS = (0.05, 0.5, 0.95)
TITLE, UNIT = "Monthly rent", "€"
PASSES = 50
FLAT: dict[str, FeatureValue] = mixed.FLAT
NAMES = (*mixed.NAMES, "월세")


def rows(count: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Rows `(N, 5)` as numbers, and their rents `(N,)`, more scattered for larger flats."""
    features, _ = mixed.rows(count, seed)
    random = np.random.default_rng(seed + 1_000)
    space, floor, lift, heating, area = np.nan_to_num(features, nan=0.0).T
    known = np.where(np.isnan(features[:, 0]), 60.0, space)
    base = 200 + 9 * known + 12 * floor + 40 * lift - 50 * (heating == 1) + 150 * (area == 1)
    rents = base + random.normal(0, 1, count) * (10 + 0.6 * known)
    return features, rents.round(2)


def write_table(path: Path, features: Floats, rents: Floats) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        for row, rent in zip(features, rents.tolist(), strict=True):
            writer.writerow([*mixed.cells(row), str(rent)])
    return path


def description(head: NumberHead) -> dict[str, Any]:
    target = {"name": "rent", "title": TITLE, "aliases": ["월세"], "unit": UNIT, "head": head}
    levels = {"levels": LEVELS} if head == "quantiles" else {}
    return {**mixed.DESCRIPTION, "target": {**target, **levels}}


def _normal(truth: Any, outputs: Any) -> Any:
    mean, variance = outputs[:, :1], outputs[:, 1:]
    return keras.ops.mean(keras.ops.log(variance) + keras.ops.square(truth - mean) / variance) / 2


def _pinball(truth: Any, outputs: Any) -> Any:
    levels, errors = keras.ops.convert_to_tensor(LEVELS), truth - outputs
    return keras.ops.mean(keras.ops.maximum(levels * errors, (levels - 1) * errors))


LOSSES: dict[NumberHead, Any] = {"point": "mse", "normal": _normal, "quantiles": _pinball}


def network(head: NumberHead, epochs: int = 10) -> Any:
    """A network with plain dropout, trained on numbers for categories, that answers in euros."""
    features, rents = rows(2_000)
    features = np.where(np.isnan(features), [60.0, 0, 0, 0, mixed.MISSING_SLOT], features)
    keras.utils.set_random_seed(7)
    layers = keras.layers
    normalization = layers.Normalization()
    normalization.adapt(features.astype(np.float32))
    inputs = keras.Input((5,))
    hidden = normalization(inputs)
    for _ in range(2):
        hidden = layers.Dropout(0.15)(layers.Dense(32, activation="relu")(hidden))
    middle, scale = float(rents.mean()), float(rents.std())
    if head == "normal":
        mean = layers.Rescaling(scale, middle)(layers.Dense(1)(hidden))
        noise = layers.Dense(1, activation="softplus")(hidden)
        variance = layers.Rescaling(scale**2, 1e-3 * scale**2)(noise)
        outputs = layers.Concatenate()([mean, variance])
    else:
        units = 3 if head == "quantiles" else 1
        outputs = layers.Rescaling(scale, middle)(layers.Dense(units)(hidden))
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.AdamW(0.01), loss=LOSSES[head])
    model.fit(features.astype(np.float32), rents[:, None], epochs=epochs, batch_size=32, verbose=0)
    return model


def conversion(work: Path, head: NumberHead) -> Conversion:
    """The job that makes the bundle, with its files in a folder."""
    (work / "features.json").write_text(json.dumps(description(head)), encoding="utf-8")
    described = read_description(work / "features.json")
    return Conversion(
        network=work / "rents.keras",
        features=described.features,
        classes=(),
        data=write_table(work / "flats.csv", *rows(500, 1)),
        target=None,
        out=work / "models",
        name="flat-rent",
        version=None,
        passes=PASSES,
        calibrate=write_table(work / "held.csv", *rows(1_800, 2)),
        temperature=False,
        command="dubito convert rents.keras",
        number=described.number,
    )


@cache
def number_bundle(head: NumberHead = "normal") -> Path:
    """The bundle's folder, below one that has no other."""

    def make(work: Path) -> Path:
        (work / "models").mkdir()
        network(head).save(work / "rents.keras")
        return convert(conversion(work, head))[0]

    return made(f"number-{head}", make)
