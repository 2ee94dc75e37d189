"""The end of a service: not ready any more, and every request that was sent is answered."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.service import ROOT, Service, serving

CLIENTS = 16
ROWS = 40
JSON = {"Content-Type": "application/json"}
FORM = "Content-Type: application/json\r\n"


def bodies() -> tuple[bytes, bytes]:
    """One row, and many."""
    row = example(inspect(ROOT / "models" / "loan-grade" / "1").manifest.signature)
    return json.dumps(row).encode(), json.dumps({"instances": [row] * ROWS}).encode()


def test_a_service_that_stops_is_not_ready_but_answers() -> None:
    """After SIGTERM: 503 from readiness, grades and liveness still answered, connections closed."""
    one, _ = bodies()
    with serving("loan-grade/1", "--drain-seconds", "5") as service:
        kept = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        kept.request("GET", "/health/ready")
        assert b"ready" in kept.getresponse().read()
        os.kill(service.process.pid, signal.SIGTERM)
        time.sleep(1)
        found = {}
        for path, body in (("/health/ready", None), ("/health/live", None), ("/predict", one)):
            other = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
            other.request("GET" if body is None else "POST", path, body, JSON)
            answer = other.getresponse()
            answer.read()
            found[path] = (answer.status, answer.headers["Connection"])
            other.close()
        kept.request("GET", "/health/live")
        last = kept.getresponse()
        assert (200, "close") == (last.status, last.headers["Connection"])
        assert 0 == service.stop()
    assert {
        "/health/ready": (503, "close"),
        "/health/live": (200, "close"),
        "/predict": (200, "close"),
    } == found


def test_who_does_not_read_delays_no_end() -> None:
    """A client that asked for much and reads nothing is let go soon after SIGTERM."""
    row = json.loads(bodies()[0])
    body = json.dumps({"instances": [row] * 10_000}).encode()
    head = f"POST /predict/mc?passes=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n{FORM}"
    limits = ("--max-rows", "10000", "--max-body-bytes", "10000000")
    with serving("loan-grade/1", "--records", "off", *limits) as service:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect(("127.0.0.1", service.port))
            deaf.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            assert deaf.recv(8).startswith(b"HTTP/1.1")
            began = time.monotonic()
            assert 0 == service.stop()
        assert time.monotonic() - began < 15


def test_ctrl_c_does_not_wait() -> None:
    """SIGINT ends a service without the time for load balancers."""
    with serving("loan-grade/1", "--drain-seconds", "60") as service:
        began = time.monotonic()
        assert 0 == service.stop(signal.SIGINT)
        assert time.monotonic() - began < 20


@dataclass(slots=True)
class Tally:
    """What became of the requests of all clients."""

    answered: int = 0
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)


def client(service: Service, body: bytes, tally: Tally) -> None:
    """Ask one request after the other on one connection until the service closes it."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    connection.connect()
    while True:
        try:
            connection.request("POST", "/predict/mc?passes=100", body, JSON)
            answer = connection.getresponse()
            whole = answer.read()
        except (OSError, http.client.HTTPException) as error:
            with tally.lock:
                tally.lost.append(repr(error))
            return
        with tally.lock:
            if answer.status == 200 and len(json.loads(whole)["predictions"]) == ROWS:
                tally.answered += 1
            elif answer.status == 503:
                tally.refused += 1
            else:
                tally.lost.append(f"{answer.status}")
        if answer.headers["Connection"] == "close":
            return


@pytest.mark.claim("ends under load", test=2, proof=50)
def test_no_request_is_lost_when_a_service_stops(record_property: Any, count: int) -> None:
    """SIGTERM at any moment under load: each request sent is answered, and the exit code is 0."""
    _, many = bodies()
    random = np.random.default_rng(0)
    total = Tally()
    for attempt in range(count):
        workers = ("--workers", "2", "--records", "off") if attempt % 2 else ()
        tally = Tally()
        with serving("loan-grade/1", *workers) as service:
            threads = [
                threading.Thread(target=client, args=(service, many, tally)) for _ in range(CLIENTS)
            ]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.2, 0.8))
            assert 0 == service.stop(), service.written()
            for thread in threads:
                thread.join()
            assert "Traceback" not in service.written()
        assert [] == tally.lost
        assert tally.answered >= CLIENTS
        total.answered += tally.answered
        total.refused += tally.refused
    record_property(
        "figure", f"{total.answered:,} answered, {total.refused} refused with 503, none lost"
    )
