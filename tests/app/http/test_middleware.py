"""What every exchange has: an identifier, problems as problem+json, and a silent log."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient
from starlette.types import Message

from app.http import problems
from app.http.middleware import Conduct
from app.main import create_app
from app.problem_codes import ProblemCode
from tests.app.http.conftest import SETTINGS, Answer

PLANTED = "94827.5163"


def problem_of(answer: Answer, status: int) -> dict[str, Any]:
    """A problem of this status, in the form of RFC 9457 and of bounded size."""
    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]
    assert len(answer.content) < 16 * 1024
    content: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "limit"} == set(content) - {"errors"}
    assert (status, True) == (content["status"], content["code"] in set(ProblemCode))
    assert ("errors" in content) == (ProblemCode.INVALID_INPUT == content["code"])
    assert "X-Request-ID" in answer.headers
    return content


@pytest.fixture(scope="module")
def failing() -> Iterator[TestClient]:
    """A service with a route that fails."""
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Conduct)

    @app.get("/fails")
    async def fails() -> None:
        raise ZeroDivisionError(PLANTED)

    @app.get("/breaks")
    async def breaks() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"a"
            raise ZeroDivisionError(PLANTED)

        return StreamingResponse(parts())

    with TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 50_000)) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/health/live", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/static-offline-docs/nothing.js", 404),
        ("GET", "/redoc", 404),
        ("GET", "/predict", 405),
        ("DELETE", "/predict/mc", 405),
        ("POST", "/model", 405),
        ("TRACE", "/predict", 405),
        ("BREW", "/predict", 405),
        ("POST", "/predict", 400),
        ("POST", "/predict?x=1", 422),
    ],
)
def test_every_answer_has_an_identifier(
    client: TestClient, method: str, address: str, status: int
) -> None:
    """X-Request-ID is there whatever happens: fresh, or the client's where it is acceptable."""
    fresh = client.request(method, address)
    echoed = client.request(method, address, headers={"X-Request-ID": "a.B_9-" + "z" * 58})

    assert (status, status) == (fresh.status_code, echoed.status_code)
    assert 7 == UUID(fresh.headers["X-Request-ID"]).version
    assert "a.B_9-" + "z" * 58 == echoed.headers["X-Request-ID"]
    if status >= 400:
        problem_of(fresh, status)


@pytest.mark.parametrize(
    "given", ["", "z" * 65, "two words", "a/b", "<script>", "a\tb", "é", "a;b", "\u00b2"]
)
def test_an_odd_identifier_is_replaced(client: TestClient, given: str) -> None:
    """Only letters, digits and ._- come back, at most 64."""
    answer = client.get("/health/live", headers={b"X-Request-ID": given.encode("latin-1")})
    assert 7 == UUID(answer.headers["X-Request-ID"]).version


def test_an_unexpected_error_is_a_problem(
    failing: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """500 is a problem with an identifier, which the log knows; it says nothing of the fault."""
    answer = failing.get("/fails", headers={"X-Request-ID": "mine"})
    content = problem_of(answer, 500)

    assert "mine" == answer.headers["X-Request-ID"]
    assert PLANTED not in answer.text
    assert "Traceback" not in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert "Internal Server Error" == content["title"]
    assert " mine ZeroDivisionError at app/http/middleware.py:" in caplog.messages[-1]
    assert ["ERROR"] == [line.levelname for line in caplog.records if line.name == "dubito.access"]
    assert PLANTED not in caplog.text


def test_an_answer_that_breaks_off_is_in_the_log(
    failing: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The status has left already: the log has the fault, and a server closes the connection."""
    failing.get("/breaks", headers={"X-Request-ID": "mine"})
    assert " mine ZeroDivisionError at app/http/middleware.py:" in caplog.messages[-1]
    assert PLANTED not in caplog.text


@pytest.mark.parametrize(
    ("method", "address", "status"), [("GET", "/x" * 100, 404), ("PUT", "/predict", 405)]
)
def test_wrong_addresses_are_problems(
    client: TestClient, method: str, address: str, status: int
) -> None:
    """404 and 405 are problems; 405 says what is allowed."""
    answer = client.request(method, address)
    content = problem_of(answer, status)
    assert "/x" not in content["detail"]
    if status == 405:
        assert "POST" == answer.headers["Allow"]


@pytest.mark.parametrize("address", ["/predict/", "/predict/mc/", "/model/", "/health/live/"])
def test_an_address_with_a_slash_more_is_not_there(client: TestClient, address: str) -> None:
    """No redirection, which would say again what stood in the address."""
    answer = client.get(f"{address}?seed={PLANTED}", follow_redirects=False)
    problem_of(answer, 404)
    assert PLANTED not in str(answer.headers)


@pytest.mark.parametrize("address", ["/model", "/model/card", "/metrics", "/predict"])
def test_unknown_parameters_are_refused_everywhere(client: TestClient, address: str) -> None:
    """No route takes a query parameter that it does not know."""
    method = "POST" if address == "/predict" else "GET"
    content = problem_of(client.request(method, f"{address}?seed=1"), 422)
    assert "seed" == content["errors"][0]["field"]


@pytest.mark.parametrize("query", ["_=1", "seed=1&seed=2", "&" * 60_000, "x", "%00"])
@pytest.mark.parametrize("address", ["/health/live", "/health/ready"])
def test_health_ignores_parameters(client: TestClient, address: str, query: str) -> None:
    """A probe may add what keeps a cache from answering in the service's place."""
    answer = client.get(f"{address}?{query}")
    assert (200, client.get(address).json()) == (answer.status_code, answer.json())


@pytest.mark.parametrize(
    "address",
    [
        "/health%2flive",
        "/health%2Flive",
        "/%2Fhealth/live",
        "/health/live%2F",
        "/health%2flive%2f..",
        "/model%2Fcard",
        "/assets%2Fpage.js",
        "/assets/x%2F..%2Fpage.js",
        "/static-offline-docs%2Fswagger-ui.css",
        "/%2f",
    ],
)
def test_an_encoded_slash_parts_no_names(client: TestClient, address: str) -> None:
    """It belongs to a name, and there are no such names here (RFC 3986 §2.2)."""
    assert address.encode() == client.build_request("GET", address).url.raw_path
    problem_of(client.get(address), 404)


def test_other_letters_may_be_encoded(client: TestClient, loan: dict[str, Any]) -> None:
    """An encoded letter is the letter, in whichever name it stands."""
    assert 200 == client.get("/%68ealth/li%76e").status_code
    assert 200 == client.post("/predict/%6Dc?passes=2", json=loan).status_code
    assert 404 == client.get("/health/live%252F").status_code
    assert 404 == client.post("/predict%2Fmc?passes=2", json=loan).status_code


def test_figures_are_in_no_log(
    client: TestClient, loan: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG level nothing of a body, a query string or an unknown address is logged."""
    # The client's own libraries log what it asks for.
    quiet = ("httpx2", "httpcore2", "httpx", "httpcore")
    with caplog.at_level(logging.DEBUG):
        for body in (
            loan | {"loan_amount": float(PLANTED)},
            loan | {"loan_amount": PLANTED},
            loan | {"loan_amount": -float(PLANTED)},
            loan | {PLANTED: 1},
            {"instances": [loan | {"annual_income": float(PLANTED), "delinq_2y": 0.5}]},
        ):
            client.post("/predict", json=body)
            client.post("/predict/mc?seed=9482751637", json=body)
            client.post(f"/predict/mc?seed={PLANTED}", json=body)
            client.post(f"/predict/mc?{PLANTED}=1", json=body)
        client.get(f"/{PLANTED}")
        client.request(f"A{PLANTED}", "/predict", headers={"X-Request-ID": f"[{PLANTED}]"})
    lines = [line for line in caplog.records if not line.name.startswith(quiet)]

    assert len(lines) >= 20
    for line in lines:
        for secret in (PLANTED, "94827", "9482751637"):
            assert secret not in line.getMessage() + (line.exc_text or "")


def test_the_log_has_a_line_a_request(
    client: TestClient, loan: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Method, the route's template, status, time, client, identifier, and why it was refused."""
    with caplog.at_level(logging.DEBUG, "dubito.access"):
        client.post("/predict/mc?seed=1", json=loan, headers={"X-Request-ID": "mine"})
        client.get("/nowhere", headers={"X-Request-ID": "other"})
    lines = [line.getMessage() for line in caplog.records if line.name == "dubito.access"]

    assert lines[0].startswith("POST /predict/mc 200 ")
    assert lines[0].endswith(" ms 127.0.0.1:50000 mine")
    assert lines[1].startswith("GET - 404 ")
    assert lines[1].endswith(" ms 127.0.0.1:50000 other HTTPException: Not Found")


@pytest.fixture(scope="module")
def app() -> Iterator[FastAPI]:
    app = create_app(SETTINGS)
    with TestClient(app, client=("127.0.0.1", 50_000)):
        yield app


async def _exchange(app: FastAPI, arriving: list[Message]) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return arriving.pop(0) if arriving else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json")],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    return sent


def test_a_client_that_leaves_is_no_fault_of_the_service(app: FastAPI) -> None:
    """A connection that closes within the body raises nothing: there is no error to log."""
    begun: Message = {"type": "http.request", "body": b'{"loan_amount":', "more_body": True}
    sent = asyncio.run(_exchange(app, [begun]))
    assert [] == [message for message in sent if message.get("status", 0) >= 500]


def test_what_went_well_is_not_logged_unless_asked(
    client: TestClient, loan: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """At INFO, the usual level, a graded row leaves no line and a refused one does."""
    with caplog.at_level(logging.INFO, "dubito.access"):
        client.post("/predict", json=loan)
        client.post("/predict", json={})
    lines = [line.getMessage() for line in caplog.records if line.name == "dubito.access"]
    assert 1 == len(lines)
    assert lines[0].startswith("POST /predict 422")
