"""Clients in other languages: what each is answered, beside what urllib is."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.programs import program
from tests.service import ROOT, Service, serving

FOLDER = ROOT / "tests" / "clients"
ROW = example(inspect(ROOT / "models" / "loan-grade" / "1").manifest.signature)
MANY = 500
ADDRESS = "/predict/mc?seed=42&passes=100"


@dataclass(frozen=True, slots=True)
class Client:
    """A program that asks, and how much it does."""

    words: tuple[str, ...]
    exchanges: int
    connections: int
    """At most: what is kept alive is used again. Node opens one more for a body of no length."""


CLIENTS = {
    "http.client, requests, httpx": Client((sys.executable, str(FOLDER / "ask.py")), 18, 3),
    "curl": Client(("bash", str(FOLDER / "ask-curl.sh")), 10, 3),
    "wget": Client(("bash", str(FOLDER / "ask-wget.sh")), 4, 4),
    "Perl": Client(("perl", str(FOLDER / "ask.pl")), 6, 1),
    "Node": Client(("node", str(FOLDER / "ask.mjs")), 9, 3),
    "Go": Client(("go", "run", str(FOLDER / "ask.go")), 5, 1),
    "Java": Client(("java", str(FOLDER / "Ask.java")), 12, 2),
}
"""The first two need nothing that tests do not need anyway."""


@dataclass(slots=True)
class Relay:
    """Hands bytes on to a service, and counts the connections."""

    port: int
    listening: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def run(self) -> None:
        """Take connections until the listening socket is shut down."""
        while True:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=exchange, args=(near, self.port)).start()


def exchange(near: socket.socket, port: int) -> None:
    """Hand on what each end says, until both have said all."""
    with near, socket.create_connection(("127.0.0.1", port)) as far:
        other = threading.Thread(target=hand_on, args=(near, far))
        other.start()
        hand_on(far, near)
        other.join()


def hand_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(1 << 16):
            target.sendall(content)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def relayed(port: int) -> Iterator[Relay]:
    relay = Relay(port)
    thread = threading.Thread(target=relay.run)
    thread.start()
    try:
        yield relay
    finally:
        relay.listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        relay.listening.close()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving("loan-grade/1") as service:
        yield service


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The bodies: a row, and a list that is large enough to be sent in parts."""
    found = {"row": tmp_path / "row.json", "many": tmp_path / "many.json"}
    found["row"].write_text(json.dumps(ROW))
    found["many"].write_text(json.dumps({"instances": [ROW] * MANY}))
    return found


def asked(url: str, body: Path) -> Any:
    """What urllib is answered."""
    head = {"Content-Type": "application/json"}
    request = Request(url + ADDRESS, body.read_bytes(), head)
    with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
        return json.load(answer)


def lines(text: str) -> list[tuple[str, str, str]]:
    """Name, status and body of each exchange; curl writes a body before the line about it."""
    pattern = r"(?:^(\{.*\})\n)?^(row|many|head)\t(\d+)\t(.*)$"
    found = re.findall(pattern, text, re.MULTILINE)
    return [(name, status, before or body) for before, name, status, body in found]


def without_id(answer: Any) -> Any:
    """An answer but for the identifiers of its rows, which are fresh ones each time."""
    if "predictions" in answer:
        return [without_id(one) for one in answer["predictions"]]
    return {name: value for name, value in answer.items() if name != "id"}


@pytest.mark.claim("real clients", test=2, proof=len(CLIENTS))
def test_real_clients_are_graded(
    service: Service, files: dict[str, Path], record_property: Any, count: int
) -> None:
    """As they are by default, kept alive, in chunks, with leave to go on: bits as urllib's."""
    expected = {name: without_id(asked(service.url, file)) for name, file in files.items()}
    told = []
    for name, client in list(CLIENTS.items())[:count]:
        with relayed(service.port) as relay:
            words = [program(client.words[0]), *client.words[1:], relay.url]
            done = subprocess.run(
                [*words, *map(str, files.values())], capture_output=True, text=True, check=False
            )
        assert 0 == done.returncode, f"{name}: {done.stderr}"
        found = lines(done.stdout)
        assert client.exchanges == len(found), done.stdout
        for kind, status, body in found:
            assert "200" == status, f"{name}, {kind}: {body}"
            assert kind == "head" or expected[kind] == without_id(json.loads(body)), name
        assert client.connections >= relay.connections, name
        told.append(f"{name} ({len(found)} exchanges, {relay.connections} connections)")
    record_property("figure", "; ".join(told))
