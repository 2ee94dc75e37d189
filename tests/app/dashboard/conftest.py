"""The page in Debian's Chromium, at a real service; what it asks and complains of is watched."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import programs
from tests.service import Service, serving

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SLOW_MS = 30_000
PHONE = {"width": 375, "height": 812}
DESK = {"width": 1280, "height": 900}
ODD = {
    "loan_amount": 400_000,
    "annual_income": 96_000,
    "debt_to_income": None,
    "total_credit_lines": 14,
    "delinq_2y": 0,
    "paid_principal": 773.87,
    "paid_interest": 126.62,
    "paid_late_fees": 0,
    "current_accounts_delinq": 0,
}
"""A row that a person must look at, as it is far from everything training saw."""
SURE = {
    "loan_amount": 5_000,
    "annual_income": 55_000,
    "debt_to_income": 9.23,
    "total_credit_lines": 7,
    "delinq_2y": 0,
    "paid_principal": 1343.65,
    "paid_interest": 130.26,
    "paid_late_fees": 0,
    "current_accounts_delinq": 0,
}
"""A loan that nobody has seen in training, of grade A, about which the network is sure."""
Opened = Callable[..., AbstractContextManager[Page]]


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=programs.browser(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """A service for all modules that do not need one of their own."""
    with serving() as service:
        yield service


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(autouse=True)
def patience() -> None:
    """A busy machine may take its time."""
    expect.set_options(timeout=SLOW_MS)


@pytest.fixture
def opened(service: Service, browser: Browser) -> Opened:
    """A function that opens the page of the module's service."""
    return browsing(browser, service)


def browsing(browser: Browser, service: Service) -> Opened:
    """A function that opens the page for the length of a block.

    At the block's end the page must have asked no other host, and complained of nothing but the
    `expected` answers, whose statuses a browser writes into its console by itself.
    """

    @contextmanager
    def open_page(path: str = "", expected: tuple[int, ...] = (), **options: Any) -> Iterator[Page]:
        settings = {"viewport": DESK, "locale": "en-GB", "reduced_motion": "reduce", **options}
        context = browser.new_context(**settings)
        page = context.new_page()
        complaints: list[str] = []
        addresses: list[str] = []
        page.on("console", lambda one: complaints.append(f"{one.type}: {one.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: addresses.append(request.url))
        try:
            page.goto(f"{service.url}/{path}")
            yield page
        finally:
            context.close()
        told = [f"the server responded with a status of {status}" for status in expected]
        assert [] == [one for one in complaints if not any(text in one for text in told)]
        assert addresses
        assert [] == [url for url in addresses if not url.startswith(service.url)]

    return open_page


def grade(service: Service, row: dict[str, Any], seed: int = 0) -> Any:
    """An answer that is asked for beside the page."""
    options = {"seed": seed, "passes": 20}
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        answer = client.post("/predict/mc", json=row, params=options)
    assert 200 == answer.status_code, answer.text
    return answer.json()


def fill(page: Page, row: dict[str, Any]) -> None:
    """Fill a row into the form."""
    for name, value in row.items():
        page.locator(f'[data-feature="{name}"]').fill("" if value is None else str(value))
