"""Faults of servers of the Open Inference Protocol, planted between a client and a real service."""

import gzip
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

from dubito.conformance.web import WebAnswer

HEADER = "Inference-Header-Content-Length"
JSON = "application/json"
MODEL = "/v2/models/loan-grade"
HOP = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}
"""Headers of one connection, in small letters, which are not passed on."""


@dataclass(frozen=True)
class Asked:
    """What was asked, before the service sees it."""

    method: str
    path: str
    headers: dict[str, str]
    """As they were written."""
    body: bytes
    is_chunked: bool = False
    state: dict[str, Any] = field(default_factory=dict)
    """What a fault remembers."""

    @property
    def is_infer(self) -> bool:
        return self.method == "POST" and self.path.endswith("/infer")

    @property
    def request(self) -> dict[str, Any]:
        """The JSON of the body; empty if it is no object."""
        try:
            told = json.loads(self.body)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    def header(self, name: str) -> str | None:
        found = (value for key, value in self.headers.items() if key.lower() == name.lower())
        return next(found, None)


Forward = Callable[[Asked], WebAnswer]
Fault = Callable[[Asked, Forward], WebAnswer]


def answered(status: int, told: Any, **headers: str) -> WebAnswer:
    return WebAnswer(status, {"content-type": JSON, **headers}, json.dumps(told).encode())


def instead(path: str, answer: WebAnswer) -> Fault:
    """Another answer at the paths that an expression finds."""
    wanted = re.compile(path)

    def fault(asked: Asked, forward: Forward) -> WebAnswer:
        return answer if wanted.fullmatch(asked.path) else forward(asked)

    return fault


def edited(path: str, edit: Callable[[Any], Any]) -> Fault:
    """Another JSON in good answers at the paths that an expression finds."""
    wanted = re.compile(path)

    def fault(asked: Asked, forward: Forward) -> WebAnswer:
        answer = forward(asked)
        is_json = answer.media_type == JSON and answer.status == 200
        if not wanted.fullmatch(asked.path) or not is_json:
            return answer
        return replace(answer, body=json.dumps(edit(json.loads(answer.body))).encode())

    return fault


def asked_as(change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Fault:
    """Another request for an inference than the client's, where a change gives one."""

    def fault(asked: Asked, forward: Forward) -> WebAnswer:
        told = change(asked.request) if asked.is_infer and asked.request else None
        return forward(asked if told is None else replace(asked, body=json.dumps(told).encode()))

    return fault


def refused(is_so: Callable[[Asked], bool], status: int = 400) -> Fault:
    """A refusal of what is legal."""

    def fault(asked: Asked, forward: Forward) -> WebAnswer:
        return answered(status, {"error": "no"}) if is_so(asked) else forward(asked)

    return fault


def errors(change: Callable[[WebAnswer], WebAnswer]) -> Fault:
    """Refusals of another form."""

    def fault(asked: Asked, forward: Forward) -> WebAnswer:
        answer = forward(asked)
        return change(answer) if answer.status >= 400 else answer

    return fault


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda told: {key: value for key, value in told.items() if key != name}


def each(member: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Any], Any]:
    """Each object of a list changed."""
    return lambda told: {**told, member: [change(one) for one in told[member]]}


def first(member: str, **changes: Any) -> Callable[[Any], Any]:
    """The first object of a list changed."""
    return lambda told: {**told, member: [{**told[member][0], **changes}, *told[member][1:]]}


def elsewhere(wrong: str, right: str, *, infers: bool) -> Fault:
    """What is not there is taken for what is: for inferences, or for all else."""

    def fault(asked: Asked, forward: Forward) -> WebAnswer:
        if asked.path.endswith("/infer") != infers:
            return forward(asked)
        return forward(replace(asked, path=asked.path.replace(wrong, right)))

    return fault


def no_empty_id(asked: Asked, forward: Forward) -> WebAnswer:
    is_empty = asked.is_infer and asked.request.get("id") == ""
    return answered(400, {"error": "id is empty"}) if is_empty else forward(asked)


def ends_after_refusals(asked: Asked, forward: Forward) -> WebAnswer:
    """A refusal of a body that is no JSON is the last answer but one."""
    if asked.state.pop("ended", False):
        return answered(500, {"error": "ended"})
    asked.state["ended"] = asked.is_infer and asked.body == b"{"
    return forward(asked)


def mixes_ids(asked: Asked, forward: Forward) -> WebAnswer:
    """An answer has the id of the request that came last."""
    if not asked.is_infer or "id" not in asked.request:
        return forward(asked)
    asked.state["id"] = asked.request["id"]
    answer = forward(asked)
    time.sleep(0.005)
    told = {**json.loads(answer.body), "id": asked.state["id"]}
    return replace(answer, body=json.dumps(told).encode())


def mixes_inputs(asked: Asked, forward: Forward) -> WebAnswer:
    """The inputs are those of the request that came last."""
    if not asked.is_infer:
        return forward(asked)
    asked.state["body"] = asked.body
    time.sleep(0.005)
    return forward(replace(asked, body=asked.state["body"]))


def swaps_rows(told: Any) -> Any:
    return each("outputs", lambda one: {**one, "data": _turned(one)})(told)


def _turned(one: dict[str, Any]) -> list[Any]:
    data, rows = one["data"], one["shape"][0]
    size = len(data) // rows
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return [element for part in reversed(parts) for element in part]


def no_nested(asked: Asked) -> bool:
    inputs = asked.request.get("inputs") if asked.is_infer else None
    return isinstance(inputs, list) and any(
        isinstance(one.get("data"), list) and any(isinstance(part, list) for part in one["data"])
        for one in inputs
    )


def knows_no_small_letters(asked: Asked, forward: Forward) -> WebAnswer:
    return forward(replace(asked, headers=without(HEADER.lower())(asked.headers)))


def wanted_size(asked: Asked) -> int | None:
    """The bytes that a body with binary data should have, as its JSON says; None if it has none."""
    size = asked.header(HEADER)
    if not asked.is_infer or size is None or not size.isdigit() or int(size) > len(asked.body):
        return None
    inputs = json.loads(asked.body[: int(size)]).get("inputs", [])
    return int(size) + sum(one.get("parameters", {}).get("binary_data_size", 0) for one in inputs)


def pads(asked: Asked, forward: Forward) -> WebAnswer:
    """Bytes that are missing are zeros."""
    size = wanted_size(asked)
    return forward(asked if size is None else replace(asked, body=asked.body.ljust(size, b"\0")))


def cuts(asked: Asked, forward: Forward) -> WebAnswer:
    """Bytes that are too many are dropped."""
    size = wanted_size(asked)
    return forward(asked if size is None else replace(asked, body=asked.body[:size]))


def reads_some_bytes(asked: Asked, forward: Forward) -> WebAnswer:
    """Of nine bytes of a number the last is dropped."""
    size = int(asked.header(HEADER) or len(asked.body))
    if not asked.is_infer or b'"binary_data_size":9' not in asked.body[:size]:
        return forward(asked)
    head = asked.body[:size].replace(b'"binary_data_size":9', b'"binary_data_size":8')
    body = head + asked.body[size : size + 8] + asked.body[size + 9 :]
    return forward(replace(asked, body=body))


def reads_no_header(asked: Asked, forward: Forward) -> WebAnswer:
    """A header that is no number is as none."""
    size = asked.header(HEADER)
    if size is None or size.isdigit():
        return forward(asked)
    return forward(replace(asked, headers=without(HEADER)(asked.headers)))


def wrong_binary_size(asked: Asked, forward: Forward) -> WebAnswer:
    """The first size of binary outputs is one too small."""
    answer = forward(asked)
    if (size := answer.headers.get(HEADER.lower())) is None:
        return answer
    head, rest = json.loads(answer.body[: int(size)]), answer.body[int(size) :]
    head["outputs"][0]["parameters"]["binary_data_size"] -= 1
    text = json.dumps(head).encode()
    return WebAnswer(200, {**answer.headers, HEADER.lower(): str(len(text))}, text + rest)


def compresses(asked: Asked, forward: Forward) -> WebAnswer:
    answer = forward(asked)
    if "gzip" not in (asked.header("Accept-Encoding") or "") or asked.is_infer:
        return answer
    headers = {**answer.headers, "content-encoding": "gzip"}
    return WebAnswer(answer.status, headers, gzip.compress(answer.body))


def compresses_errors(asked: Asked, forward: Forward) -> WebAnswer:
    answer = forward(asked)
    if answer.status < 400 or "gzip" not in (asked.header("Accept-Encoding") or ""):
        return answer
    headers = {**answer.headers, "content-encoding": "gzip"}
    return WebAnswer(answer.status, headers, gzip.compress(answer.body))


def any_size(asked: Asked, forward: Forward) -> WebAnswer:
    """A size that is more than the body has is that of the body."""
    size = asked.header(HEADER)
    if size is None or not size.isdigit() or int(size) <= len(asked.body):
        return forward(asked)
    return forward(replace(asked, headers=without(HEADER)(asked.headers)))


def strange(seed: int) -> Fault:
    """One member of each JSON is something else, a part of the time."""
    random = Random(seed)

    def fault(asked: Asked, forward: Forward) -> WebAnswer:
        answer = forward(asked)
        if answer.media_type != JSON or random.random() < 0.3:
            return answer
        value = changed_somewhere(json.loads(answer.body), random)
        return replace(answer, body=json.dumps(value).encode())

    return fault


def changed_somewhere(value: Any, random: Random) -> Any:
    """A value of JSON of which a part is another."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(sorted(value))
        return {**value, key: changed_somewhere(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.8:
        place = random.randrange(len(value))
        changed = changed_somewhere(value[place], random)
        return [*value[:place], changed, *value[place + 1 :]]
    nested: list[Any] = []
    for _ in range(200):
        nested = [nested]
    choices = [
        7,
        [],
        {},
        None,
        10**400,
        -1,
        "\ud800",
        [[]],
        {"name": []},
        True,
        1.5,
        nested,
        1 << 62,
    ]
    return random.choice(choices)


def ignores_ready(asked: Asked, forward: Forward) -> WebAnswer:
    is_index = asked.path == "/v2/repository/index"
    return forward(replace(asked, body=b"") if is_index else asked)


def stands_still(told: Any) -> Any:
    for one in told["model_stats"]:
        one["inference_stats"]["success"]["count"] = 0
    return told


def no_number(asked: Asked, forward: Forward) -> WebAnswer:
    """The first number of an output is NaN, in JSON."""
    answer = forward(asked)
    body = re.sub(rb'("name":"std".*?"data":\[)[^,\]]+', rb"\1NaN", answer.body, count=1)
    return replace(answer, body=body) if asked.is_infer else answer


def no_output_parameters(told: dict[str, Any]) -> dict[str, Any] | None:
    return each("outputs", without("parameters"))(told) if told.get("outputs") else None


def unknown_output_ignored(told: dict[str, Any]) -> dict[str, Any] | None:
    names = [one.get("name") for one in told.get("outputs", [])]
    return without("outputs")(told) if "no-such-output" in names else None


def none_where_none_is_named(asked: Asked, forward: Forward) -> WebAnswer:
    answer = forward(asked)
    if asked.is_infer and asked.request.get("outputs") == []:
        told = {**json.loads(answer.body), "outputs": []}
        return replace(answer, body=json.dumps(told).encode())
    return answer


def _inputs(told: dict[str, Any]) -> list[dict[str, Any]]:
    inputs = told.get("inputs")
    is_list = isinstance(inputs, list) and all(isinstance(one, dict) for one in inputs)
    return inputs if is_list and isinstance(inputs, list) else []


def fills_missing(told: dict[str, Any]) -> dict[str, Any] | None:
    inputs = _inputs(told)
    if len(inputs) != 8:
        return None
    gap = {**inputs[0], "name": "loan_amount", "datatype": "FP64", "data": [1]}
    return {**told, "inputs": [gap, *inputs]}


def drops_unknown(told: dict[str, Any]) -> dict[str, Any] | None:
    kept = [one for one in _inputs(told) if one.get("name") != "no-such-input"]
    return {**told, "inputs": kept} if kept else None


def takes_first(told: dict[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for one in _inputs(told):
        found.setdefault(str(one.get("name")), one)
    return {**told, "inputs": list(found.values())} if found else None


def on_inputs(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Fault:
    """Another first input."""

    def changed(told: dict[str, Any]) -> dict[str, Any] | None:
        inputs = _inputs(told)
        return {**told, "inputs": [change(inputs[0]), *inputs[1:]]} if inputs else None

    return asked_as(changed)


def knows_no_datatype(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "datatype": "FP64"} if one.get("datatype") == "FP63" else one


def reads_texts(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "datatype": "FP64", "data": [1]} if one.get("datatype") == "BYTES" else one


def reads_words(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "data": [1]} if one.get("data") == ["text"] else one


def fills_up(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "data": [1]} if one.get("data") == [] else one


def cuts_off(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "data": one["data"][:1]} if len(one.get("data") or ()) == 2 else one


def guesses_shape(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "shape": [1]} if one.get("shape") == [-1] else one


def takes_memory(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "shape": [1]} if one.get("shape") == [1 << 62, 1 << 62] else one


def no_inputs_needed(asked: Asked, forward: Forward) -> WebAnswer:
    is_empty = asked.is_infer and asked.request.get("inputs") == []
    return (
        answered(200, {"model_name": "loan-grade", "outputs": []}) if is_empty else forward(asked)
    )


def closes(asked: Asked, forward: Forward) -> WebAnswer:
    """A connection ends after each answer, which does not say so."""
    answer = forward(asked)
    return replace(answer, headers={**answer.headers, "x-ends": "1"}) if asked.is_infer else answer


def breaks_down(asked: Asked, forward: Forward) -> WebAnswer:
    """A body of endless lists has no answer."""
    if asked.is_infer and asked.body.startswith(b"[[["):
        return WebAnswer(0, {}, b"")
    return forward(asked)


def with_detail(answer: WebAnswer) -> WebAnswer:
    return answered(422, {"detail": [{"loc": ["body"], "msg": "wrong"}]})


def as_failure(answer: WebAnswer) -> WebAnswer:
    return replace(answer, status=500) if answer.status == 400 else answer


NO = answered(404, {"error": "not found"})
INFER = f"{MODEL}/infer"
PLANTED: dict[str, tuple[str, Fault]] = {
    "not live": ("server-live", instead("/v2/health/live", answered(400, {}))),
    "ready without a body": ("server-ready", instead("/v2/health/ready", answered(204, {}))),
    "health without JSON": ("health-in-json", instead("/v2/health/live", WebAnswer(200, {}, b""))),
    "no extensions": ("server-description", edited("/v2/?", without("extensions"))),
    "no slash at the end": ("trailing-slash", instead("/v2/", NO)),
    "every path exists": ("no-such-path", instead("/v2/no-such-path", answered(200, {}))),
    "no platform": ("model-description", edited(MODEL, without("platform"))),
    "no inputs told": ("model-description", edited(MODEL, lambda told: {**told, "inputs": []})),
    "another name": ("model-description", edited(MODEL, lambda told: {**told, "name": "loan"})),
    "lengths are texts": ("model-description", edited(MODEL, first("inputs", shape=["-1", "1"]))),
    "own datatype": ("model-description", edited(MODEL, first("outputs", datatype="FLOAT64"))),
    "no versions": ("version-metadata", instead(f"{MODEL}/versions/5", NO)),
    "model not ready": ("model-ready", instead(f"{MODEL}/ready", answered(503, {"error": "no"}))),
    "version not ready": ("version-ready", instead(f"{MODEL}/versions/5/ready", NO)),
    "any model is there": ("no-such-model", elsewhere("no-such-model", "loan-grade", infers=False)),
    "any model infers": (
        "infer-no-such-model",
        elsewhere("no-such-model", "loan-grade", infers=True),
    ),
    "any version is there": ("no-such-version", elsewhere("987654321", "5", infers=False)),
    "any version infers": ("infer-no-such-version", elsewhere("987654321", "5", infers=True)),
    "TYPE_BYTES": (
        "model-configuration",
        edited(f"{MODEL}/config", first("output", data_type="TYPE_BYTES")),
    ),
    "NaN in JSON": ("inference", no_number),
    "numbers for truths": (
        "inference",
        edited(
            INFER,
            each(
                "outputs",
                lambda one: {**one, "data": [1]} if one["name"] == "guaranteed" else one,
            ),
        ),
    ),
    "an untold output": ("described-outputs", edited(INFER, first("outputs", name="more"))),
    "another shape": ("described-outputs", edited(INFER, first("outputs", shape=[1, 1, 1]))),
    "nested outputs": (
        "flat-outputs",
        edited(INFER, each("outputs", lambda one: {**one, "data": [one["data"]]})),
    ),
    "no id": ("same-id", edited(INFER, without("id"))),
    "an empty id is wrong": ("empty-id", no_empty_id),
    "outputs are all": ("named-output", asked_as(without("outputs"))),
    "any output": ("no-such-output", asked_as(unknown_output_ignored)),
    "no outputs are none": ("no-named-outputs", none_where_none_is_named),
    "flat data alone": ("nested-data", refused(no_nested)),
    "no name in the body": ("name-in-body", refused(lambda one: "model_name" in one.request)),
    "another version": (
        "version-of-path",
        edited(f"{MODEL}/versions/5/infer", lambda told: {**told, "model_version": "4"}),
    ),
    "needs a media type": (
        "any-media-type",
        refused(lambda one: one.is_infer and one.header("Content-Type") is None, 415),
    ),
    "knows no parameters": (
        "known-parameters",
        refused(lambda one: "priority" in one.request.get("parameters", {})),
    ),
    "needs a length": ("chunked-body", refused(lambda one: one.is_chunked, 411)),
    "closes connections": ("kept-connection", closes),
    "rows in another order": ("rows-of-a-batch", edited(INFER, swaps_rows)),
    "GET infers": (
        "no-get",
        lambda asked, forward: (
            answered(200, {}) if asked.method == "GET" and asked.path == INFER else forward(asked)
        ),
    ),
    "a character set": (
        "error-media-type",
        errors(lambda one: replace(one, headers={"content-type": f"{JSON}; charset=utf-8"})),
    ),
    "detail for error": ("broken-body", errors(with_detail)),
    "its own failure": ("callers-fault", errors(as_failure)),
    "no media type but JSON's": (
        "any-media-type",
        refused(lambda one: one.is_infer and "form" in (one.header("Content-Type") or ""), 415),
    ),
    "any size": ("wrong-header", any_size),
    "compressed errors": ("plain-metadata", compresses_errors),
    "no end of lists": ("deep-body", breaks_down),
    "needs no inputs": ("no-inputs", no_inputs_needed),
    "a missing input": ("missing-input", asked_as(fills_missing)),
    "an unknown input": ("unknown-input", asked_as(drops_unknown)),
    "an input twice": ("input-twice", asked_as(takes_first)),
    "an unknown datatype": ("unknown-datatype", on_inputs(knows_no_datatype)),
    "texts for numbers": ("wrong-datatype", on_inputs(reads_texts)),
    "words for numbers": ("element-of-another-kind", on_inputs(reads_words)),
    "too few elements": ("too-few-elements", on_inputs(fills_up)),
    "too many elements": ("too-many-elements", on_inputs(cuts_off)),
    "a length below zero": ("wrong-shape", on_inputs(guesses_shape)),
    "a huge shape": ("huge-shape", on_inputs(takes_memory)),
    "ends after a refusal": ("alive-after-errors", ends_after_refusals),
    "no binary inputs": (
        "binary-inputs",
        refused(lambda one: len(one.body) > int(one.header(HEADER) or 1 << 30)),
    ),
    "a wrong binary size": ("binary-outputs", wrong_binary_size),
    "no binary outputs": ("binary-outputs", asked_as(without("parameters"))),
    "each output in JSON": ("one-binary-output", asked_as(no_output_parameters)),
    "no header over JSON": (
        "header-of-json",
        refused(lambda one: one.header(HEADER) == str(len(one.body))),
    ),
    "header in large letters": ("header-in-lower-case", knows_no_small_letters),
    "bytes are missing": ("truncated-data", pads),
    "bytes are left": ("trailing-data", cuts),
    "bytes for a number": ("data-of-another-size", reads_some_bytes),
    "any header": ("wrong-header", reads_no_header),
    "no compression": (
        "compressed-body",
        refused(lambda one: one.header("Content-Encoding") is not None, 415),
    ),
    "compressed metadata": ("plain-metadata", compresses),
    "an index of names": (
        "repository-index",
        edited("/v2/repository/index", lambda told: {"models": told}),
    ),
    "all are ready": ("ready-index", ignores_ready),
    "no queue": (
        "model-statistics",
        edited(
            f"{MODEL}/stats",
            each(
                "model_stats",
                lambda one: {**one, "inference_stats": without("queue")(one["inference_stats"])},
            ),
        ),
    ),
    "answers are not counted": ("counted-requests", edited(f"{MODEL}/stats", stands_still)),
    "no statistics of all": ("statistics-of-all", instead("/v2/models/stats", NO)),
    "ids are mixed": ("ids-of-requests-at-once", mixes_ids),
    "inputs are mixed": ("inputs-of-requests-at-once", mixes_inputs),
}
"""Faults by what is wrong, each with a check that finds it."""


class _Handler(BaseHTTPRequestHandler):
    """Passes requests on, by a fault."""

    protocol_version = "HTTP/1.1"
    # Head and body of an answer leave together.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: "_Proxy"

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def log_message(self, *_: Any) -> None:
        """Write nothing."""

    def _pass_on(self) -> None:
        is_chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = self._chunks() if is_chunked else self._body()
        headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP}
        asked = Asked(self.command, self.path, headers, body, is_chunked, self.server.state)
        answer = self.server.fault(asked, self.server.forward)
        if not answer.status:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            if key not in HOP:
                self.send_header(key, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.status != 204:
            self.wfile.write(answer.body)
        self.wfile.flush()
        self.close_connection = self.close_connection or "x-ends" in answer.headers

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


class _Proxy(ThreadingHTTPServer):
    """A server in front of another."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, fault: Fault) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port, self.fault = port, fault
        self.state: dict[str, Any] = {}

    def forward(self, asked: Asked) -> WebAnswer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(
                asked.method,
                asked.path,
                asked.body if asked.method == "POST" else None,
                {**asked.headers, "Host": f"127.0.0.1:{self.port}"},
            )
            answer = connection.getresponse()
            headers = {key.lower(): value for key, value in answer.getheaders()}
            return WebAnswer(answer.status, headers, answer.read())
        finally:
            connection.close()


def passed_on(asked: Asked, forward: Forward) -> WebAnswer:
    """No fault."""
    return forward(asked)


@contextmanager
def faulty(port: int, fault: Fault = passed_on) -> Iterator[str]:
    """The address of a service in front of which is a fault."""
    with _Proxy(port, fault) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}"
        finally:
            proxy.shutdown()
            thread.join()
