"""Pages of other sites in a real browser, which does what they tell it to."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests import programs
from tests.app.dashboard.conftest import FLAGS, ODD, grade
from tests.service import Service, serving

LEADING_HERE = "rebound.example"
"""A name whose owner lets it lead to this machine."""
ALLOWED = "desk.localhost"
FETCHED = "([url, body]) => fetch(url, {method: 'POST', mode: 'no-cors', body: new Blob([body])})"
ASKED = """([url, body]) => fetch(url, {method: "POST", body, headers: {
    "Content-Type": "application/json", "X-Request-ID": "mine", "traceparent": "00-1-1-00"}})
    .then(async (answer) =>
        [answer.status, answer.headers.get("X-Request-ID"), await answer.text()])
    .catch((error) => [0, "", String(error)])"""
POSTED = """([url, body]) => {
    document.body.innerHTML = `<form method=post enctype=text/plain><input name=x></form>`;
    document.forms[0].action = url;
    document.forms[0].x.name = body;
    document.forms[0].submit();
}"""


class _Empty(BaseHTTPRequestHandler):
    """A site with nothing on it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    """The port of another site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Empty)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def service(site: int) -> Iterator[Service]:
    with serving("--cors-origins", f"http://{ALLOWED}:{site}") as service:
        yield service


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for which one more name leads to this machine."""
    rules = f"--host-resolver-rules=MAP {LEADING_HERE} 127.0.0.1"
    with sync_playwright() as play:
        found = programs.browser()
        browser = play.chromium.launch(executable_path=found, args=[*FLAGS, rules])
        yield browser
        browser.close()


@contextmanager
def visited(browser: Browser, url: str) -> Iterator[tuple[Page, list[int]]]:
    """A page, and the statuses of the answers to what it posts."""
    page, statuses = browser.new_page(), list[int]()
    page.on(
        "response",
        lambda told: statuses.append(told.status) if told.request.method == "POST" else None,
    )
    try:
        page.goto(url)
        yield page, statuses
    finally:
        page.close()


def recorded(service: Service) -> int:
    """How many rows were graded and recorded; a read brings the tables up to date."""
    httpx.get(f"{service.url}/predictions").raise_for_status()
    path = service.log.parent / "var" / "records.db"
    with closing(sqlite3.connect(path)) as records:
        found = records.execute("select count(*) from events where kind = 'prediction'").fetchone()
    return int(found[0])


def test_a_foreign_page_has_nothing_graded(browser: Browser, service: Service, site: int) -> None:
    """Neither a fetch that needs no leave nor a form that is posted is graded or recorded."""
    before, body = recorded(service), json.dumps(ODD)
    with visited(browser, f"http://evil.localhost:{site}/") as (page, statuses):
        for path in ("/predict", "/predict/mc"):
            page.evaluate(FETCHED, [service.url + path, body])
        assert [0, "", "TypeError: Failed to fetch"] == page.evaluate(
            ASKED, [f"{service.url}/predict", body]
        )
        with page.expect_navigation():
            page.evaluate(POSTED, [f"{service.url}/predict/mc", body])
    assert [403, 403, 403] == statuses
    assert before == recorded(service)
    grade(service, ODD)
    assert before + 1 == recorded(service)


def test_a_name_that_leads_here_grades_nothing(browser: Browser, service: Service) -> None:
    """To the browser the page is the service's own; the name that it called tells otherwise."""
    before = recorded(service)
    with visited(browser, f"http://{LEADING_HERE}:{service.port}/") as (page, _):
        status, _, text = page.evaluate(ASKED, ["/predict/mc", json.dumps(ODD)])
        shown = page.evaluate("() => fetch('/reviews').then((answer) => answer.status)")
    assert (403, 403) == (status, shown)
    assert "DUBITO_ALLOWED_HOSTS" in text
    assert before == recorded(service)


def test_an_allowed_page_grades(browser: Browser, service: Service, site: int) -> None:
    """A site that a setting names asks with headers of its own and reads the answer's."""
    before = recorded(service)
    with visited(browser, f"http://{ALLOWED}:{site}/") as (page, statuses):
        answer = page.evaluate(ASKED, [f"{service.url}/predict/mc", json.dumps(ODD)])
    assert [200, "mine"] == answer[:2]
    assert [200] == statuses
    assert before + 1 == recorded(service)
