"""Bodies of the Open Inference Protocol that no client sends: refused, and nothing is lost."""

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from app.grpc import inference_pb2 as pb
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.app.grpc.test_calls import ADDRESS, METHOD
from tests.inference import HEADER
from tests.service import ROOT, Service, serving

MANIFEST = inspect(ROOT / "models" / "loan-grade" / "5").manifest
LOAN = [float(str(value)) for value in example(MANIFEST.signature).values()]
PATH = "/v2/models/loan-grade/infer"
REFUSALS = {400, 413, 415}
SIZES = (0, 1, 71, 73, 2**31, 2**63, -1, True, "72", None, 1.5)
SHAPES: tuple[Any, ...] = (
    [1, 9],
    [9],
    [1, 8],
    [0, 9],
    [-1, 9],
    [2**40, 9],
    [1] * 9,
    [],
    "x",
    [1.5],
)
DATATYPES = ("FP64", "FP32", "INT64", "BYTES", "BOOL", "BF16", "fp64", "", 64)
MEMORY = 1.1
"""Most that the service may grow by, of its memory after the first quarter."""
Chance = random.Random


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    state = str(tmp_path_factory.mktemp("state"))
    with serving("--state", state, "--grpc-port", "0", "--records", "off") as service:
        yield service


def good(chance: Chance) -> tuple[dict[str, Any], bytes]:
    """The JSON of a request, and its binary data."""
    tensor = {"name": "input", "shape": [1, 9], "datatype": "FP64"}
    data = np.array(LOAN, np.float64).tobytes()
    if chance.random() < 0.3:
        names = [feature.name for feature in MANIFEST.signature.features]
        inputs = [
            {**tensor, "name": name, "shape": [1], "parameters": {"binary_data_size": 8}}
            for name in names
        ]
    else:
        inputs = [{**tensor, "parameters": {"binary_data_size": len(data)}}]
    return {"inputs": inputs, "parameters": {"passes": 5, "binary_data_output": True}}, data


def _tensor(head: dict[str, Any], chance: Chance) -> None:
    one = chance.choice(head["inputs"])
    member = chance.choice(("shape", "datatype", "name", "parameters", "data"))
    one[member] = {
        "shape": chance.choice(SHAPES),
        "datatype": chance.choice(DATATYPES),
        "name": chance.choice(("", "input", "colour", 7)),
        "parameters": chance.choice(({}, None, [], {"binary_data_size": chance.choice(SIZES)})),
        "data": chance.choice(([1], [[1]], "x", {"a": 1}, [None] * 9)),
    }[member]


def _parameters(head: dict[str, Any], chance: Chance) -> None:
    name = chance.choice(("passes", "seed", "coverage", "colour", "binary_data_output", "timeout"))
    value: Any = chance.choice((0, -1, 2**70, 1e300, "x", [], {}, None, True, "1e3"))
    head["parameters"] = {**head["parameters"], name: value}


def _outputs(head: dict[str, Any], chance: Chance) -> None:
    names = [{"name": name} for name in chance.choices(("mean", "colour", "", "draws"), k=2)]
    head["outputs"] = chance.choice((names, [], "x", [{"name": 1}], [{}]))


def mutated(chance: Chance) -> tuple[bytes, dict[str, str]]:
    """A body that is wrong in one or more ways, and its headers."""
    head, data = good(chance)
    for change in chance.choices((_tensor, _parameters, _outputs), k=chance.randint(0, 2)):
        change(head, chance)
    text = json.dumps(head).encode()
    size: Any = len(text)
    if chance.random() < 0.5:
        size = chance.choice((size - 1, size + 1, 0, -1, "x", 10**9, size + len(data), size * 2))
    body = text + data
    if chance.random() < 0.4:
        cut = chance.randrange(len(body))
        body = chance.choice((body[:cut], body + b"more", body[:cut] + b"\xff" + body[cut + 1 :]))
    headers = {HEADER: str(size)} if chance.random() < 0.9 else {}
    return _packed(body, headers, chance)


def _packed(body: bytes, headers: dict[str, str], chance: Chance) -> tuple[bytes, dict[str, str]]:
    if chance.random() < 0.8:
        return body, headers
    name, pack = chance.choice((("gzip", gzip.compress), ("deflate", zlib.compress), ("br", bytes)))
    if chance.random() < 0.1:
        body = bytes(1 << 22)
    packed = pack(body)
    if chance.random() < 0.3:
        packed = packed[: chance.randrange(len(packed))]
    return packed, {**headers, "Content-Encoding": name}


def memory(service: Service) -> int:
    """Resident memory of a service, bytes."""
    text = Path(f"/proc/{service.process.pid}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * 4_096


def survived(
    service: Service, count: int, ask: Callable[[Chance], str], record_property: Any
) -> dict[str, int]:
    """Ask many times; the statuses, by how often they came. The memory stays flat."""
    chance = Chance(24)
    told: dict[str, int] = {}
    early = 0
    for at in range(count):
        status = ask(chance)
        told[status] = told.get(status, 0) + 1
        if at == count // 4:
            early = memory(service)
    growth = memory(service) / early
    assert growth < MEMORY
    assert service.process.poll() is None
    assert "Traceback" not in service.written()
    shown = ", ".join(f"{status}: {number:,}" for status, number in sorted(told.items()))
    record_property("figure", f"{shown}; memory × {growth:.3f}")
    return told


@pytest.mark.claim("malformed inferences", test=400, proof=10_000)
def test_binary_bodies_are_survived(service: Service, record_property: Any, count: int) -> None:
    """Sizes, headers, types, truncated and compressed ones: 200 or a refusal, never a fault."""
    with httpx.Client(base_url=service.url, timeout=20, trust_env=False) as client:

        def ask(chance: Chance) -> str:
            body, headers = mutated(chance)
            answer = client.post(PATH, content=body, headers=headers)
            assert answer.status_code in {200, *REFUSALS}, (body, headers, answer.text)
            if answer.status_code != 200:
                assert "application/json" == answer.headers["content-type"]
                assert answer.json()["error"]
            return str(answer.status_code)

        told = survived(service, count, ask, record_property)
    assert told["400"] > count / 2
    assert told["200"] > count / 50


@pytest.mark.claim("malformed inferences", test=400, proof=10_000)
def test_messages_are_survived(service: Service, record_property: Any, count: int) -> None:
    """The same over gRPC, whole messages and their bytes: a code of the caller's own fault."""
    address = ADDRESS.search(service.written())
    assert address is not None
    with grpc.insecure_channel(address[1]) as channel:
        calling: Any = channel.unary_unary(f"{METHOD}ModelInfer")

        def ask(chance: Chance) -> str:
            try:
                calling(message(chance), timeout=20)
            except grpc.RpcError as error:
                failed: Any = error
                assert failed.code() in CODES, failed
                return str(failed.code().name)
            return "OK"

        told = survived(service, count, ask, record_property)
    assert told["INVALID_ARGUMENT"] > count / 3


CODES = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


def message(chance: Chance) -> bytes:
    """The bytes of a message that is wrong in some way."""
    tensor = pb.ModelInferRequest.InferInputTensor(
        name=chance.choice(("input", "input", "colour", "")),
        datatype=chance.choice(("FP64", "FP64", "FP32", "BYTES", "x")),
        shape=chance.choice(([1, 9], [1, 9], [9], [-1], [], [2**40, 9])),
    )
    request = pb.ModelInferRequest(
        model_name=chance.choice(("loan-grade", "loan-grade", "colour")),
        inputs=chance.choice(([tensor], [tensor], [tensor, tensor], [])),
    )
    data = np.array(LOAN, np.float64).tobytes()
    request.raw_input_contents.extend(chance.choice(([data], [data], [data[:-1]], [], [data] * 2)))
    if chance.random() < 0.3:
        value: Any = chance.choice(
            (
                pb.InferParameter(int64_param=-1),
                pb.InferParameter(double_param=float("nan")),
                pb.InferParameter(string_param="x"),
                pb.InferParameter(),
            )
        )
        request.parameters[chance.choice(("passes", "seed", "colour"))].CopyFrom(value)
    if chance.random() < 0.2:
        tensor.contents.fp64_contents.extend(LOAN)
        request.inputs.append(tensor)
    found = request.SerializeToString()
    if chance.random() < 0.3 and found:
        at = chance.randrange(len(found))
        found = chance.choice((found[:at], found[:at] + b"\xff" + found[at + 1 :], found * 2))
    return found
