"""`/v2`, the Open Inference Protocol: the same answers as the other routes, in its forms."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from dubito.features import BooleanFeature, CategoryFeature, Feature, NumberFeature, TensorFeature
from dubito.inputs.rows import example
from dubito.types import Signature
from tests.app.http.conftest import Answer
from tests.ensembles import ensemble_bundle
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
HEADER = "Inference-Header-Content-Length"
MEASURES = ("predictive_entropy", "expected_entropy", "mutual_information", "variation_ratio")
Row = dict[str, Any]


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[TestClient]:
    """A bundle's service in this process."""
    asked: dict[str, Any] = {"records": "off", "max_rows": 50, **settings}
    place = {"models": folder.parent.parent, "model": folder.parent.name}
    app = create_app(Settings(**place, version=int(folder.name), **asked))
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
        return [
            {one.name: _value(one, random) for one in self.signature.features} for _ in range(count)
        ]

    def asked(self, rows: Sequence[Row], **options: Any) -> list[dict[str, Any]]:
        """The answers of `/predict/mc`."""
        answer = self.client.post("/predict/mc", json={"instances": rows}, params=options)
        assert 200 == answer.status_code, answer.text
        found: list[dict[str, Any]] = answer.json()["predictions"]
        return found


def _value(feature: Feature, random: np.random.Generator) -> Any:
    """A value that training could have seen, or a gap, or an unknown category."""
    if feature.nullable and random.random() < 0.2:
        return None
    if isinstance(feature, TensorFeature):
        return random.uniform(feature.minimum, feature.maximum, feature.shape).round(2).tolist()
    if isinstance(feature, CategoryFeature):
        labels = [*feature.labels, *(["elsewhere"] if feature.takes_unknown else [])]
        return labels[random.integers(len(labels))]
    if isinstance(feature, BooleanFeature):
        return bool(random.integers(2))
    assert isinstance(feature, NumberFeature)
    value = random.uniform(feature.seen.minimum, feature.seen.maximum)
    return int(value) if feature.is_whole else round(value, 2)


@pytest.fixture(scope="module", params=BUNDLES)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    folder = BUNDLES[request.param]()
    with serving(folder) as client:
        yield Served(client, folder)


def tensors(
    signature: Signature, rows: Sequence[Row], random: np.random.Generator
) -> tuple[list[dict[str, Any]], bytes]:
    """Inputs of some form that clients send, and the binary data of those that have any.

    Numbers of a form of fewer bits are what that form has: the rows are changed to them.
    """
    inputs, binary = [], b""
    for feature in signature.features:
        values = [row[feature.name] for row in rows]
        datatype, is_narrow = _datatype(feature, values, random)
        if is_narrow:
            values = [one if one is None else float(np.float32(one)) for one in values]
            for row, value in zip(rows, values, strict=True):
                row[feature.name] = value
        dims = list(feature.shape) if isinstance(feature, TensorFeature) else []
        shape = [len(rows), *(dims or ([1] if random.integers(2) else []))]
        about = {"name": feature.name, "shape": shape, "datatype": datatype}
        data = _binary(datatype, values) if random.integers(2) else None
        if data is None:
            if isinstance(feature, BooleanFeature):
                about["datatype"] = "BOOL"
            nested = [[one] for one in values] if len(shape) == 2 and not dims else values
            inputs.append({**about, "data": nested if random.integers(2) else _flat(values)})
        else:
            inputs.append({**about, "parameters": {"binary_data_size": len(data)}})
            binary += data
    return inputs, binary


def _flat(values: Sequence[Any]) -> list[Any]:
    return np.array(values).ravel().tolist() if isinstance(values[0], list) else list(values)


def _datatype(
    feature: Feature, values: Sequence[Any], random: np.random.Generator
) -> tuple[str, bool]:
    """A datatype for a feature's values, and whether it rounds them."""
    has_gaps = any(value is None for value in values)
    if isinstance(feature, CategoryFeature):
        return "BYTES", False
    if isinstance(feature, BooleanFeature):
        return ("FP32" if has_gaps else "BOOL"), False
    if isinstance(feature, NumberFeature) and feature.is_whole:
        return ("FP64" if has_gaps else str(random.choice(["INT64", "FP64"]))), False
    if isinstance(feature, NumberFeature) and not has_gaps and random.integers(3) == 0:
        return "FP32", True
    return "FP64", False


def _binary(datatype: str, values: Sequence[Any]) -> bytes:
    if datatype == "BYTES":
        parts = [(one or "").encode() for one in values]
        return b"".join(struct.pack("<I", len(part)) + part for part in parts)
    return np.array(values, np.float64).astype(DATATYPES[datatype].dtype).tobytes()


def outputs(answer: Answer) -> dict[str, Any]:
    """The outputs of a response by name, as arrays of their shape."""
    assert 200 == answer.status_code, answer.text
    size = answer.headers.get(HEADER)
    head = answer.content if size is None else answer.content[: int(size)]
    rest, found = answer.content[len(head) :], {}
    for one in json.loads(head)["outputs"]:
        datatype, shape = one["datatype"], one["shape"]
        if "parameters" in one:
            length = one["parameters"]["binary_data_size"]
            values, rest = _read(datatype, rest[:length]), rest[length:]
        else:
            values = one["data"]
        found[one["name"]] = np.array(values, object).reshape(shape)
    assert b"" == rest
    return found


def _read(datatype: str, data: bytes) -> list[Any]:
    if datatype != "BYTES":
        values: list[Any] = np.frombuffer(data, DATATYPES[datatype].dtype).tolist()
        # An unbounded interval, which JSON has as null.
        values = [None if value in (-np.inf, np.inf) else value for value in values]
        return [bool(one) for one in values] if datatype == "BOOL" else values
    texts = []
    while data:
        (length,) = struct.unpack("<I", data[:4])
        texts.append(data[4 : 4 + length].decode())
        data = data[4 + length :]
    return texts


def expected(answer: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """What the outputs of a row are, by the answer of `/predict/mc`."""
    told = {name: answer[name] for name in ("passes", "seed")}
    told["precision"] = answer["precision"]["half_width"]
    told["warnings"] = answer["warnings"]
    if classes:
        told |= {name: list(answer[name].values()) for name in ("mean", "std")}
        told |= {"grade": answer["grade"], **answer["uncertainty"]}
        if (found := answer["prediction_set"]) is not None:
            told["prediction_set"] = [name in found["grades"] for name in classes]
    else:
        names = ("mean", "std", "aleatoric_std", "total_std", "between_members_std")
        told |= {name: answer[name] for name in names if name in answer}
        if (interval := answer["interval"]) is not None:
            told["interval"] = [interval["lower"], interval["upper"]]
    if (decision := answer["decision"]) is not None:
        told |= {"decision": decision["action"], "reasons": decision["reasons"]}
        told["guaranteed"] = decision["guaranteed"]
    return told


def check(found: Mapping[str, Any], answers: Sequence[dict[str, Any]], served: Served) -> None:
    """Outputs have the bits of the answers, row by row, and there are no others."""
    wanted = [expected(answer, served.signature.classes) for answer in answers]
    assert set(wanted[0]) | {"record"} == set(found)
    for row, told in enumerate(wanted):
        for name, value in told.items():
            got = found[name][row]
            plain = got.tolist() if isinstance(got, np.ndarray) else got
            assert value == (json.loads(plain) if name in ("warnings", "reasons") else plain), name


@pytest.mark.claim("inferences", test=20, proof=1_000)
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
        check(outputs(answer), served.asked(rows, seed=at, passes=passes), served)
        size = int(answer.headers.get(HEADER, len(answer.content)))
        told = json.loads(answer.content[:size])
        assert f"case {at}" == told["id"]


def test_outputs_are_those_of_the_metadata(served: Served) -> None:
    """What a bundle does not promise is not there; each output has its datatype and shape."""
    metadata = served.client.get(served.address).json()
    rows = served.rows(np.random.default_rng(1), 3)
    inputs, _ = tensors(served.signature, rows, np.random.default_rng(0))
    inputs = [{**one, "data": _flat([row[one["name"]] for row in rows])} for one in inputs]
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


LOAN = example(inspect(ROOT / "models" / "loan-grade" / "5").manifest.signature)
MATRIX = {"name": "input", "shape": [1, 9], "datatype": "FP64", "data": list(LOAN.values())}


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
    check(outputs(answer), loans.asked([row], seed=4), loans)


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
    body = {
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
    check(outputs(answer), loans.asked([LOAN], seed=4), loans)


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
        ({"inputs": [{**MATRIX, "data": [-1, *MATRIX["data"][1:]]}]}, "loan_amount"),  # type: ignore[index]
        ({"inputs": [{**MATRIX, "name": "colour"}]}, "colour"),
        ({"inputs": [MATRIX, MATRIX]}, "input"),
        ({"outputs": [{"name": "colour"}]}, "colour"),
        ({"outputs": [{"name": "mean"}, {"name": "mean"}]}, "mean"),
        ({"parameters": {"passes": 0}}, "passes"),
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


def test_values_are_not_said_again(loans: Served) -> None:
    """Neither a number nor a text of the request is in an error."""
    body = {"inputs": [{**MATRIX, "data": [-91827364.5, *MATRIX["data"][1:]]}]}  # type: ignore[index]
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
    matrix = {**MATRIX, "shape": [2, 9], "data": [*MATRIX["data"], *MATRIX["data"]]}  # type: ignore[misc]
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


def test_the_repository_is_listed(loans: Served) -> None:
    """Versions that are served are ready; what is not cannot be loaded yet, nor is it unloaded."""
    client = loans.client
    every = client.post("/v2/repository/index").json()
    ready = client.post("/v2/repository/index", json={"ready": True}).json()
    assert [("loan-grade", "5")] == [(one["name"], one["version"]) for one in ready]
    assert {"UNAVAILABLE", "READY"} == {one["state"] for one in every}
    load = "/v2/repository/models/{}/{}"
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
        both = [{"name": "deterministic"}, {"name": "mean"}]
        assert 200 == loans.infer({"inputs": [MATRIX], "outputs": both}).status_code
        listed = client.get("/predictions", params={"reference": "사건 7"})
        assert 1 == len(listed.json()["predictions"])


def test_a_page_of_another_site_asks_in_vain(loans: Served) -> None:
    """In the protocol's form too."""
    answer = loans.infer({"inputs": [MATRIX]}, Origin="https://elsewhere.example")
    assert (403, "other_site") == (answer.status_code, answer.json()["code"])
    assert answer.json()["error"]
