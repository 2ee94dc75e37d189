"""Manifests changed anywhere and sealed as a good one is: refused, or served as they read."""

import json
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import rfc8785
from keras import layers
from starlette.testclient import TestClient

from app.bundle_loader import LoadedBundle
from app.main import create_app
from app.serving.compute import ComputeThread
from app.settings import Settings
from dubito.bundle import Bundle, load
from dubito.bundles.golden import golden_faults
from dubito.bundles.manifest import Manifest
from dubito.bundles.validation.inspection import inspect
from dubito.cli.main import main
from dubito.errors import BundleError
from dubito.types import Cards, Query
from tests import plain_reading
from tests.ensembles import ensemble_bundle
from tests.mixed import mixed_bundle
from tests.rents import HEADS, number_bundle
from tests.service import ROOT
from tests.tensors import tensor_bundle

Json = dict[str, Any]
Way = tuple[str | int, ...]
PRINTABLE = r"[^\n\x00-\x1f\x7f-\x9f\u202e]"
SENTENCE = re.compile(r"(bundle\.json|model(\.\d)?\.keras)[:, ]" + PRINTABLE + "{5,400}")
MOST_PASSES = 1_980
"""Of a default that is asked for here; a multiple of an ensemble's members."""
SEED = 5
NAMES = ("shipped", "converted", "mixed", *HEADS, "ensemble", "tensor")


@dataclass(frozen=True, slots=True)
class Good:
    """A good bundle, and a copy of it whose manifest may be changed."""

    bundle: Bundle
    folder: Path
    content: Json


def converted(folder: Path) -> Path:
    """A network of two classes, converted with its calibration: a nullable feature, an integer."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(16, "tanh"),
            layers.Dropout(0.3),
            layers.Dense(2, "softmax", kernel_initializer=keras.initializers.RandomNormal(0, 2)),
        ]
    )
    model.save(folder / "net.keras")
    random = np.random.default_rng(0)
    rows = np.column_stack([random.random((400, 2)).round(4), random.integers(1, 9, 400)])
    grades = model.predict(rows * [1, 1, 0.5], verbose=0).argmax(axis=1)
    lines = [f"{a},{b},{c:g},{'YN'[grade]}" for (a, b, c), grade in zip(rows, grades, strict=True)]
    lines[3] = "0.5,,3,Y"
    (folder / "rows.csv").write_text("\n".join(["length,weight,rings,sex", *lines]))
    features = [{"name": "length"}, {"name": "weight", "imputed": 0.5, "aliases": ["무게"]}]
    described = [*features, {"name": "rings", "kind": "integer", "minimum": 0, "maximum": 100}]
    (folder / "features.json").write_text(json.dumps({"features": described}))
    words = "convert net.keras --features features.json --classes Y,N --data rows.csv --target sex"
    options = "--calibrate rows.csv --out models --name net --passes 40"
    assert 0 == main([*words.split(), *options.split()])
    return folder / "models" / "net" / "1"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Good]:
    """The shipped bundle of version 4, a converted one, and those of format 2."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = converted(folder)
    shipped = ROOT / "models" / "loan-grade" / "4"
    numbers = {str(head): number_bundle(head) for head in HEADS}
    folders: dict[str, Path] = {
        "shipped": shipped,
        "converted": made,
        "mixed": mixed_bundle(),
        **numbers,
        "ensemble": ensemble_bundle("number"),
        "tensor": tensor_bundle(),
    }
    return {name: _copied(of, folder) for name, of in folders.items()}.__getitem__


def _copied(shipped: Path, folder: Path) -> Good:
    copy = folder / "copies" / shipped.parents[2].name / shipped.parent.name / shipped.name
    shutil.copytree(shipped, copy)
    (copy / "SHA256SUMS").unlink()
    return Good(load(copy), copy, json.loads((copy / "bundle.json").read_bytes()))


# Changing: any value, list or name.


def ways(content: Any, way: Way = ()) -> Iterator[Way]:
    """How to get to every value."""
    members: Iterable[tuple[str | int, Any]] = ()
    if isinstance(content, dict):
        members = content.items()
    elif isinstance(content, list):
        members = enumerate(content)
    for name, member in members:
        yield (*way, name)
        yield from ways(member, (*way, name))


def by_member(content: Json) -> list[list[Way]]:
    """The ways to values of one meaning together: positions in lists do not count."""
    found: dict[Way, list[Way]] = {}
    for way in ways(content):
        kind = tuple("#" if isinstance(part, int) else part for part in way)
        found.setdefault(kind, []).append(way)
    return list(found.values())


def changed(content: Json, number: int) -> tuple[Way, Json]:
    """The manifest with one member changed, and which; every member has its turn."""
    random = np.random.default_rng([77, number])
    members = by_member(content)
    alike = members[number * 37 % len(members)]
    way = alike[random.integers(len(alike))]
    copy = json.loads(json.dumps(content))
    place = copy
    for part in way[:-1]:
        place = place[part]
    others = [_value(content, other) for other in alike if other != way]
    place[way[-1]] = _other(place[way[-1]], others, random)
    if isinstance(place, dict) and random.random() < 0.1:
        place[f"{way[-1]}\x1b[2J"[: random.integers(20)]] = place.pop(way[-1])
    return way, copy


def _value(content: Any, way: Way) -> Any:
    for part in way:
        content = content[part]
    return content


def _other(value: Any, others: list[Any], random: np.random.Generator) -> Any:
    """Another value of the kind, or of another one."""
    chosen: list[Any] = [None, True, 7, -1, "0.5", [], {}, *others[:3]]
    if isinstance(value, str):
        chosen = ["", f" {value}", f"{value}\x1b[31m", f"{value}\u202e", value * 300, "instances"]
        chosen += ["model_config", "__proto__", "\x00", value.upper() + "x", 7, None, *others]
    elif isinstance(value, list) and value:
        chosen = [[], value[1:], value[:-1], [*value, value[-1]], value[::-1], [value], None]
        chosen += [sorted(value, key=str), [value[0]] * len(value), {}]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        chosen = [-value - 1, value + 1, value * 2, value / 3, 0, 1, 1e308, 5e-324, value + 1e-6]
        chosen += [value * (1 + 1e-9), 0.5, 2**53 - 1, 2**60, True, str(value), None, *others[:3]]
    elif isinstance(value, dict) and value:
        names = list(value)
        chosen = [
            {},
            [],
            None,
            dict(zip(names, [value[name] for name in names[::-1]], strict=True)),
        ]
        chosen += [{name: value[name] for name in names[1:]}, value | {"another": 1}]
    return chosen[random.integers(len(chosen))]


# Reading: the service, and the plain reading of the same text.


def refused(good: Good, content: Json) -> str | None:
    """The sentence that refuses a manifest, by the files or by the golden rows."""
    try:
        text = rfc8785.dumps(content)
    except rfc8785.CanonicalizationError:
        text = json.dumps(content).encode()
    (good.folder / "bundle.json").write_bytes(text)
    try:
        manifest = inspect(good.folder).manifest
    except BundleError as error:
        return str(error)
    fault = next(golden_faults(good.bundle.engine, manifest.golden, manifest.target), None)
    return None if fault is None else f"model.keras: the network {fault}"


def served(good: Good, manifest: Manifest) -> TestClient:
    """A service of a changed manifest."""

    @asynccontextmanager
    async def opening(_: Settings) -> AsyncIterator[LoadedBundle]:
        yield LoadedBundle(
            manifest,
            good.bundle.environment,
            ComputeThread(good.bundle.engine),
            Cards("# A card\n"),
        )

    app = create_app(Settings(records="off"), opening)
    return TestClient(
        app,
        base_url="http://127.0.0.1",
        raise_server_exceptions=False,
        client=("127.0.0.1", 50_000),
    )


def rows_of(content: Json) -> list[list[float | None]]:
    """Usual rows, and odd ones that are allowed: at both ends, out of what was seen, missing."""
    features = content["features"]
    rows = [one["features"] for one in content["golden"]]
    if features[0]["kind"] == "tensor":
        bounds = (features[0]["minimum"], features[0]["maximum"])
        return [*rows, *([bound] * len(rows[0]) for bound in bounds)]
    low, high, odd = zip(*map(ends, features), strict=True)
    missing = [None if one["nullable"] else end for one, end in zip(features, low, strict=True)]
    rows += [[*low], [*high], missing, [*odd]]
    return [[value if value is None else float(value) for value in row] for row in rows]


def ends(feature: Json) -> tuple[float, float, float]:
    """The least and the largest number that was seen, and an odd one."""
    seen = feature["seen"]
    if "counts" in seen:
        last = len(seen["counts"]) - 1
        return 0, last, last + feature.get("takes_unknown", False)
    return seen["minimum"], seen["maximum"], min(feature["maximum"], 3 * seen["maximum"])


def asked(content: Json, number: int) -> Iterator[Json]:
    """What is asked for: the bundle's own defaults, each method and each target."""
    if content["passes"] <= MOST_PASSES:
        yield {}
    calibration = content["calibration"]
    if calibration is None:
        yield {"passes": 30}
        return
    coverages = [0.5, 0.9, 0.999, calibration["coverage"]]
    conditional = [{}] if is_number(content) else CONDITIONAL
    for at, (method, options) in enumerate(product(calibration["scores"], conditional)):
        coverage = coverages[(at + number) % len(coverages)]
        passes = min(calibration["passes"], MOST_PASSES) if at % 3 else 30
        yield {"passes": passes, "method": method, "coverage": coverage, **options}
    yield from (
        {"passes": min(calibration["passes"], MOST_PASSES), "target": promise["target"]}
        for promise in calibration["policy"]["promises"]
    )


CONDITIONAL: list[Json] = [{"class_conditional": False}, {"class_conditional": True}]


def is_number(content: Json) -> bool:
    return "target" in content and content["target"]["kind"] == "number"


def check(good: Good, content: Json, number: int) -> int:
    """Compare all answers with the plain reading; returns how many rows were compared."""
    manifest = inspect(good.folder).manifest
    rows, compared = rows_of(content), 0
    body = {"instances": [plain_reading.values_of(content, row) for row in rows]}
    with served(good, manifest) as client:
        for page in ("/model", "/model/card", "/openapi.json", "/docs", "/"):
            assert 200 == client.get(page).status_code
        assert 200 == client.post("/predict", json=body).status_code
        for options in asked(content, number):
            params = {name: str(value).lower() for name, value in options.items()}
            answer = client.post("/predict/mc", json=body, params={"seed": str(SEED), **params})
            assert 200 == answer.status_code, answer.text
            passes = options["passes"] if options else content["passes"]
            array = np.array(rows, dtype=np.float64)
            (summary,) = good.bundle.engine.summarise([Query(array, passes, SEED)])
            for at, found in enumerate(answer.json()["predictions"]):
                mean, std = summary.mean[at].tolist(), summary.std[at].tolist()
                if is_number(content):
                    check_number(content, rows[at], (mean, std), found, options)
                else:
                    assert mean == list(found["mean"].values())
                    check_one(content, rows[at], found, options)
                compared += 1
    return compared


def check_one(content: Json, row: list[float | None], found: Json, options: Json) -> None:
    """One answer, read from the manifest and the answer's own statistics."""
    mean = list(found["mean"].values())
    assert plain_reading.classes_of(content) == list(found["mean"])
    assert plain_reading.grade(content, mean) == found["grade"]
    calibration = content["calibration"]
    if calibration is None:
        assert (None, None) == (found["prediction_set"], found["decision"])
        return
    coverage = options.get("coverage", calibration["coverage"])
    chosen = options.get("method", "lac"), coverage, options.get("class_conditional", False)
    assert plain_reading.prediction_set(content, mean, *chosen) == found["prediction_set"]["grades"]
    target = options.get("target", calibration["policy"]["target"])
    information = found["uncertainty"]["mutual_information"]
    wanted = plain_reading.decision(content, row, mean, information, found["passes"], target)
    assert wanted == found["decision"]


def check_number(
    content: Json,
    row: list[float | None],
    moments: tuple[list[float], list[float]],
    found: Json,
    options: Json,
) -> None:
    """One answer of a number, read from the manifest and the engine's means and deviations."""
    assert plain_reading.value_and_std(content, *moments) == (found["mean"], found["std"])
    calibration = content["calibration"]
    if calibration is None:
        assert (None, None) == (found["interval"], found["decision"])
        return
    method = options.get("method", calibration["method"])
    coverage = options.get("coverage", calibration["coverage"])
    expected = plain_reading.interval(content, *moments, method, coverage)
    told = found["interval"]["lower"], found["interval"]["upper"]
    if np.isinf(expected).any():
        assert (None, None) == told
    else:
        np.testing.assert_allclose(told, expected, rtol=1e-9)
    target = options.get("target", calibration["policy"]["target"])
    wanted = plain_reading.number_decision(content, row, *moments, found["passes"], target)
    assert wanted == found["decision"]


def member_of(way: Way) -> str:
    """The name under which a change is counted."""
    return ".".join(map(str, way[: 2 if way[0] == "calibration" else 1]))


@pytest.mark.parametrize("name", NAMES)
def test_a_good_manifest_is_served_as_it_reads(good: Callable[[str], Good], name: str) -> None:
    """The plain reading is right where nothing was changed."""
    one = good(name)
    assert refused(one, one.content) is None
    assert check(one, one.content, 0) > 50


@pytest.mark.claim("hostile manifests", test=8, proof=200)
@pytest.mark.parametrize("name", NAMES)
def test_a_changed_manifest_is_refused_or_served_as_it_reads(
    good: Callable[[str], Good], record_property: Any, name: str, count: int
) -> None:
    """Numbers, lists and names changed and sealed anew: a sentence, or a plain reading's answers.

    The figure is, for each member, how many were refused and how many served.
    """
    one = good(name)
    outcomes: Counter[tuple[str, bool]] = Counter()
    for number in range(count):
        way, content = changed(one.content, number)
        if content == one.content:
            continue
        sentence = refused(one, content)
        if sentence is None:
            check(one, content, number)
        else:
            assert SENTENCE.fullmatch(sentence), sentence
        outcomes[member_of(way), sentence is None] += 1
    members = sorted({member for member, _ in outcomes})
    told = [f"{member} {outcomes[member, False]}/{outcomes[member, True]}" for member in members]
    record_property("figure", f"refused/served: {', '.join(told)}")
