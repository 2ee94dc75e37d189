"""Calibration rows that say little: a bundle is made of them, and says what it can promise."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from dubito.cli.main import main
from dubito.types import Floats, Indices

layers = keras.layers
CLASSES = ("small", "middle", "large")
NAMES = ("length", "width")
Labelling = Callable[[Floats, np.random.Generator], Indices]


def by_length(features: Floats, _: np.random.Generator) -> Indices:
    """What the network says, as surely as it can: its grade is never wrong."""
    return np.digitize(features[:, 0], [3.0, 6.0])


def coin(features: Floats, random: np.random.Generator) -> Indices:
    """Right in one of two rows, whatever the network says."""
    labels = by_length(features, random)
    return np.where(random.random(len(labels)) < 0.5, labels, (labels + 1) % 3)


def without_large(features: Floats, random: np.random.Generator) -> Indices:
    """A class that never occurs."""
    return np.minimum(by_length(features, random), 1)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that tells the classes by the length, sharply."""
    folder = tmp_path_factory.mktemp("networks")
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2,))
    hidden = layers.Dropout(0.1)(layers.Dense(16, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    features = rows(random, 2_000)
    model.fit(features.astype(np.float32), by_length(features, random), epochs=20, verbose=0)
    model.save(folder / "lengths.keras")
    (folder / "features.json").write_text(json.dumps({"features": [{"name": n} for n in NAMES]}))
    return folder / "lengths.keras"


def rows(random: np.random.Generator, count: int) -> Floats:
    """Rows `(N, 2)`, none of them close to a limit between classes."""
    lengths = random.choice([1.5, 4.5, 7.5], count) + random.uniform(-0.8, 0.8, count)
    return np.column_stack([lengths, random.normal(0, 1, count)]).round(3)


def write(path: Path, features: Floats, labels: Indices) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*NAMES, "size"])
        writer.writerows(
            [*map(repr, row), CLASSES[at]]
            for row, at in zip(features.tolist(), labels, strict=True)
        )
    return path


CASES: dict[str, tuple[int, Labelling]] = {
    "30 rows": (30, by_length),
    "31 rows of a coin": (31, coin),
    "a class that never occurs": (900, without_large),
    "right in one of two": (900, coin),
    "never wrong": (3_000, by_length),
}


@pytest.mark.parametrize(
    ("case", "temperature"),
    [*((case, False) for case in CASES), ("30 rows", True), ("a class that never occurs", True)],
)
def test_each_gets_a_policy_that_says_what_it_can_promise(
    case: str,
    temperature: bool,
    network: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Never an exception; where nothing is promised, the rows that are wanting, or why not."""
    count, labelling = CASES[case]
    random = np.random.default_rng(count)
    features = rows(random, count)
    data = write(tmp_path / "rows.csv", features, labelling(features, random))
    words = ["convert", str(network), "--features", str(network.parent / "features.json")]
    words += ["--data", str(data), "--target", "size", "--calibrate", str(data), "--passes", "20"]
    words += ["--classes", ",".join(CLASSES), "--out", str(tmp_path / "models"), "--name", "hard"]
    assert 0 == main([*words, *(["--temperature"] if temperature else [])])
    assert "may have been fitted or calibrated on some of these rows" in capsys.readouterr().out
    told, answer = asked(tmp_path / "models", features[0])
    promises = {line["target"]: line for line in told["promises"]}
    assert answer["decision"]["case_limit"] == told["case_limit"] == 0.1
    check = {"never wrong": perfect, "right in one of two": hopeless}.get(case, short)
    check(promises, told["rows"])
    if not promises[told["target"]]["automated"]:
        assert "ambiguous" in answer["decision"]["reasons"]
        assert told["target"] == 0.03


def asked(models: Path, row: Floats) -> tuple[dict[str, Any], dict[str, Any]]:
    """The calibration that is told, and an answer."""
    app = create_app(Settings(models=models, model="hard", records="off"))
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)) as client:
        body = dict(zip(NAMES, row.tolist(), strict=True))
        answer = client.post("/predict/mc", json=body, headers={"Host": "127.0.0.1"})
        assert 200 == answer.status_code, answer.text
        return client.get("/model").json()["calibration"], answer.json()


def perfect(promises: dict[float, Any], count: int) -> None:
    """All rows are automated from the first target on that so many rows can show."""
    assert 2_000 == count
    for line in promises.values():
        assert (line["wanting"], line["wrong"]) == (0, 0)
        assert line["automated"] >= 0.9
        assert line["band"]["wrong"] == 0


def hopeless(promises: dict[float, Any], count: int) -> None:
    """One in two is wrong everywhere: no target is kept, and more rows would not help."""
    assert 600 == count
    for target, line in promises.items():
        assert (line["automated"], line["band"]) == (0.0, None)
        assert (line["wanting"] > 0) == (target < 0.006)


def short(promises: dict[float, Any], count: int) -> None:
    """What cannot be shown by so few rows says how many more it takes."""
    for line in promises.values():
        assert line["automated"] or line["wanting"] or count > 500
        assert line["wanting"] == 0 or line["automated"] == 0
    if count < 46:
        assert all(line["wanting"] >= 46 - count for line in promises.values())
