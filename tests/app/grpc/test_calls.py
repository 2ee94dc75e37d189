"""gRPC: the same answers as `/v2`, in messages that other people's clients read."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from app.grpc import inference_pb2 as pb
from app.inference.datatypes import DATATYPES
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.inference import Row, check, rows_of, tensors
from tests.mixed import mixed_bundle
from tests.service import ROOT, Service, serving, until

BUNDLES: dict[str, Callable[[], Path]] = {
    "classes": lambda: ROOT / "models" / "loan-grade" / "5",
    "number": lambda: ROOT / "models" / "loan-rate" / "2",
    "mixed": mixed_bundle,
}
ADDRESS = re.compile(r"gRPC: (127\.0\.0\.1:\d+)")
METHOD = "/inference.GRPCInferenceService/"
LOAN: Row = example(inspect(BUNDLES["classes"]()).manifest.signature)
CONTENTS = {"FP64": "fp64", "FP32": "fp32", "INT64": "int64", "BOOL": "bool", "BYTES": "bytes"}


class Served:
    """A service with a port for gRPC, and its bundle."""

    def __init__(self, service: Service, folder: Path, channel: Any) -> None:
        self.service = service
        self.channel = channel
        self.manifest = inspect(folder).manifest
        self.name = self.manifest.identity.name

    def call(self, name: str, request: Any, **options: Any) -> Any:
        """Make a call by our own messages."""
        calling = self.channel.unary_unary(
            METHOD + name,
            request_serializer=type(request).SerializeToString,
            response_deserializer=getattr(pb, f"{name}Response").FromString,
        )
        return calling(request, timeout=30, **options)

    def asked(self, rows: list[Row], **options: Any) -> list[dict[str, Any]]:
        """The answers of `/predict/mc`."""
        body = {"instances": rows}
        with httpx.Client(base_url=self.service.url, trust_env=False) as client:
            answer = client.post("/predict/mc", json=body, params=options).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["predictions"]
        return found


@contextmanager
def served_by(folder: Path, state: Path, *more: str) -> Iterator[Served]:
    words = (str(folder), "--state", str(state), "--grpc-port", "0", *more)
    with serving(*words) as service:
        address = ADDRESS.search(service.written())
        assert address is not None
        with grpc.insecure_channel(address[1]) as channel:
            yield Served(service, folder, channel)


@pytest.fixture(scope="module", params=BUNDLES)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with served_by(BUNDLES[request.param](), tmp_path_factory.mktemp("state")) as served:
        yield served


def message(served: Served, rows: list[Row], random: np.random.Generator) -> Any:
    """A request of some form: binary data, contents by their datatype, or both."""
    found = pb.ModelInferRequest(model_name=served.name)
    inputs, binary = tensors(served.manifest.signature, rows, random)
    for one in inputs:
        about = {name: one[name] for name in ("name", "datatype", "shape")}
        if "parameters" in one:
            size = one["parameters"]["binary_data_size"]
            found.raw_input_contents.append(binary[:size])
            binary = binary[size:]
            found.inputs.append(found.InferInputTensor(**about))
            continue
        values: list[Any] = [NAN if value is None else value for value in _flat(one["data"])]
        if about["datatype"] == "BYTES":
            values = [b"" if value is NAN else value.encode() for value in values]
        elif NAN in values and about["datatype"] == "BOOL":
            about["datatype"] = "FP64"
        contents: dict[str, Any] = {f"{CONTENTS[about['datatype']]}_contents": values}
        found.inputs.append(
            found.InferInputTensor(**about, contents=pb.InferTensorContents(**contents))
        )
    return found


NAN = float("nan")


def _code(caught: pytest.ExceptionInfo[grpc.RpcError]) -> grpc.StatusCode:
    """The code of a call that failed; its class, which is also the call, has no type for it."""
    error: Any = caught.value
    found: grpc.StatusCode = error.code()
    return found


def _flat(data: list[Any]) -> list[Any]:
    return [one[0] if isinstance(one, list) else one for one in data]


def outputs(answer: Any) -> dict[str, Any]:
    """The outputs of a response by name, as arrays of their shape."""
    found = {}
    for one, data in zip(answer.outputs, answer.raw_output_contents, strict=True):
        values: list[Any]
        if one.datatype == "BYTES":
            values = []
            while data:
                size = int.from_bytes(data[:4], "little")
                values, data = [*values, data[4 : 4 + size].decode()], data[4 + size :]
        else:
            values = np.frombuffer(data, DATATYPES[one.datatype].dtype).tolist()
            values = [bool(value) for value in values] if one.datatype == "BOOL" else values
        found[one.name] = np.array(values, object).reshape(list(one.shape))
    return found


@pytest.mark.claim("inferences over gRPC", test=10, proof=1_000)
def test_the_bits_are_those_of_the_other_route(served: Served, count: int) -> None:
    """Binary data and contents, parameters of any type: what /predict/mc answers."""
    random = np.random.default_rng(22)
    for at in range(count):
        rows = rows_of(served.manifest.signature, random, int(random.integers(1, 5)))
        request = message(served, rows, random)
        passes = int(random.integers(1, 60))
        request.id = f"case {at}"
        request.parameters["seed"].int64_param = at
        request.parameters["passes"].double_param = passes
        request.parameters["coverage"].string_param = "0.9"
        answer = served.call("ModelInfer", request)
        told = served.asked(rows, seed=at, passes=passes, coverage=0.9)
        check(outputs(answer), told, served.manifest.signature.classes)
        version = str(served.manifest.identity.version)
        assert (f"case {at}", version) == (answer.id, answer.model_version)


def test_the_model_is_told_as_over_http(served: Served) -> None:
    """Metadata, configuration and statistics have what the other transport has."""
    address = f"{served.service.url}/v2/models/{served.name}"
    with httpx.Client(trust_env=False) as client:
        metadata, config = (client.get(address + ending).json() for ending in ("", "/config"))
    found = served.call("ModelMetadata", pb.ModelMetadataRequest(name=served.name))
    assert metadata["properties"] == dict(found.properties)
    for members in ("inputs", "outputs"):
        told = [(one["name"], one["datatype"], one["shape"]) for one in metadata[members]]
        assert told == [(one.name, one.datatype, [*one.shape]) for one in getattr(found, members)]
    found = served.call("ModelConfig", pb.ModelConfigRequest(name=served.name)).config
    assert config["max_batch_size"] == found.max_batch_size
    assert [one["name"] for one in config["input"]] == [one.name for one in found.input]
    (stats,) = served.call("ModelStatistics", pb.ModelStatisticsRequest()).model_stats
    assert served.name == stats.name
    assert stats.inference_stats.success.count <= stats.inference_count


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("state")
    with served_by(BUNDLES["classes"](), state) as served:
        yield served


def matrix(**changes: Any) -> Any:
    """A request for one loan, as one tensor."""
    data = np.array(list(LOAN.values()), np.float64).tobytes()
    members: dict[str, Any] = {
        "model_name": "loan-grade",
        "inputs": [
            pb.ModelInferRequest.InferInputTensor(
                name="input", datatype="FP64", shape=[1, len(LOAN)]
            )
        ],
        "raw_input_contents": [data],
        **changes,
    }
    return pb.ModelInferRequest(**members)


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"model_name": "colour"}, "NOT_FOUND", "no model of this name"),
        ({"model_version": "9"}, "NOT_FOUND", "no model of this name"),
        ({"inputs": []}, "INVALID_ARGUMENT", "inputs must have at least 1 item"),
        ({"raw_input_contents": [b"1"]}, "INVALID_ARGUMENT", "input must have as many elements"),
        ({"raw_input_contents": []}, "INVALID_ARGUMENT", "input must have as many elements"),
        ({"raw_input_contents": [b"", b""]}, "INVALID_ARGUMENT", "input must have as many"),
        (
            {"outputs": [pb.ModelInferRequest.InferRequestedOutputTensor(name="colour")]},
            "INVALID_ARGUMENT",
            "colour is not known",
        ),
        (
            {"parameters": {"passes": pb.InferParameter(int64_param=0)}},
            "INVALID_ARGUMENT",
            "passes must be greater than or equal to 1",
        ),
        (
            {"parameters": {"pases": pb.InferParameter(string_param="3")}},
            "INVALID_ARGUMENT",
            "pases is not known",
        ),
        (
            {"parameters": {"deadline_ms": pb.InferParameter(string_param="0")}},
            "INVALID_ARGUMENT",
            "deadline_ms must be",
        ),
    ],
)
def test_errors_have_their_code(
    loans: Served, changes: dict[str, Any], code: str, sentence: str
) -> None:
    """With the sentence that HTTP tells, and the problem's code beside it."""
    with pytest.raises(grpc.RpcError) as caught:
        loans.call("ModelInfer", matrix(**changes))
    error: Any = caught.value
    assert code == error.code().name
    assert sentence in error.details()
    assert "dubito-code" in {key for key, _ in error.trailing_metadata()}


def test_a_message_that_is_none_is_refused(loans: Served) -> None:
    """Bytes that are no message, and more than a message may have; the service goes on."""
    sending = loans.channel.unary_unary(f"{METHOD}ModelInfer")
    codes = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED
    for data, code in zip((b"\xff" * 30, bytes(3 << 20)), codes, strict=True):
        with pytest.raises(grpc.RpcError) as caught:
            sending(data, timeout=30)
        assert code == _code(caught)
    assert loans.call("ServerReady", pb.ServerReadyRequest()).ready


def test_what_is_not_served_is_unimplemented(loans: Served) -> None:
    """Streams of inferences, shared memory, traces."""
    for name in ("TraceSetting", "SystemSharedMemoryStatus", "CudaSharedMemoryRegister"):
        with pytest.raises(grpc.RpcError) as caught:
            loans.channel.unary_unary(METHOD + name)(b"", timeout=30)
        assert grpc.StatusCode.UNIMPLEMENTED == _code(caught)


def test_an_idempotency_key_repeats_the_answer(loans: Served) -> None:
    """To the byte; a reference finds the case."""
    parameters = {
        "idempotency_key": pb.InferParameter(string_param="once"),
        "reference": pb.InferParameter(string_param="사건 8"),
    }
    first, again = (loans.call("ModelInfer", matrix(parameters=parameters)) for _ in range(2))
    assert first == again
    with pytest.raises(grpc.RpcError) as caught:
        loans.call("ModelInfer", matrix(parameters=parameters, id="other"))
    assert grpc.StatusCode.FAILED_PRECONDITION == _code(caught)
    with httpx.Client(base_url=loans.service.url, trust_env=False) as client:
        listed = client.get("/predictions", params={"reference": "사건 8"}).json()
    assert outputs(first)["record"].tolist() == [one["id"] for one in listed["predictions"]]


def test_a_deadline_of_grpc_is_the_requests(loans: Served) -> None:
    """A client that does not wait long is not computed for long."""
    work = {"passes": pb.InferParameter(int64_param=10_000)}
    rows = 90
    data = np.tile(np.array(list(LOAN.values()), np.float64), (rows, 1)).tobytes()
    shape = [rows, len(LOAN)]
    tensor = pb.ModelInferRequest.InferInputTensor(name="input", datatype="FP64", shape=shape)
    request = matrix(inputs=[tensor], raw_input_contents=[data], parameters=work)
    calling: Any = loans.channel.unary_unary(
        f"{METHOD}ModelInfer", request_serializer=pb.ModelInferRequest.SerializeToString
    )
    with pytest.raises(grpc.RpcError) as caught:
        calling(request, timeout=0.05)
    assert _code(caught) in (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAVAILABLE,
    )
    start = time.perf_counter()
    loans.call("ModelInfer", matrix())
    assert time.perf_counter() - start < 5


def test_the_repository_is_listed(loans: Served) -> None:
    """What is served is ready; a name in either field is taken."""
    found = loans.call("RepositoryIndex", pb.RepositoryIndexRequest(ready=True)).models
    assert [("loan-grade", "5", "READY")] == [(one.name, one.version, one.state) for one in found]
    for field in ("model_name", "repository_name"):
        members: dict[str, Any] = {field: "loan-grade"}
        asked = pb.RepositoryModelLoadRequest(**members)
        assert loans.call("RepositoryModelLoad", asked).is_loaded
    for name, code in (("loan-rate", "FAILED_PRECONDITION"), ("colour", "NOT_FOUND")):
        with pytest.raises(grpc.RpcError) as caught:
            loans.call("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name=name))
        assert code == _code(caught).name
    unloaded = pb.RepositoryModelUnloadRequest(model_name="loan-grade")
    with pytest.raises(grpc.RpcError) as caught:
        loans.call("RepositoryModelUnload", unloaded)
    assert "FAILED_PRECONDITION" == _code(caught).name
    far = (("x-forwarded-for", "10.0.0.1"),)
    with pytest.raises(grpc.RpcError) as caught:
        loans.call("RepositoryIndex", pb.RepositoryIndexRequest(), metadata=far)
    assert "PERMISSION_DENIED" == _code(caught).name


def test_health_and_reflection(loans: Served) -> None:
    """As gRPC's own tools ask: whether it serves, now and from now on, and what."""
    stub: Any = health_pb2_grpc.HealthStub(loans.channel)
    serving_ = health_pb2.HealthCheckResponse.SERVING
    for name in ("", "inference.GRPCInferenceService"):
        assert serving_ == stub.Check(health_pb2.HealthCheckRequest(service=name)).status
    watching = stub.Watch(health_pb2.HealthCheckRequest(), timeout=30)
    assert serving_ == next(iter(watching)).status
    watching.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(health_pb2.HealthCheckRequest(service="colour"))
    assert grpc.StatusCode.NOT_FOUND == _code(caught)
    asking: Any = reflection_pb2_grpc.ServerReflectionStub(loans.channel).ServerReflectionInfo
    (answer,) = asking(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    names = {one.name for one in answer.list_services_response.service}
    assert "inference.GRPCInferenceService" in names


def test_calls_are_counted_and_logged_without_values(loans: Served) -> None:
    """By their name and end; no value of a borrower is said."""
    route = f'route="{METHOD}ModelInfer"'
    secret = np.array([-91827364.5, *list(LOAN.values())[1:]], np.float64).tobytes()
    with pytest.raises(grpc.RpcError) as caught:
        loans.call("ModelInfer", matrix(raw_input_contents=[secret]))
    assert "91827364" not in str(caught.value)
    with httpx.Client(base_url=loans.service.url, trust_env=False) as client:
        page = client.get("/metrics").text
    assert any(route in line and 'status="400"' in line for line in page.splitlines())
    until(lambda: "INVALID_ARGUMENT" in loans.service.written())
    assert "91827364" not in loans.service.written()


def test_a_message_that_never_comes_is_given_up(tmp_path: Path) -> None:
    """Within the time that a body has; calls that came meanwhile are answered."""
    with served_by(BUNDLES["classes"](), tmp_path, "--body-seconds", "0.5") as served:
        done = threading.Event()

        def silent() -> Iterator[bytes]:
            done.wait(20)
            yield b""

        calling: Any = served.channel.stream_unary(f"{METHOD}ModelInfer")
        waiting = calling.future(silent(), timeout=20)
        assert served.call("ServerLive", pb.ServerLiveRequest()).live
        with pytest.raises(grpc.RpcError) as caught:
            waiting.result()
        assert (grpc.StatusCode.DEADLINE_EXCEEDED, True) == (
            _code(caught),
            "within 0.5 s" in str(caught.value),
        )
        done.set()


def test_a_service_that_stops_says_so_and_waits_for_nobody_who_watches(tmp_path: Path) -> None:
    """While it drains it is not ready, over both transports; a watcher does not hold it up."""
    words = ("--drain-seconds", "3")
    with served_by(BUNDLES["classes"](), tmp_path, *words) as served:
        stub: Any = health_pb2_grpc.HealthStub(served.channel)
        watching = stub.Watch(health_pb2.HealthCheckRequest(), timeout=60)
        assert health_pb2.HealthCheckResponse.SERVING == next(iter(watching)).status
        start = time.perf_counter()
        served.service.process.send_signal(signal.SIGTERM)
        until(lambda: not served.call("ServerReady", pb.ServerReadyRequest()).ready)
        with httpx.Client(base_url=served.service.url, trust_env=False) as client:
            assert 503 == client.get("/v2/health/ready").status_code
            assert 503 == client.get(f"/v2/models/{served.name}/ready").status_code
        assert served.call("ModelInfer", matrix()).outputs
        assert 0 == served.service.process.wait(30)
        assert time.perf_counter() - start < 15


def test_workers_share_the_port(tmp_path: Path) -> None:
    """Each answers calls of its own connections."""
    free = _free_port()
    words = (str(BUNDLES["classes"]()), "--state", str(tmp_path), "--workers", "2")
    with serving(*words, "--grpc-port", str(free), "--records", "off") as service:
        assert f"gRPC: 127.0.0.1:{free}" in service.written()
        for _ in range(8):
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(f"127.0.0.1:{free}", options) as channel:
                calling: Any = channel.unary_unary(
                    f"{METHOD}ModelInfer",
                    request_serializer=pb.ModelInferRequest.SerializeToString,
                    response_deserializer=pb.ModelInferResponse.FromString,
                )
                assert calling(matrix(), timeout=30).outputs
        # Whichever worker is asked, it tells of both.
        with httpx.Client(base_url=service.url, trust_env=False) as client:
            (stats,) = client.get("/v2/models/stats").json()["model_stats"]
        assert (8, 8) == (stats["inference_count"], stats["inference_stats"]["success"]["count"])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def test_the_modules_are_made_of_the_description(tmp_path: Path) -> None:
    """The messages are those of `inference.proto`, as this protoc makes them."""
    name = "app/grpc/inference.proto"
    made = f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"
    words = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", *made, name]
    subprocess.run(words, check=True)
    for ending in ("_pb2.py", "_pb2.pyi"):
        path = name.replace(".proto", ending)
        assert (tmp_path / path).read_text() == (ROOT / path).read_text()
