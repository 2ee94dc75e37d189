"""A bundle whose input is a tensor, over HTTP: from what is asked to what is kept."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from dubito.bundle import Bundle, load
from dubito.bundles.manifest_parser import parse_manifest
from dubito.errors import BundleError, InvalidInput
from dubito.uncertainty.drift import LEAST_ROWS
from tests.service import Service, command_here, serving, until
from tests.tensors import KINDS, SHAPE, Kind, images, tensor_bundle

ROWS = 6


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def bundle(kind: Kind) -> Bundle:
    return load(tensor_bundle(kind))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def service(kind: Kind, state: Path) -> Iterator[Service]:
    with serving(str(tensor_bundle(kind)), "--state", str(state / kind)) as service:
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client:
        yield client


def rows(count: int = ROWS) -> list[dict[str, Any]]:
    return [{"image": image.tolist()} for image in images(300, 300 + count)[0]]


def ask(client: httpx.Client, body: Any, **query: Any) -> Any:
    return client.post("/predict/mc", json=body, params=query)


def faults(client: httpx.Client, body: Any) -> list[dict[str, Any]]:
    reply = ask(client, body)
    assert reply.status_code == 422, reply.text
    found: list[dict[str, Any]] = reply.json()["errors"]
    return found


def test_answers_are_the_librarys(kind: Kind, bundle: Bundle, client: httpx.Client) -> None:
    """One image, several, and under the alias; arrays in their shape or as rows of numbers."""
    given = images(300, 300 + ROWS)[0]
    found = bundle.predict_mc(given, 60, 9)
    flat = bundle.predict_mc(given.reshape(ROWS, -1), 60, 9)
    assert found.summary.mean.tobytes() == flat.summary.mean.tobytes()
    mapped = bundle.predict_mc([{"그림": one} for one in given], 60, 9)
    assert found.summary.mean.tobytes() == mapped.summary.mean.tobytes()
    answers = ask(client, {"instances": rows()}, passes=60, seed=9).json()["predictions"]
    one = ask(client, {"그림": rows()[0]["image"]}, passes=60, seed=9).json()
    answers.append(one)
    for answer, mean in zip(answers, [*found.summary.mean, found.summary.mean[0]], strict=True):
        told = list(answer["mean"].values()) if kind == "classes" else [answer["mean"]]
        assert told == mean[: len(told)].tolist()


def test_many_images_are_read_in_turns(bundle: Bundle, client: httpx.Client) -> None:
    """A long list answers as its parts do."""
    many = rows(150)
    whole = ask(client, {"instances": many}, passes=50, seed=3).json()["predictions"]
    part = ask(client, {"instances": many[100:103]}, passes=50, seed=3).json()["predictions"]
    assert [one["mean"] for one in whole[100:103]] == [one["mean"] for one in part]


def changed(image: Any, *place: int, to: Any) -> Any:
    """An image with another value at a place."""
    copy = json.loads(json.dumps(image))
    inner = copy
    for at in place[:-1]:
        inner = inner[at]
    inner[place[-1]] = to
    return copy


WRONG: dict[str, tuple[Any, str, str]] = {
    "too small": (lambda image: changed(image, 2, 3, 0, to=-0.5), "/2/3/0", "too_small"),
    "too large": (lambda image: changed(image, 7, 7, 0, to=16.5), "/7/7/0", "too_large"),
    "a text": (lambda image: changed(image, 0, 0, 0, to="7"), "/0/0/0", "not_a_number"),
    "a gap": (lambda image: changed(image, 0, 0, 0, to=None), "/0/0/0", "not_a_number"),
    "a short row": (lambda image: changed(image, 4, to=[[1]] * 7), "/4", "too_few_items"),
    "a long row": (lambda image: changed(image, 4, to=[[1]] * 9), "/4", "too_many_items"),
    "rows too many": (lambda image: [*image, image[0]], "", "too_many_items"),
    "a number": (lambda _: 7, "", "not_a_list"),
    "null": (lambda _: None, "", "not_a_list"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tensors_are_refused_by_their_place(client: httpx.Client, name: str) -> None:
    """A pointer to what is wrong, the code, and never the value."""
    change, pointer, code = WRONG[name]
    (row,) = rows(1)
    found = faults(client, {"image": change(row["image"])})
    assert {(one["pointer"], one["code"]) for one in found} == {(f"#/image{pointer}", code)}
    found = faults(client, {"instances": [row, {"image": change(row["image"])}]})
    assert found[0]["pointer"] == f"#/instances/1/image{pointer}"
    assert "16.5" not in json.dumps(found)


def test_a_wrong_tensor_is_refused_at_its_first_fault(client: httpx.Client) -> None:
    """Listing all that is wrong with large ones would take the service's time."""
    found = faults(client, {"instances": [{"image": np.full(SHAPE, 99).tolist()}] * 100})
    assert [one["pointer"] for one in found] == ["#/instances/0/image/0/0/0"]


def test_the_library_refuses_the_same(bundle: Bundle) -> None:
    """Arrays of another shape, numbers out of bounds, and gaps."""
    given = images(300, 303)[0]
    for wrong in (given[:, :7], given.reshape(3, 8, 8), given[0]):
        with pytest.raises(InvalidInput, match=r"rows must be \(N, 8, 8, 1\)"):
            bundle.predict(wrong)
    for value, told in ((np.nan, "is missing"), (np.inf, "finite"), (17.0, "at most 16")):
        given[1, 2, 3, 0] = value
        with pytest.raises(InvalidInput, match=f"image.*{told}"):
            bundle.predict(given)


def test_a_strange_norm_is_told_and_refers(client: httpx.Client) -> None:
    """An image without ink, and one that is full of it, have norms that training never saw."""
    for value in (0.0, 16.0):
        answer = ask(client, {"image": np.full(SHAPE, value).tolist()}).json()
        (warning,) = [one for one in answer["warnings"] if one["kind"] == "out_of_range"]
        assert warning["feature"] == "image"
        assert warning["value"] == pytest.approx(value * 8)
        assert warning["seen_minimum"] > 20
        assert answer["decision"]["reasons"][0] == "out_of_range"


def test_records_keep_and_replay_the_tensor(client: httpx.Client) -> None:
    """To the bit; what-if takes another tensor as a whole."""
    row, other = rows(2)
    answer = ask(client, row, passes=60).json()
    case = client.get(f"/predictions/{answer['id']}").raise_for_status().json()
    assert case["features"] == row
    replay = client.post(f"/predictions/{answer['id']}/replay").raise_for_status().json()
    assert replay["identical"]
    asked = client.post(f"/predictions/{answer['id']}/what-if", json={"features": other})
    found = asked.raise_for_status().json()
    assert found["recorded"]["mean"] == answer["mean"]
    assert found["corrected"]["mean"] != answer["mean"]
    wrong = {"features": {"image": changed(other["image"], 1, 1, 0, to=99)}}
    reply = client.post(f"/predictions/{answer['id']}/what-if", json=wrong)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["pointer"] == "#/features/image/1/1/0"


def test_the_norm_is_watched_for_drift(client: httpx.Client) -> None:
    """One stream of the tensor's name, beside that of the epistemic uncertainty."""
    ask(client, {"instances": rows(LEAST_ROWS)}, passes=60).raise_for_status()

    def psi() -> Any:
        told = client.get("/uncertainty", params={"window": "1h"}).raise_for_status().json()
        (stream,) = [one for one in told["drift"]["features"] if one["feature"] == "image"]
        return stream["psi"]

    # Figures are cached for a second.
    until(lambda: psi() is not None)


def test_the_documents_have_the_shape(kind: Kind, client: httpx.Client) -> None:
    """Nested lists of fixed lengths, and an example that is graded."""
    (feature,) = client.get("/model").json()["features"]
    assert (feature["kind"], feature["shape"]) == ("tensor", list(SHAPE))
    document = client.get("/openapi.json").json()
    schema = document["components"]["schemas"]["Row"]["properties"]["image"]
    for length in SHAPE:
        assert (schema["minItems"], schema["maxItems"]) == (length, length)
        schema = schema["items"]
    assert (schema["minimum"], schema["maximum"]) == (0, 16)
    content = document["paths"]["/predict/mc"]["post"]["requestBody"]["content"]
    example = content["application/json"]["examples"]["one"]["value"]
    assert ask(client, example).status_code == 200


def test_exports_have_it_as_json(kind: Kind, bundle: Bundle, tmp_path: Path) -> None:
    """In one cell of a CSV or Parquet file."""
    folder = str(tensor_bundle(kind))
    state, row = tmp_path / "state", rows(1)[0]
    with (
        serving(folder, "--state", str(state)) as service,
        httpx.Client(base_url=service.url, trust_env=False) as client,
    ):
        ask(client, row).raise_for_status()
    for name in ("out.csv", "out.parquet"):
        out = ("--out", str(tmp_path / name))
        done = command_here("records", "export", "--state", str(state), *out)
        assert done.returncode == 0, done.stderr.decode()
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        (found,) = csv.DictReader(file)
    assert json.loads(found["feature.image"]) == row["image"]
    column = pq.read_table(tmp_path / "out.parquet")["feature.image"].to_pylist()
    assert json.loads(column[0]) == row["image"]


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "no axes": ({"shape": []}, "shape is not of 1 to 4 lengths"),
    "an empty axis": ({"shape": [8, 8, 0]}, "shape is not of 1 to 4 lengths"),
    "too large": ({"shape": [65_537]}, "shape is not of 1 to 4 lengths"),
    "another count": ({"shape": [8, 8, 2]}, "features has 64 values, not 128"),
    "no room": ({"minimum": 16}, "minimum is not below its maximum"),
    "endless": ({"maximum": 1e200}, "beyond"),
    "a norm that cannot be": ({"maximum": 1}, "seen is not of norms that the tensors can have"),
    "the list of rows": ({"aliases": ["instances"]}, "is called instances"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_tensors_that_cannot_be_are_refused(name: str) -> None:
    """By the member and the fault, before any network is read."""
    changes, sentence = HOSTILE[name]
    content = json.loads((tensor_bundle() / "bundle.json").read_bytes())
    content["features"][0] |= changes
    with pytest.raises(BundleError, match=sentence):
        parse_manifest(json.dumps(content).encode())


def test_the_manifest_is_of_format_2(kind: Kind) -> None:
    """It has the shape, and comes back as it was written."""
    text = (tensor_bundle(kind) / "bundle.json").read_bytes()
    content = json.loads(text)
    assert content["format"] == 2
    assert content["features"][0]["shape"] == list(SHAPE)
    assert parse_manifest(text).to_bytes() == text


def test_commands_take_it(kind: Kind, bundle: Bundle, tmp_path: Path) -> None:
    """`predict` reads JSON and flags, `inspect` tells the shape, and `evaluate` reads arrays."""
    folder, row = str(tensor_bundle(kind)), rows(1)[0]
    (tmp_path / "row.json").write_text(json.dumps(row))
    asking = ("predict", folder, "--json", "--seed", "4")
    for more in (("--file", str(tmp_path / "row.json")), ("--image", json.dumps(row["image"]))):
        told = json.loads(command_here(*asking, *more).stdout)
        found = bundle.predict_mc([row], seed=4)
        assert told["precision"]["half_width"] == found.estimate.half_widths[0]
    assert b"8 \xc3\x97 8 \xc3\x97 1 numbers" in command_here("inspect", folder).stdout
    held = tensor_bundle(kind).parents[2] / "held.npz"
    target = ("--target", "digit") if kind == "classes" else ()
    page = ("--out", str(tmp_path / "page.html"), "--json")
    done = command_here("evaluate", folder, "--data", str(held), *target, *page)
    assert done.returncode == 0, done.stderr.decode()
    assert "997 rows" in json.loads(done.stdout)["rows"]


def test_most_digits_are_read(kind: Kind, bundle: Bundle) -> None:
    """Of images that nothing was fitted to, by the network as it is served."""
    given, truth = images(800, 1_200)
    if kind == "classes":
        assert (bundle.predict_mc(given, seed=1).predicted == truth).mean() > 0.8
    else:
        ink = given.mean(axis=(1, 2, 3))
        assert np.corrcoef(bundle.predict_mc(given, seed=1).mean, ink)[0, 1] > 0.9
