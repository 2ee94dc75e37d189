"""The cycle: what an application sends goes over the wire as HTTP/1.1, a whole answer at once."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn import Config
from uvicorn.server import ServerState

from app.server.connections import ConnectionLimits, Connections
from app.server.protocol import Connection
from app.settings import Settings

Headers = list[tuple[bytes, bytes]]
METHODS = ("GET", "POST", "HEAD")
STATUSES = (200, 204, 304, 404, 503)
PARTS = st.lists(st.binary(max_size=40), min_size=1, max_size=5)
OTHERS: list[Headers] = [[], [(b"X-Other", b"1, 2")], [(b"connection", b"close")]]


@dataclass
class Transport:
    """Keeps what is written."""

    written: list[bytes] = field(default_factory=list)
    is_closed: bool = False

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name in {"sockname", "peername"} else None

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def _served(method: str, messages: Sequence[dict[str, Any]]) -> Transport:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    config = Config(app, log_config=None, lifespan="off")
    config.load()
    connections = Connections(ConnectionLimits.of(Settings()))
    connection = Connection(config, ServerState(), {}, connections=connections)
    transport = Transport()
    connection.connection_made(transport)
    connection.data_received(f"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return transport


def served(method: str, messages: Sequence[dict[str, Any]]) -> Transport:
    """What becomes of a request whose application sends some messages."""
    return asyncio.run(_served(method, messages))


def answer(status: int, headers: Headers, parts: Sequence[bytes]) -> list[dict[str, Any]]:
    """The messages of an answer in parts."""
    start = {"type": "http.response.start", "status": status, "headers": headers}
    bodies = [
        {"type": "http.response.body", "body": part, "more_body": at < len(parts) - 1}
        for at, part in enumerate(parts)
    ]
    return [start, *bodies]


def parsed(method: str, data: bytes) -> tuple[h11.Response, bytes]:
    """The answer's head and body, as h11 reads them, and nothing else."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "localhost")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    head, body = client.next_event(), b""
    assert isinstance(head, h11.Response)
    while isinstance(event := client.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert (b"", False) == client.trailing_data
    return head, body


@given(
    method=st.sampled_from(METHODS),
    status=st.sampled_from(STATUSES),
    more=st.sampled_from(OTHERS),
    parts=PARTS,
    is_measured=st.booleans(),
)
def test_answers_are_http(
    method: str, status: int, more: Headers, parts: list[bytes], is_measured: bool
) -> None:
    """Whatever an application answers, another implementation of HTTP reads the same answer."""
    is_bodiless = status in {204, 304} or method == "HEAD"
    sent = [b""] if status in {204, 304} else parts
    length = [(b"content-length", b"%d" % sum(map(len, sent)))] if is_measured else []
    transport = served(method, answer(status, [*more, *length], sent))
    head, body = parsed(method, b"".join(transport.written))
    assert status == head.status_code
    assert (b"" if is_bodiless else b"".join(sent)) == body
    assert {(name.lower(), value) for name, value in more} <= set(head.headers)
    assert transport.is_closed == ((b"connection", b"close") in more)


@pytest.mark.parametrize("method", METHODS)
def test_a_whole_answer_is_one_piece(method: str) -> None:
    """The head of an answer leaves with its body."""
    transport = served(method, answer(200, [(b"content-length", b"2")], [b"{}"]))
    assert 1 == len(transport.written)


def test_the_head_of_a_stream_leaves_at_once() -> None:
    """Who listens to a stream knows that it has begun before there is anything to say."""
    transport = served("GET", answer(200, [], [b""])[:1])
    assert transport.written[0].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "messages",
    [
        answer(200, [(b"content-length", b"1")], [b"22"]),
        answer(200, [(b"content-length", b"3")], [b"22"]),
        answer(200, [(b"x\r\ny", b"1")], [b""]),
        answer(200, [(b"x", b"1\r\ny: 2")], [b""]),
        answer(200, [(b"transfer-encoding", b"chunked")], [b""]),
        [*answer(200, [], [b"1"]), *answer(200, [], [b"2"])],
        answer(200, [], [b"1"])[1:],
    ],
)
def test_an_application_that_breaks_the_rules_is_told(
    messages: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """What is no answer is an error of the application, and nothing of it is read as a second."""
    with caplog.at_level(logging.ERROR):
        transport = served("GET", messages)
    assert "RuntimeError" in caplog.text
    assert 1 >= b"".join(transport.written).count(b"HTTP/1.1 ")
