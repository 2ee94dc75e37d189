"""Bundles of a number, served: answers, records, replay, reviews, outcomes, statistics, exports."""

import csv
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyarrow import parquet

from app.records.group_message import decode_introduction, encode_introduction
from app.watched_bundle import WatchedBundle
from dubito import load
from dubito.types import NumberCalibration
from tests.rents import FLAT, HEADS, PASSES, number_bundle, rows
from tests.service import Service, command, serving

Json = dict[str, Any]
ROWS = 60


@pytest.fixture(scope="module", params=HEADS)
def head(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def state(head: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(f"state-{head}")


@pytest.fixture(scope="module")
def service(head: Any, state: Path) -> Iterator[Service]:
    models = number_bundle(head).parent.parent
    with serving("flat-rent", "--models", str(models), "--state", str(state)) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def bundle(head: Any) -> Any:
    return load(number_bundle(head))


def ask(client: httpx.Client, row: Json, path: str = "/predict/mc", **query: Any) -> Json:
    answer = client.post(path, json=row, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def bodies(count: int, seed: int) -> list[Json]:
    """Rows as clients send them."""
    signature = load(number_bundle("point")).signature
    features, _ = rows(count, seed)
    values = [signature.values_of(row) for row in features.tolist()]
    return [
        {
            name: None if isinstance(value, float) and math.isnan(value) else value or value
            for name, value in row.items()
        }
        | ({"heating": "wood"} if row["heating"] == "" else {})
        for row in values
    ]


def test_an_answer_is_the_librarys(client: httpx.Client, bundle: Any, head: Any) -> None:
    """The same bits as in a program; what the head does not say is not there."""
    answer = ask(client, FLAT, seed=7)
    found = bundle.predict_mc([FLAT], seed=7)
    number, (lower, upper) = (
        found.number,
        (found.judgement.intervals.lower[0], found.judgement.intervals.upper[0]),
    )
    assert (number.mean[0], number.std[0]) == (answer["mean"], answer["std"])
    assert (lower, upper) == (answer["interval"]["lower"], answer["interval"]["upper"])
    calibration = bundle.manifest.calibration
    assert isinstance(calibration, NumberCalibration)
    assert (calibration.coverage, calibration.method, True) == (
        answer["interval"]["coverage"],
        answer["interval"]["method"],
        answer["interval"]["guaranteed"],
    )
    assert (head == "normal") == ("aleatoric_std" in answer) == ("total_std" in answer)
    assert (head == "quantiles") == ("quantiles" in answer)
    if head == "normal":
        assert (number.aleatoric_std[0], number.total_std[0]) == (
            answer["aleatoric_std"],
            answer["total_std"],
        )
    if head == "quantiles":
        assert ["0.05", "0.5", "0.95"] == list(answer["quantiles"])
        assert number.lower[0] == answer["quantiles"]["0.05"]
        assert answer["mean"] == answer["quantiles"]["0.5"]
    assert {"grade", "uncertainty", "prediction_set"}.isdisjoint(answer)
    plain = ask(client, FLAT, "/predict")
    assert bundle.predict([FLAT]).values[0] == plain["value"]
    assert {"id", "value", "warnings", "model"} == plain.keys()


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.999])
def test_coverage_is_asked_by_request(client: httpx.Client, bundle: Any, coverage: float) -> None:
    """The interval follows it, the decision does not."""
    usual, other = ask(client, FLAT, seed=7), ask(client, FLAT, seed=7, coverage=coverage)
    assert usual["decision"] == other["decision"]
    assert coverage == other["interval"]["coverage"]
    found = bundle.predict_mc([FLAT], seed=7, coverage=coverage).judgement.intervals
    bounds = [found.lower[0], found.upper[0]]
    expected = [None if math.isinf(bound) else bound for bound in bounds]
    assert expected == [other["interval"]["lower"], other["interval"]["upper"]]
    if coverage == 0.999:
        assert [None, None] == expected


def test_draws_are_named_as_the_head_does(client: httpx.Client, head: Any) -> None:
    """Their moments are the answer's."""
    answer = ask(client, FLAT, seed=7, draws=True)
    names = {"point": ["value"], "normal": ["value", "variance"]}
    assert names.get(head, ["lower", "value", "upper"]) == list(answer["draws"])
    draws = np.array(answer["draws"]["value"])
    assert len(draws) == PASSES
    assert answer["mean"] == pytest.approx(draws.mean(), rel=1e-12)
    assert answer["std"] == pytest.approx(draws.std(), rel=1e-12)


def test_auto_passes_reach_a_tolerance_in_the_unit(client: httpx.Client) -> None:
    """By default 5% of the deviation of training's values."""
    target = client.get("/model").json()["target"]
    answer = ask(client, FLAT, seed=7, passes="auto")
    usual = float(f"{0.05 * target['std']:.2g}")
    assert (usual, True) == (answer["precision"]["tolerance"], answer["precision"]["met"])
    assert answer["precision"]["half_width"] <= usual
    refused = client.post("/predict/mc", json=FLAT, params={"tolerance": target["std"]})
    assert ("tolerance", "too_large") == tuple(
        refused.json()["errors"][0][name] for name in ("field", "code")
    )


def test_options_of_classes_are_unknown(client: httpx.Client) -> None:
    """A number has no class-conditional coverage, nor a method of sets."""
    for query, code in (
        ({"class_conditional": True}, "unknown"),
        ({"method": "lac"}, "not_one_of"),
    ):
        refused = client.post("/predict/mc", json=FLAT, params=query)
        assert (422, code) == (refused.status_code, refused.json()["errors"][0]["code"])


def test_replay_and_what_if(client: httpx.Client) -> None:
    """Identical to the bit, also of one pass; other values under the same masks."""
    plain, answer = ask(client, FLAT, "/predict"), ask(client, FLAT, seed=3)
    for one in (plain, answer):
        replay = client.post(f"/predictions/{one['id']}/replay").json()
        assert (replay["identical"], replay["largest_difference"]) == (True, 0)
    after = ask(client, FLAT | {"space": 90.0}, seed=3)
    path = f"/predictions/{answer['id']}/what-if"
    told = client.post(path, json={"features": {"space": 90}}).json()
    assert told["corrected"]["mean"] == after["mean"]
    assert told["corrected"]["interval"] == after["interval"]
    assert told["difference"]["mean"] == after["mean"] - answer["mean"]


def test_outcomes_and_reviews_are_numbers(client: httpx.Client) -> None:
    """Said once; a contradiction is a conflict unless it corrects; a grade is none."""
    answer = ask(client, FLAT, seed=3, passes=2)
    assert "refer" == answer["decision"]["action"]
    path = f"/predictions/{answer['id']}/outcome"
    first = client.put(path, json={"value": 1000.5})
    assert (200, 1000.5) == (first.status_code, first.json()["value"])
    assert 200 == client.put(path, json={"value": 1000.5}).status_code
    assert 409 == client.put(path, json={"value": 1000}).status_code
    corrected = {"value": 990, "corrects": first.json()["id"], "why": "a slip"}
    assert 990 == client.put(path, json=corrected).json()["value"]
    for body in (
        {"grade": "A"},
        {"value": "1000"},
        {"value": True},
        {"value": None},
        {"value": 1e301},
    ):
        assert 422 == client.put(path, json=body).status_code
    waiting = client.get("/reviews", params={"order": "newest"}).json()["reviews"]
    (line,) = [one for one in waiting if one["id"] == answer["id"]]
    assert (answer["mean"], answer["std"]) == (line["value"], line["std"])
    review = {"value": 985, "note": "", "reviewer": "kim"}
    assert 985 == client.post(f"/reviews/{answer['id']}", json=review).json()["value"]
    decided = client.get("/reviews", params={"state": "decided"}).json()["reviews"]
    assert 985 == next(one["verdict"] for one in decided if one["id"] == answer["id"])
    case = client.get(f"/predictions/{answer['id']}").json()
    assert (990, 985) == (case["outcome"]["value"], case["review"]["value"])
    assert [1000.5, 990, 985] == [one["value"] for one in case["history"]]
    assert '"grade"' not in json.dumps(case)


def test_statistics_are_those_of_the_answers(client: httpx.Client, bundle: Any) -> None:
    """Errors, coverage and promises of known outcomes; values in the bins of training."""
    before = steady(client)
    given = bodies(ROWS, 31)
    _, rents = rows(ROWS, 31)
    answers = [ask(client, row, seed=at) for at, row in enumerate(given)]
    for answer, rent in zip(answers, rents.tolist(), strict=True):
        client.put(f"/predictions/{answer['id']}/outcome", json={"value": rent}).raise_for_status()
    after = steady(client)
    total, known = after["total"], after["outcomes"]["known"]
    assert (ROWS, ROWS) == (
        total["rows"] - before["total"]["rows"],
        known - before["outcomes"]["known"],
    )
    assert total["rows"] == sum(total["values"]["rows"])
    assert total["automated"] - before["total"]["automated"] == sum(
        one["decision"]["action"] == "automate" for one in answers
    )
    assert total["values"]["edges"] == list(bundle.signature.target.seen.histogram_edges)
    errors = np.array([one["mean"] for one in answers]) - rents
    squares = known * after["outcomes"]["rmse"] ** 2
    earlier = before["outcomes"]["known"] * (before["outcomes"]["rmse"] or 0) ** 2
    assert np.sqrt((squares - earlier) / ROWS) == pytest.approx(
        np.sqrt(np.mean(errors**2)), rel=1e-3
    )
    held = [
        one["interval"]["lower"] <= rent <= one["interval"]["upper"]
        for one, rent in zip(answers, rents.tolist(), strict=True)
    ]
    seen = after["outcomes"]["coverage"]
    assert seen["promised"] == bundle.manifest.calibration.coverage
    was = before["outcomes"]["coverage"]
    counted = seen["seen"] * seen["rows"] - (was["seen"] or 0) * was["rows"]
    assert sum(held) == pytest.approx(counted)
    median = total["std"]["0.5"]
    stds = sorted(one["std"] for one in answers)
    assert stds[0] <= median <= stds[-1]
    streams = [one["feature"] for one in after["drift"]["features"]]
    assert [*FLAT, "std"] == streams


def steady(client: httpx.Client) -> Json:
    """The figures once they do not change any more; they are cached for a second."""
    found: Json = {}
    while True:
        time.sleep(1.2)
        fresh = client.get("/uncertainty").json()
        if found and fresh["total"] == found["total"] and fresh["outcomes"] == found["outcomes"]:
            return dict(fresh)
        found = fresh


def test_metrics_have_no_grade(client: httpx.Client) -> None:
    """Rows are counted without one; deviations relative to training's."""
    ask(client, FLAT)
    families = {
        one.name: one for one in text_string_to_metric_families(client.get("/metrics").text)
    }
    graded = families["dubito_rows"].samples
    assert {""} == {sample.labels["grade"] for sample in graded}
    assert sum(sample.value for sample in graded) > 0
    (count,) = [
        one.value
        for one in families["dubito_number_std_ratio"].samples
        if one.name.endswith("_count")
    ]
    assert count > 0


def test_the_document_describes_numbers(client: httpx.Client, head: Any) -> None:
    """Requests and answers; every member that an answer has, and no grade."""
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    drawn = schemas["MonteCarloPredictionWithDraws"]
    assert set(drawn["required"]) == ask(client, FLAT, draws=True).keys()
    assert set(schemas["Prediction"]["required"]) == ask(client, FLAT, "/predict").keys()
    assert "Grade" not in schemas
    described = client.get("/model").json()
    assert (head, "€", "number") == tuple(
        described["target"][name] for name in ("head", "unit", "kind")
    )
    assert "classes" not in described
    assert set(schemas["NumberModelDescription"]["required"]) == described.keys()
    names = {one["name"] for one in document["paths"]["/predict/mc"]["post"]["parameters"]}
    assert {"coverage", "method", "target", "tolerance"} <= names
    assert "class_conditional" not in names


def test_an_export_has_numbers_in_columns(
    client: httpx.Client, state: Path, tmp_path: Path
) -> None:
    """Doubles for what is predicted, also in Parquet; outcomes are written exactly."""
    answer = ask(client, FLAT)
    client.put(f"/predictions/{answer['id']}/outcome", json={"value": 0.1}).raise_for_status()
    for name in ("all.csv", "all.parquet"):
        ended = command("records", "export", "--out", str(tmp_path / name), "--state", str(state))
        assert ended.returncode == 0, ended.stderr.decode()
    with (tmp_path / "all.csv").open(encoding="utf-8-sig") as file:
        lines = {line["id"]: line for line in csv.DictReader(file)}
    line = lines[answer["id"]]
    assert answer["mean"] == float(line["answer.mean"])
    assert (answer["interval"]["lower"], "0.1") == (
        float(line["answer.interval.lower"]),
        line["outcome"],
    )
    schema = parquet.read_table(tmp_path / "all.parquet").schema
    for name in ("answer.mean", "answer.std", "answer.interval.upper", "answer.value"):
        assert "double" == str(schema.field(name).type)


def test_a_bundle_is_introduced_to_the_recorder(bundle: Any) -> None:
    """With its target and calibration, as journals keep it."""
    manifest = bundle.manifest
    watched = WatchedBundle(manifest.identity, manifest.signature, manifest.calibration, "sha256:0")
    assert [watched] == decode_introduction(encode_introduction([watched]))


def test_a_list_names_numbers(client: httpx.Client) -> None:
    """Without a grade to filter by, but with what was decided."""
    plain, answer = ask(client, FLAT, "/predict"), ask(client, FLAT)
    lines = {one["id"]: one for one in client.get("/predictions").json()["predictions"]}
    assert (plain["value"], None) == (lines[plain["id"]]["value"], lines[plain["id"]]["std"])
    assert (answer["mean"], answer["std"], answer["decision"]["action"]) == tuple(
        lines[answer["id"]][name] for name in ("value", "std", "action")
    )
    assert [] == client.get("/predictions", params={"grade": "A"}).json()["predictions"]
