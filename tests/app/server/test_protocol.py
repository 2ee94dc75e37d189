"""A client that ends its side of a connection: if it listens it is answered, if it has gone not."""

import json
import re
import socket
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.app.server.forms import BODY, ROW
from tests.service import Service, serving

GONE = 8
BUSY_ROWS, BUSY_PASSES = 500, 10_000
"""Of a request that keeps the engine busy for a second or more."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service of the study's network."""
    limits = ("--max-work", "10000000", "--max-queue", "40000000")
    # NumPy's backend can be kept busy for long enough.
    numpy = ("--backend", "numpy")
    with serving("loan-grade/1", "--records", "off", *numpy, *limits) as found:
        yield found


def asked(body: bytes, query: str = "passes=100&seed=7") -> bytes:
    """A request as it goes over the wire."""
    head = f"POST /predict/mc?{query} HTTP/1.1\r\nHost: localhost\r\n"
    return f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def answered(service: Service) -> float:
    """Requests for grades that were answered, whether somebody took the answer or not."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    line = re.compile(r"dubito_requests_total{([^}]*)} (\S+)")
    good = (float(count) for labels, count in line.findall(text) if is_good(labels))
    return sum(good)


def is_good(labels: str) -> bool:
    """Whether labels are those of grades that were given."""
    return '"/predict/mc"' in labels and '"200"' in labels


def read(client: socket.socket) -> bytes:
    """All that comes."""
    data = b""
    while part := client.recv(1 << 16):
        data += part
    return data


def busy(service: Service) -> socket.socket:
    """A client whose request keeps the engine busy."""
    body = json.dumps({"instances": [ROW] * BUSY_ROWS}).encode()
    client = socket.create_connection(("127.0.0.1", service.port), timeout=60)
    client.sendall(asked(body, f"passes={BUSY_PASSES}"))
    time.sleep(0.2)
    return client


def test_who_has_gone_is_not_computed_for(service: Service) -> None:
    """Clients that close their connections while they wait are dropped from the queue."""
    before = answered(service)
    with busy(service) as first:
        for _ in range(GONE):
            with socket.create_connection(("127.0.0.1", service.port)) as client:
                # So many passes wait behind the others, where fewer would go beside them.
                client.sendall(asked(BODY, f"passes={BUSY_PASSES}"))
                time.sleep(0.02)
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as last:
            last.sendall(asked(BODY))
            assert read(last).startswith(b"HTTP/1.1 200")
        assert read(first).startswith(b"HTTP/1.1 200")
    assert 2 == answered(service) - before


def test_who_ends_its_side_is_answered(service: Service) -> None:
    """A client that ends its side while it waits gets its answer, after an interim one at most."""
    with busy(service), socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(asked(BODY))
        client.shutdown(socket.SHUT_WR)
        *interim, last = read(client).split(b"HTTP/1.1 ")[1:]
    assert {b"100"} >= {one[:3] for one in interim}
    assert last.startswith(b"200")


def test_who_stops_in_the_midst_of_a_body_is_let_go(service: Service) -> None:
    """A body that cannot be completed any more ends its connection at once."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as client:
        client.sendall(asked(BODY)[:-5])
        client.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        read(client)
    assert time.monotonic() - began < 5
