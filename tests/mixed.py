"""A bundle with features of all four kinds, made of a network, its description and a table."""

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dubito.features import FeatureValue
from dubito.training.convert import Conversion, convert
from dubito.training.description import read_description
from dubito.types import Floats, Indices
from tests.made import made

HEATING = ("gas", "oil, old", "district:heat", "electric")
AREAS = ("north", "south", "west")
NAMES = ("space", "floor", "lift", "heating", "area")
CLASSES = ("cheap", "fair", "dear")
UNKNOWN_SLOT, MISSING_SLOT = 4.0, 5.0
DESCRIPTION: dict[str, Any] = {
    "features": [
        {"name": "space", "title": "Living space", "unit": "m²", "minimum": 0, "imputed": 60.0},
        {"name": "floor", "kind": "integer", "minimum": -2, "maximum": 200},
        {"name": "lift", "title": "Has a lift", "kind": "boolean", "imputed": False},
        {
            "name": "heating",
            "title": "Heating",
            "aliases": ["난방"],
            "kind": "category",
            "categories": [*HEATING[:3], {"name": "electric", "aliases": ["전기", "power"]}],
            "takes_unknown": True,
            "imputed": MISSING_SLOT,
        },
        {"name": "area", "kind": "category", "categories": [*AREAS, "east"]},
    ]
}
"""No row is in the east."""
FLAT: dict[str, FeatureValue] = {
    "space": 71.5,
    "floor": 3,
    "lift": True,
    "heating": "gas",
    "area": "south",
}


def rows(count: int, seed: int = 0) -> tuple[Floats, Indices]:
    """Rows `(N, 5)` as numbers, some with gaps and an unknown heating, and their classes."""
    random = np.random.default_rng(seed)
    space = random.normal(70, 20, count).clip(15, 200).round(1)
    floor = random.integers(-1, 12, count).astype(np.float64)
    lift = (floor + random.normal(0, 2, count) > 3).astype(np.float64)
    heating = random.choice(5, count, p=(0.4, 0.2, 0.2, 0.15, 0.05)).astype(np.float64)
    area = random.integers(0, 3, count).astype(np.float64)
    worth = space / 20 + 2 * (area == 1) + lift - (heating == 1) + random.normal(0, 0.5, count)
    space[random.random(count) < 0.05] = np.nan
    lift[random.random(count) < 0.1] = np.nan
    heating[random.random(count) < 0.05] = np.nan
    return np.column_stack([space, floor, lift, heating, area]), np.digitize(worth, [3.9, 5.4])


def cells(row: Floats, label: int | None = None) -> list[str]:
    """A row as a table has it."""
    space, floor, lift, heating, area = ("" if np.isnan(one) else one for one in row.tolist())
    texts = [
        str(space),
        str(floor),
        "" if lift == "" else ("false", "TRUE")[int(lift)],
        "" if heating == "" else [*HEATING, "wood"][int(heating)],
        [*AREAS, "east"][int(area)],
    ]
    return texts if label is None else [*texts, CLASSES[label]]


def write_table(path: Path, features: Floats, labels: Indices | None = None) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES if labels is None else [*NAMES, "price"])
        for at, row in enumerate(features):
            writer.writerow(cells(row, None if labels is None else int(labels[at])))
    return path


def network() -> Any:
    """A network with plain dropout, trained on numbers for categories."""
    features, labels = rows(2_000)
    features = np.where(np.isnan(features), [60.0, 0, 0, 0, MISSING_SLOT], features)
    keras.utils.set_random_seed(5)
    normalization = keras.layers.Normalization()
    normalization.adapt(features.astype(np.float32))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5,)),
            normalization,
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer="adamw", loss="sparse_categorical_crossentropy")
    model.fit(features.astype(np.float32), labels, epochs=6, batch_size=32, verbose=0)
    return model


@cache
def mixed_bundle() -> Path:
    """The bundle's folder, below one that has no other."""
    return made("mixed", _made)


def _made(work: Path) -> Path:
    models = work / "models"
    models.mkdir()
    network().save(work / "flats.keras")
    (work / "features.json").write_text(json.dumps(DESCRIPTION))
    job = Conversion(
        network=work / "flats.keras",
        features=read_description(work / "features.json").features,
        classes=CLASSES,
        data=write_table(work / "flats.csv", *rows(500, 1)),
        target="price",
        out=models,
        name="flat-price",
        version=None,
        passes=50,
        calibrate=write_table(work / "held.csv", *rows(1_500, 2)),
        temperature=False,
        command="dubito convert flats.keras",
    )
    return convert(job)[0]
