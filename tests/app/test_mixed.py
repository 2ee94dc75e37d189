"""A bundle with features of all kinds, served: requests, records, replay, exports, drift."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyarrow import parquet

from dubito import load
from dubito.features import FeatureValue
from tests.mixed import FLAT, HEATING, mixed_bundle
from tests.service import Service, command, serving

Json = dict[str, Any]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def service(state: Path) -> Iterator[Service]:
    folder = mixed_bundle()
    with serving(
        "--models", str(folder.parent.parent), "--model", "flat-price", "--state", str(state)
    ) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


def ask(client: httpx.Client, row: Json, path: str = "/predict/mc", **query: Any) -> Json:
    answer = client.post(path, json=row, params={"seed": 7, **query})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("heating", [*HEATING, "power", "wood", None])
def test_an_answer_is_the_librarys(client: httpx.Client, heating: FeatureValue) -> None:
    """The same bits as in a program, whatever the category."""
    row = FLAT | {"heating": heating}
    expected = load(mixed_bundle()).predict_mc([row], seed=7)
    answer = ask(client, row)
    assert expected.mean[0].tolist() == list(answer["mean"].values())
    kinds = [notice.kind for notice in expected.notices[0]]
    assert kinds == [warning["kind"] for warning in answer["warnings"]]


def test_an_unknown_category_refers_and_is_not_repeated(client: httpx.Client) -> None:
    """Its warning names the feature alone, its record does not have the text."""
    answer = ask(client, FLAT | {"heating": "peat & coal"})
    assert [{"kind": "unknown_category", "feature": "heating"}] == answer["warnings"]
    assert "unknown_category" in answer["decision"]["reasons"]
    record = client.get(f"/predictions/{answer['id']}").json()
    assert record["features"] == FLAT | {"heating": ""}
    assert "peat" not in json.dumps(record)


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"area": "centre"}, "not_one_of", "must be one of the categories"),
        ({"area": None}, "not_a_text", "must be a text"),
        ({"area": 2}, "not_a_text", "must be a text"),
        ({"lift": 1}, "not_true_or_false", "must be true or false"),
        ({"space": "71.5"}, "not_a_number", "must be a number"),
    ],
)
def test_a_fault_names_the_feature_and_no_value(
    client: httpx.Client, changes: Json, code: str, message: str
) -> None:
    answer = client.post("/predict/mc", json=FLAT | changes)
    (error,) = answer.json()["errors"]
    (name,) = changes
    assert (422, name, code) == (answer.status_code, error["field"], error["code"])
    assert message in error["detail"]
    assert "centre" not in answer.text


def test_texts_may_have_colons_and_braces(client: httpx.Client) -> None:
    """What is counted to find members given twice is not led astray by a text."""
    odd = [FLAT | {"heating": text} for text in ("a:b:c:d:e:f:g", '"},{"floor":1', "district:heat")]
    given = client.post("/predict/mc", json={"instances": odd * 100}, params={"seed": 7})
    answers = given.json()["predictions"]
    alone = [ask(client, row)["mean"] for row in odd]
    assert alone == [answer["mean"] for answer in answers[:3]]
    twice = json.dumps(FLAT | {"heating": "a:b"})[:-1] + ', "floor": 4}'
    head = {"Content-Type": "application/json"}
    refused = client.post("/predict/mc", content=twice, headers=head)
    assert refused.status_code == 422
    assert [("floor", "given_twice")] == [
        (error["field"], error["code"]) for error in refused.json()["errors"]
    ]


def test_replay_is_identical(client: httpx.Client) -> None:
    """With each category, an unknown one, and gaps: from what the record says in words."""
    for heating in (*HEATING, "wood", None):
        for lift in (True, False, None):
            answer = ask(client, FLAT | {"heating": heating, "lift": lift})
            replay = client.post(f"/predictions/{answer['id']}/replay").json()
            assert (replay["identical"], replay["largest_difference"]) == (True, 0)


def test_what_if_takes_words(client: httpx.Client) -> None:
    """Names and aliases of categories, truths; features are told in words."""
    before, after = ask(client, FLAT), ask(client, FLAT | {"heating": "electric", "lift": False})
    path = f"/predictions/{before['id']}/what-if"
    told = client.post(path, json={"features": {"난방": "전기", "lift": False}}).json()
    assert told["features"] == FLAT | {"heating": "electric", "lift": False}
    assert told["corrected"]["mean"] == after["mean"]
    assert told["recorded"]["mean"] == before["mean"]
    wrong: list[Json] = [{"area": "centre"}, {"lift": "no"}, {"floor": "3"}, {"heating": 1}]
    for changes in (*wrong, {"heating": {"a": 1}}, {"floor": [1]}, {"floor": 1e300}):
        refused = client.post(path, json={"features": changes})
        assert refused.status_code == 422
        (name,) = changes
        pointers = [error["pointer"] for error in refused.json()["errors"]]
        assert [f"#/features/{name}"] == pointers


def test_the_document_has_the_categories(client: httpx.Client) -> None:
    """Those that are all there are as an enumeration, others as examples, each alias too."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    row = schemas["Row"]["properties"]
    assert ["north", "south", "west", "east"] == row["area"]["enum"]
    heating, gap = row["heating"]["anyOf"]
    assert [*HEATING, "전기", "power"] == heating["examples"]
    assert ("string", "null") == (heating["type"], gap["type"])
    assert "boolean" in {each["type"] for each in row["lift"]["anyOf"]}
    example = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
    ask(client, example["content"]["application/json"]["examples"]["one"]["value"])


def test_the_model_is_described(client: httpx.Client) -> None:
    features = client.get("/model").json()["features"]
    assert ["float", "integer", "boolean", "category", "category"] == [
        feature["kind"] for feature in features
    ]
    assert {"name": "electric", "aliases": ["전기", "power"]} == features[3]["categories"][3]
    assert 500 == sum(features[3]["seen"]["counts"]) + sum(
        features[3]["seen"][name] for name in ("unknown", "missing")
    )


def test_drift_is_told_of_every_feature(client: httpx.Client) -> None:
    """A stream of one category alone has moved; a gap is counted as missing."""
    for _ in range(2):
        rows = [FLAT | {"heating": "oil, old", "lift": None}] * 60
        client.post("/predict/mc", json={"instances": rows}).raise_for_status()
    drift = client.get("/uncertainty").json()["drift"]["features"]
    of = {stream["feature"]: stream for stream in drift}
    assert of["heating"]["psi"] > 0.25
    assert of["heating"]["p_value"] < 1e-6
    assert of["lift"]["missing"] >= 120
    assert 0 < of["area"]["statistic"] <= 1


def test_an_export_has_words_in_columns(client: httpx.Client, state: Path, tmp_path: Path) -> None:
    """Text for categories, booleans for truths, in CSV and Parquet."""
    answer = ask(client, FLAT | {"heating": "gas"})
    for name in ("all.csv", "all.parquet"):
        ended = command("records", "export", "--out", str(tmp_path / name), "--state", str(state))
        assert ended.returncode == 0, ended.stderr.decode()
    with (tmp_path / "all.csv").open(encoding="utf-8-sig") as file:
        lines = {line["id"]: line for line in csv.DictReader(file)}
    line = lines[answer["id"]]
    assert ("gas", "True") == (line["feature.heating"], line["feature.lift"])
    table = parquet.read_table(tmp_path / "all.parquet")
    types = [str(table.schema.field(f"feature.{name}").type) for name in FLAT]
    assert ["double", "double", "bool", "string", "string"] == types
