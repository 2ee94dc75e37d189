"""Python's clients, each over one connection: http.client, requests, httpx."""

import http.client
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import requests

JSON = {"Content-Type": "application/json"}
Body = bytes | Iterator[bytes] | None
Answer = tuple[int, str]
"""Its status and its text."""
Send = Callable[[str, str, Body, dict[str, str]], Answer]
"""Sends a method, path, body and headers."""


def ask_all(send: Send, row: bytes, many: bytes) -> None:
    """Each kind of request; tells name, status and body."""
    address = "/predict/mc?seed=42&passes=100"
    gzip = {**JSON, "Accept-Encoding": "gzip"}
    for body, headers in ((row, JSON), (row, JSON), (row, gzip), (iter([row[:9], row[9:]]), JSON)):
        print("row", *send("POST", address, body, headers), sep="\t")
    print("many", *send("POST", address, many, JSON), sep="\t")
    print("head", *send("HEAD", "/health/live", None, {}), sep="\t")


def main() -> None:
    """Ask with one client after the other."""
    base, *files = sys.argv[1:]
    row, many = (Path(file).read_bytes() for file in files)
    connection = http.client.HTTPConnection(base.rpartition("/")[2])

    def plainly(method: str, path: str, body: Body, head: dict[str, str]) -> Answer:
        connection.request(method, path, body, head)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    ask_all(plainly, row, many)
    with requests.Session() as session:

        def by_requests(method: str, path: str, body: Body, head: dict[str, str]) -> Answer:
            answer = session.request(method, base + path, data=body, headers=head)
            return answer.status_code, answer.text

        ask_all(by_requests, row, many)
    with httpx.Client(base_url=base) as client:

        def by_httpx(method: str, path: str, body: Body, head: dict[str, str]) -> Answer:
            answer = client.request(method, path, content=body, headers=head)
            return answer.status_code, answer.text

        ask_all(by_httpx, row, many)


if __name__ == "__main__":
    main()
