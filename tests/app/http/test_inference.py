"""`/v2`, the Open Inference Protocol: the same answers as the other routes, in its forms."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.inference.datatypes import DATATYPES
from app.main import create_app
from app.settings import Settings
from dubito.bundles.validation.inspection import inspect
from dubito.features import CategoryFeature
from dubito.inputs.rows import example
from dubito.types import Signature
from tests.app.http.conftest import Answer
from tests.ensembles import ensemble_bundle
from tests.inference import HEADER, Row, check, encoded, flat, outputs, rows_of, tensors
from tests.mixed import mixed_bundle
from tests.service import ROOT
from tests.tensors import tensor_bundle

BUNDLES: dict[str, Callable[[], Path]] = {
    "classes": lambda: ROOT / "models" / "loan-grade" / "5",
    "uncalibrated": lambda: ROOT / "models" / "loan-grade" / "2",
    "gaps": lambda: ROOT / "models" / "loan-application" / "2",
    "number": lambda: ROOT / "models" / "loan-rate" / "2",
    "mixed": mixed_bundle,
    "tensor": lambda: tensor_bundle("classes"),
    "ensemble": lambda: ensemble_bundle("number"),
}
MEASURES = ("predictive_entropy", "expected_entropy", "mutual_information", "variation_ratio")


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[TestClient]:
    """A bundle's service in this process."""
    asked: dict[str, Any] = {"records": "off", "max_rows": 50, **settings}
    asked |= {"models": folder.parent.parent, "model": folder.parent.name}
    app = create_app(Settings(version=int(folder.name), **asked))
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)) as client:
        yield client


class Served:
    """A service, its bundle's signature, and rows of it."""

    def __init__(self, client: TestClient, folder: Path) -> None:
        self.client = client
        self.manifest = inspect(folder).manifest
        self.signature: Signature = self.manifest.signature
        self.address = f"/v2/models/{self.manifest.identity.name}"

    def infer(self, body: bytes | dict[str, Any], **headers: str) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(f"{self.address}/infer", content=content, headers=headers)

    def rows(self, random: np.random.Generator, count: int) -> list[Row]:
        return rows_of(self.signature, random, count)

    def asked(self, rows: Sequence[Row], **options: Any) -> list[dict[str, Any]]:
        """The answers of `/predict/mc`."""
        answer = self.client.post("/predict/mc", json={"instances": rows}, params=options)
        assert 200 == answer.status_code, answer.text
        found: list[dict[str, Any]] = answer.json()["predictions"]
        return found


@pytest.fixture(scope="module", params=BUNDLES)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    folder = BUNDLES[request.param]()
    with serving(folder) as client:
        yield Served(client, folder)


@pytest.mark.claim("inferences", test=10, proof=1_000)
def test_the_bits_are_those_of_the_other_route(served: Served, count: int) -> None:
    """JSON and binary data, widened or not, one row or many: what /predict/mc answers."""
    random = np.random.default_rng(21)
    for at in range(count):
        rows = served.rows(random, int(random.integers(1, 6)))
        inputs, binary = tensors(served.signature, rows, random)
        passes = served.manifest.members * int(random.integers(1, 60))
        head = {
            "id": f"case {at}",
            "inputs": inputs,
            "parameters": {
                "seed": at if at % 2 else str(at),
                "passes": passes if at % 3 else float(passes),
                "binary_data_output": bool(random.integers(2)),
            },
        }
        text = json.dumps(head, ensure_ascii=False).encode()
        headers = {HEADER: str(len(text))} if binary or at % 2 else {}
        answer = served.infer(text + binary, **headers)
        check(outputs(answer), served.asked(rows, seed=at, passes=passes), served.signature.classes)
        size = int(answer.headers.get(HEADER, len(answer.content)))
        told = json.loads(answer.content[:size])
        assert f"case {at}" == told["id"]


def test_outputs_are_those_of_the_metadata(served: Served) -> None:
    """What a bundle does not promise is not there; each output has its datatype and shape."""
    metadata = served.client.get(served.address).json()
    rows = served.rows(np.random.default_rng(1), 3)
    inputs, _ = tensors(served.signature, rows, np.random.default_rng(0))
    inputs = [{**one, "data": flat([row[one["name"]] for row in rows])} for one in inputs]
    for one in inputs:
        one.pop("parameters", None)
    named = [{"name": one["name"]} for one in metadata["outputs"]]
    answer = served.infer({"inputs": inputs, "outputs": named}).json()
    for one, told in zip(answer["outputs"], metadata["outputs"], strict=True):
        assert (one["name"], one["datatype"]) == (told["name"], told["datatype"])
        lengths = [
            3 if at == 0 else one["shape"][at] if length == -1 else length
            for at, length in enumerate(told["shape"])
        ]
        assert lengths == one["shape"]
    is_calibrated = served.manifest.calibration is not None
    names = {one["name"] for one in metadata["outputs"]}
    assert is_calibrated == ("decision" in names) == ("coverage" in metadata["properties"])
    config = served.client.get(f"{served.address}/config").json()
    for members, mine in (("inputs", "input"), ("outputs", "output")):
        assert [one["name"] for one in metadata[members]] == [one["name"] for one in config[mine]]


LOAN: Row = example(inspect(ROOT / "models" / "loan-grade" / "5").manifest.signature)
VALUES: list[Any] = list(LOAN.values())
MATRIX: dict[str, Any] = {"name": "input", "shape": [1, 9], "datatype": "FP64", "data": VALUES}


@pytest.fixture(scope="module")
def loans() -> Iterator[Served]:
    folder = BUNDLES["classes"]()
    with serving(folder) as client:
        yield Served(client, folder)


@pytest.mark.parametrize("datatype", ["FP64", "FP32"])
def test_one_tensor_has_all_features(loans: Served, datatype: str) -> None:
    """In the order of the metadata, each number as the datatype has it."""
    dtype = DATATYPES[datatype].dtype
    row = {name: float(np.array(value, dtype)) for name, value in LOAN.items()}
    answer = loans.infer({"inputs": [{**MATRIX, "datatype": datatype}], "parameters": {"seed": 4}})
    check(outputs(answer), loans.asked([row], seed=4), loans.signature.classes)


def test_draws_and_the_deterministic_pass_are_given_where_they_are_named(loans: Served) -> None:
    """With the bits of the routes that answer them."""
    names = ["draws", "deterministic", "mean"]
    named = [{"name": name} for name in names]
    body = {"inputs": [MATRIX], "outputs": named, "parameters": {"seed": 4, "passes": 7}}
    found = outputs(loans.infer(body))
    assert names == list(found)
    (answer,) = loans.asked([LOAN], seed=4, passes=7, draws="true")
    assert list(answer["draws"].values()) == found["draws"][0].T.tolist()
    plain = loans.client.post("/predict", json=LOAN).json()
    assert list(plain["probabilities"].values()) == found["deterministic"][0].tolist()
    alone = outputs(loans.infer({**body, "outputs": [{"name": "deterministic"}]}))
    assert found["deterministic"].tolist() == alone["deterministic"].tolist()


def test_a_row_of_fewer_passes_is_filled_up(loans: Served) -> None:
    """With `auto` a row may stop before others: null in JSON, NaN in binary data."""
    rows = [*LOAN.values(), *(value * 1.5 for value in LOAN.values())]
    body: dict[str, Any] = {
        "inputs": [{**MATRIX, "shape": [2, 9], "data": [round(value) for value in rows]}],
        "outputs": [{"name": "draws"}, {"name": "passes"}],
        "parameters": {"passes": "auto", "tolerance": 0.03, "seed": 1, "max_passes": 1_000},
    }
    found = outputs(loans.infer(body))
    for row, passes in enumerate(found["passes"]):
        assert [None] * 7 * (len(found["draws"][row]) - passes) == list(
            found["draws"][row][passes:].ravel()
        )
    assert NAN not in loans.infer(body).content
    binary = loans.infer(body | {"parameters": {**body["parameters"], "binary_data_output": True}})
    again = outputs(binary)["draws"].astype(float)
    np.testing.assert_array_equal(found["draws"].astype(float), again)


NAN = b"NaN"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body_is_read(loans: Served, coding: str) -> None:
    """As tritonclient compresses it; the header's size is that of the plain JSON."""
    text = json.dumps({"inputs": [MATRIX], "parameters": {"seed": 4}}).encode()
    packed = (gzip.compress if coding == "gzip" else zlib.compress)(text)
    answer = loans.infer(packed, **{"Content-Encoding": coding, HEADER: str(len(text))})
    check(outputs(answer), loans.asked([LOAN], seed=4), loans.signature.classes)


@pytest.mark.parametrize(
    ("packed", "coding", "status", "code"),
    [
        (gzip.compress(bytes(1 << 24)), "gzip", 413, "body_too_large"),
        (zlib.compress(bytes(1 << 24)), "deflate", 413, "body_too_large"),
        (gzip.compress(b"{}")[:-4], "gzip", 400, "compressed"),
        (gzip.compress(b"{}") + b"more", "gzip", 400, "compressed"),
        (b"plain", "gzip", 400, "compressed"),
        (b"{}", "br", 415, "compressed"),
        (b"{}", "gzip, gzip", 415, "compressed"),
    ],
    ids=["bomb", "deflated bomb", "truncated", "trailing", "plain", "brotli", "twice"],
)
def test_a_broken_or_huge_compressed_body_is_refused(
    loans: Served, packed: bytes, coding: str, status: int, code: str
) -> None:
    """Before more of it is inflated than a body may have."""
    answer = loans.infer(packed, **{"Content-Encoding": coding})
    assert (status, code) == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"inputs": [{**MATRIX, "shape": [1, 8]}]}, "input"),
        ({"inputs": [{**MATRIX, "shape": [0, 9], "data": []}]}, "input"),
        ({"inputs": [{**MATRIX, "shape": [51, 9], "data": [1] * 459}]}, "input"),
        ({"inputs": [{**MATRIX, "datatype": "INT64"}]}, "input"),
        ({"inputs": [{**MATRIX, "data": [-1, *MATRIX["data"][1:]]}]}, "loan_amount"),
        ({"inputs": [{**MATRIX, "name": "colour"}]}, "colour"),
        ({"inputs": [{**MATRIX, "data": [10**400, *VALUES[1:]]}]}, "loan_amount"),
        ({"inputs": [{**MATRIX, "datatype": "FP32", "data": [10**400, *VALUES[1:]]}]}, "input"),
        ({"inputs": [{**MATRIX, "data": [1e39, *VALUES[1:]]}]}, "loan_amount"),
        ({"inputs": [MATRIX, MATRIX]}, "input"),
        ({"outputs": [{"name": "colour"}]}, "colour"),
        ({"outputs": [{"name": "mean"}, {"name": "mean"}]}, "mean"),
        ({"parameters": {"passes": 0}}, "passes"),
        ({"parameters": {"draws": True}}, "draws"),
        ({"parameters": {"passes": 10**4_200}}, "passes"),
        ({"outputs": [{"name": "mean", "parameters": {"classification": 2}}]}, "classification"),
        (
            {"inputs": [{**MATRIX, "parameters": {"shared_memory_region": "x"}}]},
            "shared_memory_region",
        ),
        ({"inputs": [{**MATRIX, "shape": [10**1000] * 8}]}, "input"),
        ({"parameters": {"passes": 1000, "max_passes": 1, "colour": "red"}}, "colour"),
        ({"parameters": {"reference": "\n"}}, "reference"),
    ],
)
def test_a_wrong_request_names_its_part(loans: Served, changes: dict[str, Any], field: str) -> None:
    """400, the sentence as clients of the protocol read it, and the faults as elsewhere."""
    answer = loans.infer({"inputs": [MATRIX], **changes})
    assert (400, "application/json") == (answer.status_code, answer.headers["Content-Type"])
    told = answer.json()
    assert told["error"] == told["detail"]
    assert field in [fault["field"] for fault in told["errors"]]
    assert 400 == told["status"]


@pytest.mark.parametrize("size", ["-1", "1e3", "", "99999", "9" * 40])
def test_a_wrong_header_is_refused(loans: Served, size: str) -> None:
    """A size of the JSON that the body does not have."""
    text = json.dumps({"inputs": [MATRIX]}).encode()
    answer = loans.infer(text, **{HEADER: size})
    assert (400, "application/json") == (answer.status_code, answer.headers["Content-Type"])
    assert HEADER.lower() == answer.json()["errors"][0]["field"]


def test_equal_parameters_of_other_types_are_other_options(loans: Served) -> None:
    """1 is a number of passes and true is none, whichever comes first."""
    for value, status in ((1, 200), (True, 400), (1.0, 200), (True, 400)):
        body = {"inputs": [MATRIX], "parameters": {"passes": value, "priority": 10**4_000}}
        assert status == loans.infer(body).status_code


def test_values_are_not_said_again(loans: Served) -> None:
    """Neither a number nor a text of the request is in an error."""
    body = {"inputs": [{**MATRIX, "data": [-91827364.5, *MATRIX["data"][1:]]}]}
    assert "91827364" not in loans.infer(body).text
    body = {"inputs": [{**MATRIX, "data": ["a secret"] * 9}]}
    assert "secret" not in loans.infer(body).text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/colour", 404),
        ("/v2/models/colour/infer", 404),
        ("/v2/models/loan-grade/versions/9", 404),
        ("/v2/models/loan-grade/versions/9/infer", 404),
        ("/v2/models/loan-grade/versions/05/ready", 404),
        ("/v2/colour", 404),
        ("/v2/models/loan-grade/infer", 405),
    ],
)
def test_what_is_not_there_is_told_in_the_protocols_form(
    loans: Served, path: str, status: int
) -> None:
    """The member `error`, and JSON's media type."""
    is_infer = path.endswith("/infer") and status == 404
    answer = loans.client.request("POST" if is_infer else "GET", path, content=b"{}")
    assert (status, "application/json") == (answer.status_code, answer.headers["Content-Type"])
    assert answer.json()["error"]


def test_the_server_and_its_model_are_told(loans: Served) -> None:
    """As clients look: with and without a slash, a version, a body."""
    client = loans.client
    for path in ("/v2", "/v2/"):
        assert "binary_tensor_data" in client.get(path).json()["extensions"]
    assert {"live": True} == client.get("/v2/health/live").json()
    assert {"ready": True} == client.get("/v2/health/ready").json()
    for path in (loans.address, f"{loans.address}/versions/5"):
        assert ["5"] == client.get(path).json()["versions"]
        assert client.get(f"{path}/ready").json()["ready"]
    assert {"models": ["loan-grade"]} == client.get("/v2/models").json()
    answer = client.get(loans.address, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert "Content-Encoding" not in answer.headers


def test_what_was_done_is_counted(loans: Served) -> None:
    """Requests by their end, rows, and the time of each part; as perf_analyzer needs it."""
    before = loans.client.get(f"{loans.address}/stats").json()["model_stats"][0]
    matrix = {**MATRIX, "shape": [2, 9], "data": [*MATRIX["data"], *MATRIX["data"]]}
    assert 200 == loans.infer({"inputs": [matrix]}).status_code
    assert 400 == loans.infer({"inputs": []}).status_code
    after = loans.client.get("/v2/models/stats").json()["model_stats"][0]
    assert 2 == after["inference_count"] - before["inference_count"]
    assert after["execution_count"] > before["execution_count"]
    assert after["last_inference"] > 1.7e12
    then, now = (one["inference_stats"] for one in (before, after))
    for part in ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"):
        assert 1 == now[part]["count"] - then[part]["count"], part
    parts = ("compute_input", "compute_infer", "compute_output")
    assert sum(now[part]["ns"] for part in parts) <= now["success"]["ns"]


@pytest.mark.parametrize("is_binary", [False, True])
def test_an_empty_text_is_an_unknown_category(*, is_binary: bool) -> None:
    """Where a category may not be missing: in binary data, in JSON and in /predict/mc."""
    folder = BUNDLES["gaps"]()
    with serving(folder) as client:
        served = Served(client, folder)
        (row,) = served.rows(np.random.default_rng(3), 1)
        row["loan_purpose"] = ""
        inputs = []
        binary = b""
        for feature in served.signature.features:
            kind = "BYTES" if isinstance(feature, CategoryFeature) else "FP64"
            one: dict[str, Any] = {"name": feature.name, "shape": [1], "datatype": kind}
            if is_binary:
                data = encoded(kind, [row[feature.name]])
                one["parameters"] = {"binary_data_size": len(data)}
                binary += data
            else:
                one["data"] = [row[feature.name]]
            inputs.append(one)
        head = json.dumps({"inputs": inputs, "parameters": {"seed": 4}}).encode()
        answer = served.infer(head + binary, **{HEADER: str(len(head))})
        check(outputs(answer), served.asked([row], seed=4), served.signature.classes)
        lists = json.loads(client.get(served.address).json()["properties"]["categories"])
        assert "debt_consolidation" in lists["loan_purpose"]


def test_the_repository_is_listed(loans: Served) -> None:
    """Versions that are served are ready; what is not cannot be loaded yet, nor is it unloaded."""
    client = loans.client
    every = client.post("/v2/repository/index").json()
    ready = client.post("/v2/repository/index", json={"ready": True}).json()
    assert [("loan-grade", "5")] == [(one["name"], one["version"]) for one in ready]
    assert {"UNAVAILABLE", "READY"} == {one["state"] for one in every}
    load = "/v2/repository/models/{}/{}"
    changed = {"parameters": {"config": "{}"}}
    assert 400 == client.post(load.format("loan-grade", "load"), json=changed).status_code
    assert 200 == client.post(load.format("loan-grade", "load"), json={}).status_code
    assert 409 == client.post(load.format("loan-rate", "load")).status_code
    assert 404 == client.post(load.format("colour", "load")).status_code
    unload = client.post(load.format("loan-grade", "unload"))
    assert (409, "not_unloaded") == (unload.status_code, unload.json()["code"])
    assert 400 == client.post("/v2/repository/index", content=b"{").status_code
    far = client.post("/v2/repository/index", headers={"X-Forwarded-For": "10.0.0.1"})
    assert 403 == far.status_code


def test_an_idempotency_key_repeats_binary_answers(tmp_path: Path) -> None:
    """The same bytes, the same header; another request with the key is refused."""
    with serving(BUNDLES["classes"](), records="durable", state=tmp_path / "var") as client:
        loans = Served(client, BUNDLES["classes"]())
        parameters = {"idempotency_key": "once", "reference": "사건 7", "binary_data_output": True}
        body = {"inputs": [MATRIX], "parameters": parameters}
        first, again = loans.infer(body), loans.infer(body)
        assert first.content == again.content
        assert first.headers[HEADER] == again.headers[HEADER]
        found = outputs(first)
        record = client.get(f"/predictions/{found['record'][0]}").json()
        assert "사건 7" == record["reference"]
        assert list(record["answer"]["mean"].values()) == found["mean"][0].tolist()
        other = loans.infer({"inputs": [MATRIX], "parameters": {**parameters, "seed": 1}})
        assert (409, "key_reused") == (other.status_code, other.json()["code"])
        statistics = client.get(f"{loans.address}/stats").json()["model_stats"][0]
        assert 1 == statistics["inference_stats"]["cache_hit"]["count"]
        assert 2 == statistics["inference_stats"]["success"]["count"]
        named = {"Idempotency-Key": "twice", "Dubito-Reference": "case 9"}
        once, more = (loans.infer({"inputs": [MATRIX]}, **named) for _ in range(2))
        assert once.content == more.content
        both = [{"name": "deterministic"}, {"name": "mean"}]
        assert 200 == loans.infer({"inputs": [MATRIX], "outputs": both}).status_code
        listed = client.get("/predictions", params={"reference": "사건 7"})
        assert 1 == len(listed.json()["predictions"])


def test_a_page_of_another_site_asks_in_vain(loans: Served) -> None:
    """In the protocol's form too."""
    answer = loans.infer({"inputs": [MATRIX]}, Origin="https://elsewhere.example")
    assert (403, "other_site") == (answer.status_code, answer.json()["code"])
    assert answer.json()["error"]
