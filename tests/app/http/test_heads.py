"""HEAD, wherever GET is: the same head and nothing behind it, on a connection that goes on."""

from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from app.http.route import LONGEST_REMEMBERED, REMEMBERED, LeanRoute
from app.http.statistics import MOST_LISTENERS
from tests.service import Service, serving

OWN = {"x-request-id", "date"}
"""Headers that are others in every answer."""
CHANGING = ["/metrics", "/uncertainty", "/uncertainty/stream"]
"""Addresses that may answer otherwise a moment later."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as service:
        yield service


@pytest.fixture(scope="module")
def asked(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def identifier(asked: httpx.Client) -> str:
    """That of a recorded prediction."""
    document = asked.get("/openapi.json").json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    answer = asked.post("/predict", json=body["examples"]["one"]["value"])
    return str(answer.json()["id"])


def readable(asked: httpx.Client) -> list[str]:
    """Every address that GET is documented for, and those of the page."""
    paths = asked.get("/openapi.json").json()["paths"]
    documented = [path for path, methods in paths.items() if "get" in methods]
    return [*documented, "/", "/assets/plotly.min.js", "/assets/page.js", "/docs", "/openapi.json"]


def head(service: Service, path: str) -> tuple[int, dict[str, str], bytes]:
    """The answer to HEAD and, on the same connection, that a question behind it is answered."""
    connection = HTTPConnection("127.0.0.1", service.port, timeout=20)
    try:
        connection.request("HEAD", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.request("GET", "/health/live")
        assert 200 == connection.getresponse().status
    finally:
        connection.close()
    return answer.status, {name.lower(): text for name, text in answer.getheaders()}, body


def test_heads_are_those_of_get(service: Service, asked: httpx.Client, identifier: str) -> None:
    """Status and headers are the same, the length included, and no body comes."""
    paths = [path.replace("{id}", identifier) for path in readable(asked)]
    assert len(paths) >= 14
    for path in [*paths, f"/predictions/{identifier}x", "/model?x=1", "/nowhere"]:
        status, headers, body = head(service, path)
        with asked.stream("GET", path, headers={"Accept-Encoding": "identity"}) as whole:
            expected = dict(whole.headers)
        ours = OWN | ({"content-length", "etag"} if path in CHANGING else set())
        # A head without a length has no coding of the body that does not come.
        ours |= {"transfer-encoding"} if path == "/uncertainty/stream" else set()
        assert (whole.status_code, b"") == (status, body), path
        assert {k: v for k, v in expected.items() if k not in ours} == {
            k: v for k, v in headers.items() if k not in ours
        }, path


def test_the_head_of_the_stream_is_no_listener(service: Service, asked: httpx.Client) -> None:
    """It ends at once, and takes nobody's place."""
    for _ in range(MOST_LISTENERS + 1):
        assert 200 == head(service, "/uncertainty/stream")[0]
    with asked.stream("GET", "/uncertainty/stream") as listening:
        assert 200 == listening.status_code
        assert next(listening.iter_lines()).startswith("id: ")


def test_nothing_keeps_events_back(service: Service) -> None:
    """The stream tells proxies not to gather it."""
    headers = head(service, "/uncertainty/stream")[1]
    assert ("no", "no-store") == (headers["x-accel-buffering"], headers["cache-control"])


def test_what_is_allowed_is_told(client: TestClient) -> None:
    """405 names every method that would be answered."""
    assert "GET, HEAD" == client.put("/model").headers["allow"]
    assert "POST" == client.head("/predict").headers["allow"]


def test_few_and_short_queries_are_remembered(client: TestClient, loan: Any) -> None:
    """What is kept for the next request is bounded in bytes, whatever is asked for."""
    (route,) = (
        route
        for route in client.app.routes  # type: ignore[attr-defined]
        if isinstance(route, LeanRoute) and route.path == "/predict/mc"
    )
    remembered = route._remembered  # noqa: SLF001 - nothing else tells
    before = remembered.cache_info().currsize
    assert 422 == client.post(f"/predict/mc?{'&' * LONGEST_REMEMBERED}", json=loan).status_code
    for seed in range(3):
        spelt = "&".join(f"{_spelt(k)}={_spelt(v)}" for k, v in _options(seed).items())
        assert len(spelt) > LONGEST_REMEMBERED
        assert 200 == client.post(f"/predict/mc?{spelt}", json=loan).status_code
    assert before == remembered.cache_info().currsize
    assert 200 == client.post("/predict/mc?seed=5&passes=3", json=loan).status_code
    assert before + 1 == remembered.cache_info().currsize
    assert REMEMBERED == remembered.cache_info().maxsize


def _options(seed: int) -> dict[str, str]:
    fine = "0.010000000000000000000000000000"
    own = {"seed": str(seed), "passes": "2", "max_passes": "10000"}
    return own | {"tolerance": fine, "deadline_ms": "30000", "degrade": "false"}


def _spelt(text: str) -> str:
    """A text with every letter percent-encoded."""
    return "".join(f"%{ord(letter):02x}" for letter in text)
