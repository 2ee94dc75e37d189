"""Bodies that nobody wrote: mutated by bytes and tokens, and generated from the OpenAPI page."""

import json
import random
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dubito.bundles.validation.inspection import inspect
from tests.app.http.open_inference import description
from tests.app.http.test_predict import numbers
from tests.dubito.inputs.bodies import KOREAN, by_bytes, by_tokens
from tests.mixed import FLAT, HEATING, mixed_bundle
from tests.service import ROOT, Service, environment, serving
from tests.tensors import images, tensor_bundle

MOST_PROBLEM = 16 * 1024


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as service:
        yield service


@pytest.fixture(scope="module")
def words() -> Iterator[Service]:
    """A service of a bundle with truths and categories."""
    with serving("flat-price", "--models", str(mixed_bundle().parent.parent)) as service:
        yield service


@pytest.fixture(scope="module")
def tensors() -> Iterator[Service]:
    """A service of a bundle of images."""
    with serving(str(tensor_bundle())) as service:
        yield service


def seeds(loan: dict[str, Any]) -> list[bytes]:
    """Good bodies to begin with."""
    korean = {KOREAN[name]: value for name, value in loan.items()}
    missing = loan | {"debt_to_income": None}
    bodies: list[Any] = [loan, korean, missing, {"instances": [loan, korean, missing]}]
    return [
        *(json.dumps(body, ensure_ascii=False).encode() for body in bodies),
        json.dumps(bodies[-1], indent=1).encode(),
    ]


def mutated(bodies: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(count):
        body, change = chance.choice(bodies), chance.choice((by_bytes, by_tokens, by_tokens))
        yield change(body, chance)


def checked(answer: httpx.Response, body: bytes) -> int:
    """The status of an answer that is as it must be."""
    assert answer.status_code in {200, 400, 422}, body
    assert "x-request-id" in answer.headers
    if answer.status_code != 200:
        assert "application/problem+json" == answer.headers["content-type"]
        assert len(answer.content) < MOST_PROBLEM
        assert answer.status_code == answer.json()["status"]
    return answer.status_code


@pytest.mark.claim("mutations", test=60, proof=10_000)
@pytest.mark.parametrize("route", ["/predict", "/predict/mc"])
def test_mutated_bodies_are_survived(
    service: Service,
    loan: dict[str, Any],
    record_property: Any,
    route: str,
    count: int,
) -> None:
    """Bodies mutated by bytes and tokens get 200, 400 or 422, on connections that stay open.

    Every error is a problem under 16 KiB, and the service is still right afterwards.
    """
    address = f"{route}?seed=5&passes=10" if route == "/predict/mc" else route
    headers = {"Content-Type": "application/json"}
    longest, statuses = 0.0, {200: 0, 400: 0, 422: 0}
    # One connection and no second try: a dropped connection would raise.
    with httpx.Client(
        base_url=service.url, timeout=20, limits=httpx.Limits(max_connections=1)
    ) as client:
        right = client.post(address, json=loan).json()
        for body in mutated(seeds(loan), count, seed=len(route)):
            answer = client.post(address, content=body, headers=headers)
            statuses[checked(answer, body)] += 1
            longest = max(longest, answer.elapsed.total_seconds())
        assert numbers(right) == numbers(client.post(address, json=loan).json())
    assert service.process.poll() is None
    assert "Traceback" not in service.written()
    assert statuses[400] > count / 20
    assert statuses[422] > count / 20
    shown = ", ".join(f"{status}: {number:,}" for status, number in statuses.items())
    record_property("figure", f"{shown}; no 5xx, no dropped connection; {longest * 1e3:.0f} ms")


def without_fields(problem: Any) -> str:
    """A problem's text but for the names of fields."""
    named = [error["field"] for error in problem.get("errors", [])]
    text = json.dumps([problem["detail"], [one["detail"] for one in problem.get("errors", [])]])
    for name in named:
        text = text.replace(json.dumps(name)[1:-1], "")
    return text


@pytest.mark.claim("mutations", test=60, proof=10_000)
def test_mutated_tensors_are_survived(tensors: Service, record_property: Any, count: int) -> None:
    """Images, mutated: 200, 400 or 422."""
    rows = [{"image": image.tolist()} for image in images(0, 3)[0]]
    bodies = [json.dumps(row).encode() for row in rows]
    bodies.append(json.dumps({"instances": rows}).encode())
    headers, statuses = {"Content-Type": "application/json"}, {200: 0, 400: 0, 422: 0}
    with httpx.Client(base_url=tensors.url, timeout=20) as client:
        address = "/predict/mc?seed=5&passes=10"
        right = client.post(address, json=rows[0]).json()
        for body in mutated(bodies, count, seed=4):
            answer = client.post(address, content=body, headers=headers)
            statuses[checked(answer, body)] += 1
        assert right["mean"] == client.post(address, json=rows[0]).json()["mean"]
    assert "Traceback" not in tensors.written()
    assert min(statuses.values()) > count / 40
    shown = ", ".join(f"{status}: {number:,}" for status, number in statuses.items())
    record_property("figure", f"{shown}; no 5xx")


@pytest.mark.claim("mutations", test=60, proof=10_000)
def test_mutated_words_are_survived(words: Service, record_property: Any, count: int) -> None:
    """Rows of words, mutated: 200, 400 or 422, which repeats no text of a feature."""
    rows = [FLAT | {"heating": heating} for heating in (*HEATING, "전기", "wood: beech", None)]
    bodies = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    bodies.append(json.dumps({"instances": rows}).encode())
    headers, statuses = {"Content-Type": "application/json"}, {200: 0, 400: 0, 422: 0}
    with httpx.Client(base_url=words.url, timeout=20) as client:
        right = client.post("/predict/mc?seed=5", json=FLAT).json()
        for body in mutated(bodies, count, seed=3):
            answer = client.post("/predict/mc?seed=5", content=body, headers=headers)
            statuses[checked(answer, body)] += 1
            # As a mutated member's name it may be told.
            assert answer.status_code == 200 or "beech" not in without_fields(answer.json())
        assert right["mean"] == client.post("/predict/mc?seed=5", json=FLAT).json()["mean"]
    assert "Traceback" not in words.written()
    assert "beech" not in words.written()
    assert min(statuses.values()) > count / 40
    shown = ", ".join(f"{status}: {number:,}" for status, number in statuses.items())
    record_property("figure", f"{shown}; no 5xx")


def test_mutated_requests_are_survived(service: Service, loan: dict[str, Any]) -> None:
    """Heads mutated by bytes get an answer or a closed connection; the service goes on."""
    chance = random.Random(1)
    body = json.dumps(loan).encode()
    head = (
        b"POST /predict/mc?passes=10&seed=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
        b"application/json\r\nX-Request-ID: abc\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
            connection.sendall(by_bytes(head, chance) + body)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
            assert not answer or b"HTTP/1.1 5" != answer[:10], answer
    assert 200 == httpx.post(f"{service.url}/predict", json=loan).status_code


EXCLUDED: dict[str, str] = {}
"""Checks of Schemathesis that are left out, each with its reason."""

CONFIGURATION = """
[parameters]
# A deadline of a millisecond is rightly answered by 503 and 504, which no check would pass.
deadline_ms = 30000

# No schema can say that two times are in their order, and that a window is given or they are.
[[operations]]
include-name = "GET /uncertainty"
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", "403", "422", "5xx"]
"""

LENIENT = "negative_data_rejection,unsupported_method,missing_required_header"
"""Checks that the protocol does not pass: a query and unknown members are not read, as clients of
some servers send more than others know."""

LIMITS = {
    # No schema can say what rows × passes (× classes, of draws) may come to: with these, the
    # largest product stays below DUBITO_MAX_WORK and below the limit of draws.
    "DUBITO_MAX_PASSES": "100",
    "DUBITO_MAX_ROWS": "100",
}


@pytest.mark.claim("schemathesis", test=5, proof=2000)
def test_the_service_is_as_documented(record_property: Any, count: int, tmp_path: Path) -> None:
    """Schemathesis, all its checks: what the OpenAPI page says is what the service does."""
    record_property("figure", f"{documented(count, tmp_path):,} cases, no failure")


@pytest.mark.claim("schemathesis", test=0, proof=2000)
def test_a_service_of_words_is_as_documented(
    record_property: Any, count: int, tmp_path: Path
) -> None:
    """The same of a bundle with truths and categories among its features."""
    models = str(mixed_bundle().parent.parent)
    cases = documented(count, tmp_path, "flat-price", "--models", models)
    record_property("figure", f"{cases:,} cases, no failure")


@pytest.mark.claim("schemathesis", test=5, proof=2000)
def test_the_open_inference_protocol_is_as_described(
    record_property: Any, count: int, tmp_path: Path
) -> None:
    """Schemathesis on a description of the protocol, of the shipped bundle."""
    manifest = inspect(ROOT / "models" / "loan-grade" / "5").manifest
    document = tmp_path / "protocol.json"
    document.write_text(json.dumps(description(manifest)))
    cases = documented(count, tmp_path, "--records", "off", document=document)
    record_property("figure", f"{cases:,} cases, no failure")


def documented(count: int, tmp_path: Path, *words: str, document: Path | None = None) -> int:
    """Run Schemathesis on a service that is started with some words; returns its cases.

    The document is the service's own, or the one that is given.
    """
    program = Path(sys.executable).parent / "schemathesis"
    with serving(*words, changes=LIMITS) as service:
        (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
        own = [
            f"{service.url}/openapi.json",
            # It never ends; its own tests listen to it.
            "--exclude-path=/uncertainty/stream",
        ]
        foreign = [str(document), f"--url={service.url}", f"--exclude-checks={LENIENT}"]
        arguments = [
            str(program),
            "run",
            *(own if document is None else foreign),
            "--checks=all",
            *(["--exclude-checks", ",".join(EXCLUDED)] if EXCLUDED else []),
            "--phases=examples,coverage,fuzzing",
            f"--max-examples={max(1, count // 2)}",
            "--seed=1",
            "--no-color",
            "--request-timeout=20",
            f"--report-junit-path={tmp_path / 'junit.xml'}",
        ]
        done = subprocess.run(
            arguments,
            cwd=tmp_path,
            env=environment({"PYTHONWARNINGS": "default"}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in service.written()
        assert 0 == service.stop()
    assert 0 == done.returncode, done.stdout[-6000:] + done.stderr[-2000:]
    generated = re.search(r"(\d[\d,]*) generated", done.stdout)
    assert generated, done.stdout[-3000:]
    cases = int(generated[1].replace(",", ""))
    assert cases >= count
    return cases
