"""Compares HTTP servers in front of a trivial route: their speed, and their handling of edge cases.

`make bench ONLY=fronts`. About four minutes. The servers are installed into `build/servers/fronts`.
"""

import socket
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import Load, load
from benchmarks.peers import BUILT, HERE, install_into
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import NETWORKS, Running, free_port, row, running

ROUTE, SLOW_ROUTE = "/predict/mc", "/slow"
CONNECTIONS = (32, 1)
ROUNDS = 5
SECONDS = 4
SILENCE = 2.0
"""Timeout in seconds after which a response counts as ended."""
MOST_HEAD = 4 << 20
"""Size in bytes of the endless request head that is sent."""

Words = Callable[[Path, int], list[str]]
Figures = tuple[dict[int, list[tuple[Load, Load]]], str]
"""Loads by number of connections, ours and theirs, and the edge cases a server handles."""


def _uvicorn(http: str) -> Words:
    def words(programs: Path, port: int) -> list[str]:
        quiet = ["--no-access-log", "--log-level", "warning", "--loop", "uvloop"]
        return [f"{programs}/uvicorn", "plain:app", "--http", http, f"--port={port}", *quiet]

    return words


SERVERS: dict[str, Words] = {
    "uvicorn, httptools": _uvicorn("httptools"),
    "uvicorn, h11": _uvicorn("h11"),
    "uvicorn, zttp": _uvicorn("zttp"),
    "hypercorn": lambda programs, port: [
        f"{programs}/hypercorn",
        "plain:app",
        "--worker-class=uvloop",
        f"--bind=127.0.0.1:{port}",
    ],
    "granian": lambda programs, port: [
        f"{programs}/granian",
        "plain:app",
        "--interface=asgi",
        "--loop=uvloop",
        "--no-ws",
        f"--port={port}",
    ],
}
"""Functions that build a server's command, with one worker, from its programs' folder and port."""


def main() -> None:
    """Measure each server against ours."""
    install_into(BUILT / "fronts", HERE / "fronts" / "requirements.txt")
    body, found = (
        row(NETWORKS["study"]),
        dict[str, tuple[dict[int, list[tuple[Load, Load]]], str]](),
    )
    with _ours() as ours:
        holds = {"ours": _holds(ours, body)}
        for name, words in SERVERS.items():
            with _server(words) as theirs:
                holds[name] = _holds(theirs, body)
                pairs = {many: _pairs(ours, theirs, body, many) for many in CONNECTIONS}
                found[name] = pairs, holds[name]
                last = pairs[CONNECTIONS[0]][-1]
                print(name, f"{last[0].rate:,.0f} {last[1].rate:,.0f}", holds[name], flush=True)
    print("ours", holds["ours"])
    publish(_report(found, holds["ours"]))


@contextmanager
def _ours() -> Iterator[Running]:
    port, folder = free_port(), HERE / "fronts"
    told = {"PYTHONPATH": f"{Path.cwd()}:{folder}"}
    words = [sys.executable, str(folder / "ours.py"), str(port)]
    with running(words, port, "/docs", told, folder) as found:
        yield found


@contextmanager
def _server(words: Words) -> Iterator[Running]:
    port, folder = free_port(), HERE / "fronts"
    told = {"PYTHONPATH": str(folder)}
    with running(words(BUILT / "fronts" / "bin", port), port, "/docs", told, folder) as found:
        yield found


def _pairs(ours: Running, theirs: Running, body: str, many: int) -> list[tuple[Load, Load]]:
    """Load both servers in turn, ours first, while the other is paused."""
    pairs = []
    for _ in range(ROUNDS):
        with theirs.paused():
            one = load(ours.url + ROUTE, body, many, SECONDS)
        with ours.paused():
            pairs.append((one, load(theirs.url + ROUTE, body, many, SECONDS)))
    return pairs


def _holds(server: Running, body: str) -> str:
    """List the edge cases that a server handles right: upgrade, host, half-close, head."""
    kept = {
        "upgrade": _statuses(server, body, "Connection: Upgrade\r\nUpgrade: h2c\r\n") == [200],
        "host": _statuses(server, body, "", host="") == [400],
        "half-close": _statuses(server, body, "", ends_side=True) == [200],
        "head": _is_bounded(server),
    }
    return ", ".join(name for name, is_kept in kept.items() if is_kept) or "–"


def _statuses(
    server: Running, body: str, more: str, host: str = "Host: a\r\n", *, ends_side: bool = False
) -> list[int]:
    """Return the statuses of all final responses to one request."""
    route = SLOW_ROUTE if ends_side else ROUTE
    head = f"POST {route} HTTP/1.1\r\n{host}{more}Content-Type: application/json\r\n"
    asked = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    with socket.create_connection(_address(server), timeout=SILENCE) as client:
        client.sendall(asked)
        if ends_side:
            client.shutdown(socket.SHUT_WR)
        answers = _read(client).split(b"HTTP/1.1 ")[1:]
    return [status for one in answers if (status := int(one[:3])) >= 200]


def _is_bounded(server: Running) -> bool:
    """Whether a server rejects a request head without an end."""
    try:
        with socket.create_connection(_address(server), timeout=SILENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * MOST_HEAD)
            return bool(_read(client))
    except ConnectionError:
        return True


def _read(client: socket.socket) -> bytes:
    """Read until the connection closes or times out."""
    data = b""
    try:
        while part := client.recv(1 << 16):
            data += part
    except TimeoutError:
        pass
    return data


def _address(server: Running) -> tuple[str, int]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return host, int(port)


def _report(found: dict[str, tuple[dict[int, list[tuple[Load, Load]]], str]], ours: str) -> Report:
    rows, bars = [], []
    for name, (pairs, holds) in found.items():
        rates = [one.rate / two.rate for one, two in pairs[32]]
        delays = [one.p50 / two.p50 for one, two in pairs[1]]
        rate = statistics.median(two.rate for _, two in pairs[32])
        rows.append((name, f"{rate:,.0f}", spread(rates, 2), spread(delays, 2), holds))
        bars.append(Bar(name, statistics.median(rates), 1.0))
    return Report(
        name="fronts",
        title="Servers of HTTP",
        how="FastAPI's plainest route (a body of nine numbers, a small answer) behind each server, "
        "one worker, beside uvicorn with this project's connections. wrk, "
        f"{ROUNDS} rounds of {SECONDS} s, ours and theirs in turn, the other one paused. The last "
        "column tells, by trying, what holds as each comes: *upgrade* an offered one is ignored, "
        "*host* a request without a Host is refused, *half-close* a client that has ended its side "
        f"is answered, *head* one without an end is refused. Ours: {ours}.",
        head=(
            "server",
            "theirs / s, 32 connections",
            "requests a second, ours / theirs",
            "p50 at one connection, ours / theirs",
            "what holds",
        ),
        rows=tuple(rows),
        figures={
            f"{name}, {many}": [
                {side: {"rate": one.rate, "p50": one.p50, "p99": one.p99}}
                for pair in loads
                for side, one in zip(("ours", "theirs"), pair, strict=True)
            ]
            for name, (pairs, _) in found.items()
            for many, loads in pairs.items()
        },
        axis="requests a second at 32 connections, ours / theirs",
        bars=tuple(bars),
    )


if __name__ == "__main__":
    main()
