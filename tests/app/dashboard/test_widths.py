"""Nothing of any view is wider than the window, and what is wide scrolls inside itself."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.app.dashboard.conftest import ODD, Opened, grade
from tests.service import Service

LOOKS = [(390, "en-GB"), (390, "ko-KR"), (1280, "en-GB"), (1280, "ko-KR")]
WIDE = """() => {
  const scrolls = (element) => {
    for (let one = element; one !== null; one = one.parentElement) {
      if (["auto", "scroll"].includes(getComputedStyle(one).overflowX)) return true;
    }
    return false;
  };
  const isWide = (element) => {
    const { left, right, width, height } = element.getBoundingClientRect();
    const most = document.documentElement.clientWidth;
    return width > 1 && height > 1 && (left < -1 || right > most + 1);
  };
  return [...document.querySelectorAll("body *:not(.skip, #js-plotly-tester, #js-plotly-tester *)")]
    .filter((one) => isWide(one) && !(one.parentElement !== null && scrolls(one.parentElement)))
    .map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`);
}"""
"""Elements that stand out of the window, but for those inside something that scrolls."""
UNREACHED = """() => [...document.querySelectorAll("[role=tabpanel]:not([hidden]) table")]
  .map((table) => table.parentElement)
  .filter((one) => one.tabIndex !== 0 || !one.getAttribute("aria-label")
    || getComputedStyle(one).overflowX !== "auto")
  .map((one) => one.textContent.slice(0, 40))"""
"""Tables that do not scroll inside themselves, or not by keyboard, or of no name."""


@pytest.fixture(scope="module")
def figures(service: Service) -> Any:
    """The service's figures, with an alarm that is raised as loudly as can be."""
    for seed in range(3):
        grade(service, ODD, seed=seed)
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        found = client.get("/uncertainty", params={"window": "1h", "step": "1m"}).json()
    loud = {"raised": True, "evidence": 1e304, "largest": 1e304, "rows": 123_456_789}
    named = {"raised_at": "2026-11-28T03:04:00Z", "largest_feature": "debt_to_income"}
    return {**found, "alarms": [{**alarm, **loud, **named} for alarm in found["alarms"]]}


def fits(page: Page) -> None:
    """Nothing is wider than the window, and every table scrolls inside itself."""
    assert [] == page.evaluate(WIDE)
    assert [] == page.evaluate(UNREACHED)


@pytest.mark.claim("nothing is wider than the window", test=1, proof=len(LOOKS))
def test_nothing_is_wider_than_the_window(opened: Opened, figures: Any, count: int) -> None:
    """On every tab: the form with faults, an answer, figures, a raised alarm, a case, the model."""
    for width, language in LOOKS[:count]:
        check_width(opened, figures, width, language)


def check_width(opened: Opened, figures: Any, width: int, language: str) -> None:
    size = {"width": width, "height": 844}
    with opened(expected=(404,), locale=language, viewport=size) as page:
        page.locator("#panel-try form summary").click()
        page.locator("#panel-try form button[type=submit]").click()
        page.locator("[aria-invalid]").first.wait_for()
        fits(page)
        page.locator("#panel-try form button[type=button]").click()
        expect(page.locator('[data-feature="loan_amount"]')).not_to_have_value("")
        page.locator('[data-feature="loan_amount"]').fill("123,456,789,012.12345")
        page.locator("#panel-try form button[type=submit]").click()
        expect(page.locator("#panel-try .main-svg").first).to_be_visible()
        page.locator("#panel-try .figures summary").click()
        fits(page)
        page.locator("#tab-review").click()
        page.locator(".item").first.click()
        expect(page.locator("[data-case] .bars")).to_be_visible()
        fits(page)
        page.locator("#tab-model").click()
        expect(page.locator(".prose table").first).to_be_visible()
        fits(page)
        page.route("**/uncertainty/stream*", lambda route: route.fulfill(status=404))
        page.route("**/uncertainty?*", lambda route: route.fulfill(json=figures))
        page.locator("#tab-watch").click()
        expect(page.locator(".alarm.raised")).to_have_count(2)
        expect(page.locator("#chart-reasons .main-svg").first).to_be_visible()
        for summary in page.locator("#panel-watch summary").all():
            summary.click()
        fits(page)
