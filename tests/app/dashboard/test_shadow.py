"""A model with a shadow: what both disagree on, beside the figures of what was answered."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.app.dashboard.conftest import DESK, ODD, PHONE, Opened, grade
from tests.service import Service, serving, until

SEEDS = 12


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service whose shadow disagrees on some cases."""
    with serving("loan-grade/5", "--shadow", "loan-grade/1") as service:
        for seed in range(SEEDS):
            grade(service, ODD, seed=seed)
        yield service


def test_disagreements_are_shown(opened: Opened, service: Service) -> None:
    """How often, by how much, and a way to each case; in both languages."""
    with opened("#watch") as page:
        card = page.locator("#shadow")
        until(lambda: card.get_attribute("data-rows") == str(SEEDS))
        expect(card).to_contain_text("Version 1 computes what version 5 has answered")
        expect(card).to_contain_text(f"{SEEDS} loans compared, 0 not compared.")
        expect(card.locator("table").first.locator("tbody tr")).to_have_count(3)
        newest = card.locator("details").last
        newest.locator("summary").click()
        expect(newest.locator("tbody tr").first).to_be_visible()
        newest.locator("a").first.click()
        expect(page.locator("[data-case]")).to_be_visible()
    with opened("#watch", locale="ko-KR") as page:
        expect(page.locator("#shadow")).to_contain_text("섀도 버전")


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_it_fits_the_window(opened: Opened, size: Any) -> None:
    """Tables scroll inside of themselves, so that the page is no wider than a phone."""
    with opened("#watch", viewport=size) as page:
        expect(page.locator("#shadow table").first).to_be_visible()
        for summary in page.locator("#shadow summary").all():
            summary.click()
        width = "document.documentElement.scrollWidth"
        assert page.evaluate(width) <= size["width"]
