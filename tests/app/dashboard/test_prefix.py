"""Behind a proxy that serves everything under a path of its own and takes that path away."""

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urljoin

import httpx
import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.app.dashboard.conftest import ODD, grade
from tests.service import Service

PREFIX = "/intra/dubito"
AT_A_TIME = 1 << 16
PASSED_ON = {"content-type", "content-length", "content-encoding", "etag", "x-accel-buffering"}


class _Proxy(BaseHTTPRequestHandler):
    """What nginx does for `location /intra/dubito/ { proxy_pass http://127.0.0.1:8000/; }`.

    It calls the service by the address it knows, not by the name that the browser called.
    """

    port = 0

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        if not self.path.startswith(f"{PREFIX}/"):
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name: text for name, text in self.headers.items() if name.lower() != "host"}
        with closing(HTTPConnection("127.0.0.1", self.port)) as upstream:
            upstream.request(self.command, self.path.removeprefix(PREFIX), body or None, headers)
            self._answer(upstream.getresponse())

    def _answer(self, answer: HTTPResponse) -> None:
        self.send_response(answer.status)
        for name, text in answer.getheaders():
            if name.lower() in PASSED_ON:
                self.send_header(name, text)
        self.end_headers()
        try:
            while part := answer.read1(AT_A_TIME):
                self.wfile.write(part)
                self.wfile.flush()
        except OSError:
            # The listener has gone.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def front(service: Service) -> Iterator[str]:
    """The service's address as the proxy publishes it."""
    handler = type("Proxy", (_Proxy,), {"port": service.port})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}{PREFIX}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def asked() -> list[Response]:
    """Every answer a page got."""
    return []


@pytest.fixture
def page(browser: Browser, asked: list[Response]) -> Iterator[Page]:
    page = browser.new_page(locale="en-GB", reduced_motion="reduce")
    page.on("response", lambda answer: asked.append(answer))
    yield page
    page.close()


def all_came(asked: list[Response], front: str) -> None:
    """Everything asked for was below the prefix and there."""
    assert asked
    wrong = [(one.url, one.status) for one in asked if one.status >= 400]
    assert [] == wrong
    assert [] == [one.url for one in asked if not one.url.startswith(front)]


def test_the_page_works_under_a_prefix(page: Page, asked: list[Response], front: str) -> None:
    """All it is made of comes, a row is graded, the figures are listened to, a case is opened."""
    page.goto(front)
    page.get_by_role("button", name="Fill in the example").click()
    expect(page.get_by_label("Loan amount")).not_to_have_value("")
    page.get_by_role("button", name="Get grade").click()
    expect(page.locator(".result .chart .main-svg").first).to_be_visible()
    page.get_by_role("tab", name="Monitoring").click()
    expect(page.locator(".live strong")).to_have_text("Live")
    page.get_by_role("tab", name="Model").click()
    expect(page.locator(".prose table").first).to_be_visible()
    all_came(asked, front)
    paths = {one.url.removeprefix(front).partition("?")[0] for one in asked}
    needed = {"", "predict/mc", "uncertainty", "uncertainty/stream", "model", "model/card"}
    assert needed | {"openapi.json", "assets/plotly.min.js"} <= paths


def test_a_case_is_opened_under_a_prefix(
    page: Page, asked: list[Response], front: str, service: Service
) -> None:
    """The queue and what is recorded are read."""
    grade(service, ODD)
    page.goto(f"{front}#review")
    page.locator(".item").first.click()
    expect(page.locator("[data-case] .bars")).to_be_visible()
    all_came(asked, front)


def test_the_documentation_works_under_a_prefix(
    page: Page, asked: list[Response], front: str
) -> None:
    """All of `/docs` comes, and what is tried there goes to the service."""
    page.goto(f"{front}docs")
    page.locator("#operations-information-getLiveness").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text(
        "200"
    )
    all_came(asked, front)
    assert urljoin(front, "health/live") in [one.url for one in asked]


def test_servers_are_where_the_document_is(front: str) -> None:
    """The server is named relative to the document's own address."""
    with httpx.Client(trust_env=False) as client:
        document = client.get(f"{front}openapi.json").json()
    (server,) = document["servers"]
    assert front == urljoin(f"{front}openapi.json", server["url"])
