"""Several models in one service: each answers by its name as a service of its own would."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.grpc import inference_pb2 as pb
from app.monitoring.monitor import KEPT_SECONDS
from dubito import load
from dubito.answer import to_json
from dubito.inputs.rows import example
from dubito.prediction import answer_builder
from dubito.types import Signature
from tests.inference import rows_of
from tests.mixed import mixed_bundle
from tests.rents import number_bundle
from tests.service import ROOT, Service, command, serving, until

Json = dict[str, Any]
FIRST, MIXED, NUMBER = NAMES = ("loan-grade", "flat-price", "flat-rent")
OWN = ("/model", "/model/card", "/uncertainty", "/openapi.json")
"""Addresses that each model has."""
BROKEN = "loan-rate"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles with a number, classes of mixed features, and one that is broken."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "models" / FIRST, folder / FIRST)
    shutil.copytree(mixed_bundle().parent, folder / MIXED)
    shutil.copytree(number_bundle("normal").parent, folder / NUMBER)
    shutil.copytree(ROOT / "models" / BROKEN, folder / BROKEN)
    for network in (folder / BROKEN).glob("*/model.keras"):
        network.write_bytes(network.read_bytes()[:-1])
    return folder


@pytest.fixture(scope="module")
def signatures(models: Path) -> dict[str, Signature]:
    found = {}
    for name in NAMES:
        (*_, newest) = sorted((models / name).iterdir(), key=lambda folder: int(folder.name))
        found[name] = load(newest).signature
    return found


@pytest.fixture(scope="module")
def service(models: Path) -> Iterator[Service]:
    """A service of the three."""
    listed = f"{FIRST}/5,{MIXED}, {NUMBER}"
    with serving("--models", str(models), "--model", listed) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30, trust_env=False) as client:
        yield client


def asked(client: httpx.Client, path: str, row: Json, **query: Any) -> Json:
    answer = client.post(path, json=row, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_models_are_listed(client: httpx.Client) -> None:
    """In the order of the setting, each with its bundle; all are ready."""
    listed = client.get("/models").json()["models"]
    assert list(NAMES) == [one["name"] for one in listed]
    for one in listed:
        about = client.get(f"/models/{one['name']}").json()
        identity = {name: about[name] for name in ("name", "version", "digest")}
        assert one == identity | {"ready": True, "canary": None, "shadow": None}
        assert about == client.get(f"/models/{one['name']}/model").json()
    assert list(NAMES) == client.get("/v2/models").json()["models"]


@pytest.mark.claim("several models", test=20, proof=2_000)
@pytest.mark.parametrize("name", NAMES)
def test_each_answers_as_alone(
    client: httpx.Client, models: Path, signatures: dict[str, Signature], name: str, count: int
) -> None:
    """Its answers have the bits of a program that loads its bundle alone."""
    random = np.random.default_rng(len(name))
    (*_, newest) = sorted((models / name).iterdir(), key=lambda folder: int(folder.name))
    bundle = load(newest)
    manifest = bundle.manifest
    answers = answer_builder(manifest.identity, manifest.target, manifest.calibration)
    for row in rows_of(signatures[name], random, count):
        seed = int(random.integers(1 << 53))
        answer = asked(client, f"/models/{name}/predict/mc", row, seed=seed)
        (alone,) = answers.monte_carlo(bundle.predict_mc([row], seed=seed), range(1))
        assert without_id(json.loads(to_json(alone))) == without_id(answer)
        (plain,) = answers.plain(bundle.predict([row]), range(1))
        answer = asked(client, f"/models/{name}/predict", row)
        assert without_id(json.loads(to_json(plain))) == without_id(answer)


def without_id(answer: Json) -> Json:
    return {name: value for name, value in answer.items() if name != "id"}


def test_addresses_without_a_name_are_the_firsts(
    client: httpx.Client, signatures: dict[str, Signature]
) -> None:
    """Whatever is asked for, the answer is the same."""
    row = example(signatures[FIRST])
    for path, query in (("/predict", {}), ("/predict/mc", {"seed": 7})):
        named = asked(client, f"/models/{FIRST}{path}", row, **query)
        short = asked(client, path, row, **query)
        assert without_id(named) == without_id(short)
    for path in OWN[:2]:
        assert client.get(path).content == client.get(f"/models/{FIRST}{path}").content


def test_each_model_has_its_documents(client: httpx.Client) -> None:
    """An OpenAPI document of its own features, whose addresses are relative to its own."""
    for name in NAMES:
        document = client.get(f"/models/{name}/openapi.json").json()
        assert [{"url": ".", "description": "the address of this document"}] == document["servers"]
        for path, operations in document["paths"].items():
            if "get" in operations and not path.endswith("/stream"):
                # There is none.
                status = 404 if path in ("/canary", "/shadow") else 200
                assert status == client.get(f"/models/{name}{path}").status_code
        content = document["paths"]["/predict/mc"]["post"]["requestBody"]["content"]
        row = content["application/json"]["examples"]["one"]["value"]
        assert asked(client, f"/models/{name}/predict/mc", row)["model"]["name"] == name
        page = client.get(f"/models/{name}/docs")
        assert 200 == page.status_code
        assert "../../static-offline-docs/swagger-ui-bundle.js" in page.text
    assert 200 == client.get("/static-offline-docs/swagger-ui.css").status_code
    whole = client.get("/openapi.json").json()
    bodies = whole["paths"]["/predictions/{id}/outcome"]["put"]["requestBody"]["content"]
    forms = bodies["application/json"]["schema"]["anyOf"]
    assert ["NumberOutcomeRequest", "OutcomeRequest"] == [
        form["$ref"].rpartition("/")[2] for form in forms
    ]
    grades = whole["components"]["schemas"]["AnyGrade"]["enum"]
    assert {"A", "G"} < set(grades)
    assert len(grades) == len(set(grades)) > 7


@pytest.mark.parametrize("path", ["", "/", "/predict", "/predict/mc", "/model", "/x/y"])
def test_a_model_that_is_not_served_is_not_found(client: httpx.Client, path: str) -> None:
    """Whatever is asked of it, and whether there is a bundle of its name or not."""
    for name in (BROKEN, "nobody", "FLAT-PRICE"):
        for answer in (client.get(f"/models/{name}{path}"), client.post(f"/models/{name}{path}")):
            assert (404, "no_such_model") == (answer.status_code, answer.json()["code"])
    assert 404 == client.post("/v2/models/nobody/infer", json={"inputs": []}).status_code


def test_what_a_served_model_does_not_have_is_no_address(client: httpx.Client) -> None:
    """Nor is another method allowed."""
    missing = client.get("/models/flat-price/predictions")
    assert (404, "no_such_address") == (missing.status_code, missing.json()["code"])
    wrong = client.get("/models/flat-price/predict")
    assert (405, "POST") == (wrong.status_code, wrong.headers["Allow"])


def test_each_counts_its_own_answers(
    client: httpx.Client, signatures: dict[str, Signature]
) -> None:
    """In its statistics, which others do not change, and in the metrics."""

    def rows(name: str) -> int:
        return int(client.get(f"/models/{name}/uncertainty").json()["total"]["rows"])

    time.sleep(2 * KEPT_SECONDS)
    before = {name: rows(name) for name in NAMES}
    for name, times in zip(NAMES, (2, 3, 4), strict=True):
        for _ in range(times):
            asked(client, f"/models/{name}/predict/mc", example(signatures[name]))
    grown = {name: before[name] + times for name, times in zip(NAMES, (2, 3, 4), strict=True)}
    until(lambda: {name: rows(name) for name in NAMES} == grown)
    assert rows(FIRST) == client.get("/uncertainty").json()["total"]["rows"]
    for name in NAMES:
        assert name == client.get(f"/models/{name}/uncertainty").json()["model"]["name"]
    samples = [
        (one.name, one.labels)
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for one in family.samples
    ]
    for metric in ("dubito_queue_work", "dubito_batch_work_count", "dubito_alarm_evidence"):
        assert set(NAMES) == {labels["model"] for one, labels in samples if one == metric}


def test_each_has_its_own_alarms(client: httpx.Client) -> None:
    """One that is begun anew says nothing of another model's."""
    said = {"name": "Kim", "note": "new data"}
    begun = client.post(f"/models/{NUMBER}/alarms/drift/beginning", json=said)
    assert 200 == begun.status_code, begun.text

    def past(name: str) -> int:
        told = client.get(f"/models/{name}/uncertainty").json()
        (alarm,) = (one for one in told["alarms"] if one["name"] == "drift")
        return len(alarm["past"])

    until(lambda: past(NUMBER) == 1)
    assert [0, 0] == [past(FIRST), past(MIXED)]


def test_a_record_says_which_model_answered(
    client: httpx.Client, signatures: dict[str, Signature]
) -> None:
    """It is replayed, changed, reviewed and finished by that model, and found by its name."""
    for name in NAMES:
        row = example(signatures[name])
        answer = asked(client, f"/models/{name}/predict/mc", row, seed=11)
        place = f"/predictions/{answer['id']}"
        assert name == client.get(place).json()["model"]["name"]
        again = client.post(f"{place}/replay").json()
        assert again["identical"], again
        feature = next(iter(row))
        changed = client.post(f"{place}/what-if", json={"features": {feature: row[feature]}})
        assert 200 == changed.status_code, changed.text
        truth = {"value": 71.5} if name == NUMBER else {"grade": answer["grade"]}
        wrong = {"grade": "A"} if name == NUMBER else {"value": 71.5}
        assert 422 == client.put(f"{place}/outcome", json=wrong).status_code
        assert 200 == client.put(f"{place}/outcome", json=truth).status_code
        review = truth | {"reviewer": "Kim", "note": "seen"}
        reviewed = client.post(f"/reviews/{answer['id']}", json=review)
        assert 200 == reviewed.status_code, reviewed.text
        for listed in ("/predictions?", "/reviews?state=decided&"):
            found = client.get(f"{listed}model={name}").json()
            rows = found.get("predictions") or found["reviews"]
            assert answer["id"] in {one["id"] for one in rows}
            assert {name} == {one["model"]["name"] for one in rows}
        assert {*NAMES} >= {
            one["model"]["name"] for one in client.get("/predictions").json()["predictions"]
        }
    figures = f"/models/{NUMBER}/uncertainty"
    until(lambda: client.get(figures).json()["outcomes"]["known"] == 1)


def test_a_class_of_another_model_is_no_outcome(
    client: httpx.Client, signatures: dict[str, Signature]
) -> None:
    """The bundle that answered says what may come out."""
    answer = asked(client, "/models/flat-price/predict/mc", example(signatures[MIXED]))
    refused = client.put(f"/predictions/{answer['id']}/outcome", json={"grade": "G"})
    assert (422, "invalid_input") == (refused.status_code, refused.json()["code"])


def test_the_inference_protocol_knows_them_all(
    client: httpx.Client, signatures: dict[str, Signature]
) -> None:
    """Each is ready, and has statistics."""
    for name in NAMES:
        assert {"name": name, "ready": True} == client.get(f"/v2/models/{name}/ready").json()
        assert name == client.get(f"/v2/models/{name}").json()["name"]
    told = client.get("/v2/models/stats").json()["model_stats"]
    assert list(NAMES) == [one["name"] for one in told]


def test_each_infers_and_counts_its_own(
    client: httpx.Client, signatures: dict[str, Signature]
) -> None:
    """A request for an inference by a model's name is answered by it, and is in its statistics."""
    for name in NAMES:
        stats = f"/v2/models/{name}/stats"
        before = client.get(stats).json()["model_stats"][0]["inference_count"]
        row = example(signatures[name])
        body = {
            "inputs": [
                {"name": one, "shape": [1], "datatype": datatype(value), "data": [value]}
                for one, value in row.items()
            ]
        }
        answer = client.post(f"/v2/models/{name}/infer", json=body)
        assert 200 == answer.status_code, answer.text
        assert name == answer.json()["model_name"]
        after = client.get(stats).json()["model_stats"][0]["inference_count"]
        assert before + 1 == after


def datatype(value: Any) -> str:
    kinds = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}
    return kinds[type(value)]


def test_grpc_knows_them_all_too(models: Path) -> None:
    """One that could not be loaded is not ready, and unavailable to whoever asks it."""
    changes = {"DUBITO_STRICT_START": "0", "DUBITO_GRPC_PORT": "0", "DUBITO_RECORDS": "off"}
    listed = f"{MIXED},{BROKEN}"
    with serving("--models", str(models), "--model", listed, changes=changes) as service:
        until(lambda: "gRPC: " in service.written())
        address = service.written().partition("gRPC: ")[2].split()[0]
        with grpc.insecure_channel(address) as channel:

            def call(name: str, request: Any) -> Any:
                calling = channel.unary_unary(
                    f"/inference.GRPCInferenceService/{name}",
                    request_serializer=type(request).SerializeToString,
                    response_deserializer=getattr(pb, f"{name}Response").FromString,
                )
                return calling(request, timeout=30)

            ready = [call("ModelReady", pb.ModelReadyRequest(name=one)) for one in (MIXED, BROKEN)]
            assert [True, False] == [one.ready for one in ready]
            assert MIXED == call("ModelMetadata", pb.ModelMetadataRequest(name=MIXED)).name
            with pytest.raises(grpc.RpcError) as refused:
                call("ModelInfer", pb.ModelInferRequest(model_name=BROKEN))
            assert grpc.StatusCode.UNAVAILABLE == refused.value.code()


@pytest.mark.parametrize("name", NAMES)
def test_alarms_of_every_model_are_records(client: httpx.Client, name: str) -> None:
    """Nobody acknowledges one from another site or through a proxy."""
    said = {"name": "Kim", "note": "new data"}
    for header in ({"Origin": "https://elsewhere.example"}, {"X-Forwarded-For": "192.0.2.1"}):
        for act in ("acknowledgement", "beginning"):
            path = f"/models/{name}/alarms/drift/{act}"
            assert 403 == client.post(path, json=said, headers=header).status_code


def test_a_broken_bundle_stops_the_start(models: Path, tmp_path: Path) -> None:
    """With the sentence about it, before records are opened."""
    done = command(
        *("serve", "--models", str(models), "--model", f"{FIRST},{BROKEN}", "--port", "0"),
        *("--state", str(tmp_path / "state")),
    )
    assert 1 == done.returncode
    assert b"model.keras" in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "state" / "records.db").exists()


@pytest.mark.parametrize("names", [(FIRST, BROKEN), (BROKEN, FIRST)])
def test_without_a_strict_start_the_others_are_served(
    models: Path, names: tuple[str, str], tmp_path: Path
) -> None:
    """Whoever asks for the broken one is told to come again; nobody gets another model's answer."""
    changes = {"DUBITO_STRICT_START": "0", "DUBITO_MODEL": ",".join(names)}
    with (
        serving("--models", str(models), changes=changes) as service,
        httpx.Client(base_url=service.url, trust_env=False) as client,
    ):
        assert f"{BROKEN} is not served: " in service.written()
        listed = {one["name"]: one for one in client.get("/models").json()["models"]}
        nothing = {"name": BROKEN, "version": None, "digest": None, "ready": False}
        nothing |= {"canary": None, "shadow": None}
        assert (list(names), nothing) == (list(listed), listed[BROKEN])
        assert 200 == client.get("/health/ready").status_code
        row = {"loan_amount": 1}
        gone = ["/predict", "/predict/mc", "/model/card"] if names[0] == BROKEN else []
        for path in [f"/models/{BROKEN}/predict", f"/models/{BROKEN}/predict/mc", *gone]:
            answer = client.post(path, json=row)
            assert (503, "unready", "5") == (
                answer.status_code,
                answer.json()["code"],
                answer.headers["Retry-After"],
            )
        ready = client.get(f"/v2/models/{BROKEN}/ready")
        assert (503, False) == (ready.status_code, ready.json()["ready"])
        assert 503 == client.post(f"/v2/models/{BROKEN}/infer", json={"inputs": []}).status_code
        index = client.post("/v2/repository/index").json()
        states = {one["name"]: one["reason"] for one in index if one["name"] == BROKEN}
        assert "model.keras" in states[BROKEN]
        assert 200 == client.get(f"/models/{FIRST}/model").status_code
        assert (200 if names[0] == FIRST else 503) == client.get("/model").status_code


def test_without_any_model_nothing_is_served(models: Path) -> None:
    """A start that is not strict needs one that can be served."""
    done = command(
        *("serve", "--models", str(models), "--model", f"{BROKEN},nobody", "--port", "0"),
        changes={"DUBITO_STRICT_START": "0"},
    )
    assert 1 == done.returncode
    assert b"Traceback" not in done.stderr


def test_several_workers_serve_them_all(models: Path, signatures: dict[str, Signature]) -> None:
    """Each worker has all models, also those that an engine of its own computes."""
    arguments = ("--workers", "2", "--records", "off", "--backend", "numpy")
    with (
        serving("--models", str(models), "--model", ",".join(NAMES), *arguments) as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=30) as client,
    ):
        for name in NAMES:
            for _ in range(4):
                row = example(signatures[name])
                answer = asked(client, f"/models/{name}/predict/mc", row)
                assert name == answer["model"]["name"]
                client.close()
                client = httpx.Client(base_url=service.url, trust_env=False, timeout=30)
        os.kill(service.process.pid, signal.SIGTERM)
        end = time.monotonic() + 30
        assert 0 == service.process.wait(end - time.monotonic())
        client.close()


def test_a_key_names_one_request_of_the_service(
    client: httpx.Client, signatures: dict[str, Signature]
) -> None:
    """Whichever model it was first used for."""
    header = {"Idempotency-Key": "one for all"}
    row = example(signatures[FIRST])
    first = client.post(f"/models/{FIRST}/predict/mc", json=row, headers=header)
    again = client.post(f"/models/{FIRST}/predict/mc", json=row, headers=header)
    assert first.json() == again.json()
    row = example(signatures[MIXED])
    other = client.post(f"/models/{MIXED}/predict/mc", json=row, headers=header)
    assert (409, "key_reused") == (other.status_code, other.json()["code"])
