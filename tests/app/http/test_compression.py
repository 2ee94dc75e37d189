"""Compression: of what is read, for who takes it, as HTTP has it; not of grades, nor of events."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Scope

from app.http.compression import LEAST_BYTES, Compression, takes_gzip

Loan = dict[str, float | None]

READ = ["/openapi.json", "/model", "/static-offline-docs/swagger-ui.css"]
"""Larger than what goes as it is."""


@pytest.mark.parametrize("path", READ)
def test_who_takes_gzip_gets_it(client: TestClient, path: str) -> None:
    """The same content in fewer bytes, twice; and caches are told of what it depends."""
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    for _ in range(2):
        packed = client.get(path, headers={"Accept-Encoding": "br, gzip"})
        assert "gzip" == packed.headers["content-encoding"]
        assert plain.content == packed.content
        assert packed.num_bytes_downloaded < len(plain.content) / 2
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["gzip;q=0", "gzip; q=0.000, *;q=0", "identity", ""])
def test_who_does_not_take_it_does_not_get_it(client: TestClient, accepted: str) -> None:
    """A quality of nothing is a refusal."""
    answer = client.get("/openapi.json", headers={"Accept-Encoding": accepted})
    assert "content-encoding" not in answer.headers


def test_a_grade_goes_as_it_is(client: TestClient, loan: Loan) -> None:
    """However long it is."""
    answer = client.post("/predict/mc?draws=true", json=loan, headers={"Accept-Encoding": "gzip"})
    assert len(answer.content) > LEAST_BYTES
    assert "content-encoding" not in answer.headers
    assert str(len(answer.content)) == answer.headers["content-length"]


def test_a_part_of_the_page_is_packed_once(client: TestClient) -> None:
    """It brings its own compression, and a tag of its own."""
    answer = client.get("/assets/page.js", headers={"Accept-Encoding": "gzip"})
    assert "gzip" == answer.headers["content-encoding"]
    assert answer.headers["etag"].endswith('-gzip"')
    assert "import" in answer.text


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
@pytest.mark.parametrize("path", [*READ, "/docs", "/health/live", "/assets/page.js", "/nowhere"])
def test_a_head_is_that_of_get(client: TestClient, path: str, accepted: str) -> None:
    """But for what only compressing tells: the coding and the length."""
    headers = {"Accept-Encoding": accepted}
    head, whole = client.head(path, headers=headers), client.get(path, headers=headers)
    own = {"x-request-id"}
    if accepted == "gzip" and path in READ:
        own |= {"content-encoding", "content-length"}
        assert "content-length" not in head.headers
    assert b"" == head.content
    assert {name: text for name, text in whole.headers.items() if name not in own} == {
        name: text for name, text in head.headers.items() if name not in own
    }


def test_events_are_not_kept_back() -> None:
    """Each leaves when it is there, as it is, also to who takes gzip."""

    async def events(_: Request) -> Response:
        async def told() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"data: %d" % number + b"x" * LEAST_BYTES + b"\n\n"

        return StreamingResponse(told(), media_type="text/event-stream; charset=utf-8")

    messages = _sent("/", Route("/", events))
    bodies = [one["body"] for one in messages if one.get("body")]
    assert [b"data: 0", b"data: 1", b"data: 2"] == [body[:7] for body in bodies]


def test_a_long_answer_is_compressed_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a part that takes longer than others should wait, a thread takes care."""
    asked = []

    async def noted(function: object, *arguments: object, **_: object) -> bytes:
        asked.append(function)
        return bytes(function(*arguments))  # type: ignore[operator]

    async def long(_: Request) -> Response:
        return PlainTextResponse("x" * (1 << 16))

    monkeypatch.setattr("anyio.to_thread.run_sync", noted)
    _sent("/", Route("/", long))
    assert 1 == len(asked)


def test_qualities_are_read() -> None:
    """gzip by its name or with all others, unless its quality is nothing."""
    taken = [
        "gzip",
        "GZIP",
        "br, gzip;q=0.5",
        "*",
        "deflate, * ;q=0.1",
        "gzip;q=1.000",
        "*;q=0, gzip",
    ]
    refused = ["", "br", "gzip;q=0", "gzip; q=0.0", "*;q=0", "gzip;q=0, *", "x-gzip"]
    assert all(map(takes_gzip, taken))
    assert not any(map(takes_gzip, refused))


def _sent(path: str, route: Route) -> list[Message]:
    """What leaves an application of one route, for a client that takes gzip."""
    app = Compression(Starlette(routes=[route]))
    messages: list[Message] = []
    scope: Scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"accept-encoding", b"gzip")],
    }

    async def send(message: Message) -> None:
        messages.append(dict(message))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def answer() -> None:
        await app(scope, receive, send)

    asyncio.run(answer())
    return messages
