"""The short way to the grading routes: the same bytes as FastAPI's own way, whatever is sent."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.service import ROOT

ID = re.compile(rb'"id":"[0-9a-f-]{36}"')
LOAN = example(inspect(ROOT / "models" / "loan-grade" / "5").manifest.signature)
QUERIES = (
    "seed=3",
    "seed=3&passes=20",
    "seed=3&passes=auto",
    "seed=3&coverage=0.8&method=aps",
    "seed=3&draws=true&passes=5",
    "passes=0",
    "passes=1&passes=2",
    "colour=red",
    "deadline_ms=0",
    "seed=",
)
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json; charset=utf-8"},
    {"Content-Encoding": "gzip"},
    {"X-Request-ID": "mine"},
    {"Idempotency-Key": "tab\tin"},
    {"Dubito-Reference": "a" * 300},
    {"Origin": "https://elsewhere.example"},
    {"Accept-Encoding": "gzip"},
)


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[TestClient]]:
    """One service with the short way, and one where every request takes the long one."""
    with ExitStack() as stack:
        clients = []
        for is_short in (True, False):
            settings = Settings(
                models=ROOT / "models",
                records="off",
                max_body_bytes=4_000,
                max_rows=20,
                state=tmp_path_factory.mktemp("state"),
            )
            app = create_app(settings)
            client = TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 5))
            clients.append(stack.enter_context(client))
            if not is_short:
                app.short = {}
        yield clients


def mutated(random: np.random.Generator) -> bytes:
    """A body: good, with a wrong value, a member too few or many, broken off, or not JSON."""
    body: Any = {**LOAN, "loan_amount": int(random.integers(500, 40_000))}
    kind = int(random.integers(0, 10))
    name = list(body)[int(random.integers(0, len(body)))]
    if kind == 1:
        body[name] = [None, "text", -1, 1e300, True, [], {}][int(random.integers(0, 7))]
    elif kind == 2:
        del body[name]
    elif kind == 3:
        body["colour"] = 1
    elif kind in (4, 5):
        body = {"instances": [body] * int(random.integers(0, 30))}
    text = json.dumps(body).encode()
    if kind == 6:
        return text[: int(random.integers(0, len(text)))]
    if kind == 7:
        at = int(random.integers(0, len(text)))
        return text[:at] + bytes([int(random.integers(0, 256))]) + text[at + 1 :]
    return b"\xef\xbb\xbf" + text if kind == 8 else text


def told(client: TestClient, path: str, body: bytes, headers: dict[str, str]) -> Any:
    """Status, headers and body, without what is new in each response."""
    sent = {"Content-Type": "application/json", **headers}
    found = client.post(path, content=body, headers=sent)
    kept = {name: value for name, value in found.headers.items() if name != "x-request-id"}
    return found.status_code, kept, len(found.headers), ID.sub(b"", found.content)


@pytest.mark.claim("two ways, one answer", test=300, proof=10_000)
def test_both_ways_give_the_same_bytes(ways: list[TestClient], count: int) -> None:
    """Good and mutated bodies, on both routes, with odd queries and headers."""
    random = np.random.default_rng(11)
    statuses = set()
    for _ in range(count):
        body = mutated(random)
        query = (
            QUERIES[int(random.integers(0, len(QUERIES)))] if random.random() < 0.3 else "seed=3"
        )
        headers = HEADERS[int(random.integers(0, len(HEADERS)))] if random.random() < 0.2 else {}
        is_plain = random.random() < 0.3
        path = "/predict" if is_plain else f"/predict/mc?{query}"
        short, long = (told(client, path, body, headers) for client in ways)
        assert short == long
        statuses.add(short[0])
    assert {200, 400, 403, 415, 422} <= statuses


@given(st.sampled_from(["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]))
def test_other_methods_take_the_long_way(ways: list[TestClient], method: str) -> None:
    """405 with what is allowed, by both."""
    short, long = (client.request(method, "/predict/mc") for client in ways)
    assert (short.status_code, short.headers["allow"]) == (405, long.headers["allow"])
