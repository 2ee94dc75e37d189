"""Alarms and tiles of the page, for figures as they may be."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.app.dashboard.conftest import ODD, Opened, grade
from tests.service import Service

FAR = 1.01e304


@pytest.fixture(scope="module")
def figures(service: Service) -> Any:
    """The service's figures after a few rows."""
    grade(service, ODD)
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        return client.get("/uncertainty", params={"window": "1h", "step": "1m"}).json()


def watch(page: Page, figures: Any) -> None:
    """Show figures that are not the service's own."""
    page.route("**/uncertainty/stream*", lambda route: route.fulfill(status=404))
    page.route("**/uncertainty?*", lambda route: route.fulfill(json=figures))
    page.locator("#tab-watch").click()
    expect(page.locator(".alarm")).to_have_count(2)


def altered(figures: Any, **alarm: Any) -> Any:
    """Figures whose first alarm is another."""
    first, *others = figures["alarms"]
    return {**figures, "alarms": [{**first, **alarm}, *others]}


@pytest.mark.parametrize(
    ("language", "far"),
    [("en-GB", "evidence far above the threshold"), ("ko-KR", "증거 기준을 크게 초과")],
)
def test_a_raised_alarm_says_no_endless_number(
    opened: Opened, figures: Any, language: str, far: str
) -> None:
    """Evidence far above the threshold is told in words, with the time it was raised."""
    raised = altered(
        figures,
        raised=True,
        evidence=FAR,
        largest=FAR,
        raised_at="2026-11-28T03:04:00Z",
        largest_feature="loan_amount",
        rows=70,
    )
    with opened(expected=(404,), locale=language, timezone_id="UTC") as page:
        watch(page, raised)
        alarm = page.locator("#alarm-drift")
        expect(alarm).to_contain_text(far)
        expect(alarm).to_contain_text("2026")
        expect(alarm).to_contain_text("3:04")
        assert len(alarm.inner_text()) < 320


def test_evidence_near_the_threshold_is_a_number(opened: Opened, figures: Any) -> None:
    """Up to a thousand times the threshold its digits tell something; hardly any are none."""
    near = altered(figures, evidence=100_000, largest=100_000, rows=7)
    with opened(expected=(404,)) as page:
        watch(page, near)
        expect(page.locator("#alarm-drift .meter")).to_contain_text("evidence 100,000 ·")
    with opened(expected=(404,)) as page:
        watch(page, altered(figures, evidence=1e-200, rows=7))
        expect(page.locator("#alarm-drift .meter")).to_contain_text("evidence below 0.01 ·")


@pytest.mark.parametrize(
    ("rows", "language", "state"),
    [
        (0, "en-GB", "Not enough data"),
        (7, "en-GB", "OK"),
        (0, "ko-KR", "데이터 부족"),
        (7, "ko-KR", "정상"),
    ],
)
def test_not_knowing_is_not_calm(
    opened: Opened, figures: Any, rows: int, language: str, state: str
) -> None:
    """An alarm without a row is in a state of its own."""
    with opened(expected=(404,), locale=language) as page:
        watch(page, altered(figures, raised=False, rows=rows))
        expect(page.locator("#alarm-drift .badge")).to_have_text(state)


@pytest.mark.parametrize(
    ("sizes", "shown"), [({"1": 3, "2": 1}, "75.0%"), ({"3": 2}, "0.0%"), ({}, "–")]
)
def test_the_tile_shows_how_many_are_clear(
    opened: Opened, figures: Any, sizes: dict[str, int], shown: str
) -> None:
    """The share of sets with one grade alone; nats are for those who unfold them."""
    total = {**figures["total"], "set_sizes": sizes}
    with opened(expected=(404,)) as page:
        watch(page, {**figures, "total": total})
        tile = page.locator("#tile-clear")
        expect(tile.locator(".amount")).to_have_text(shown)
        expect(tile.get_by_text("nats")).not_to_be_visible()
        tile.locator("summary").click()
        expect(tile.get_by_text("nats")).to_be_visible()


def test_what_is_unfolded_stays_so(opened: Opened, service: Service) -> None:
    """Figures that come in by themselves do not fold a tile that somebody reads."""
    with opened("#watch") as page:
        tile = page.locator("#tile-clear")
        expect(tile).to_be_visible()
        expect(page.locator("p.live")).to_contain_text("Live")
        tile.locator("summary").click()
        before = int(page.locator("#chart-decisions").get_attribute("data-rows") or 0)
        grade(service, ODD)
        expect(page.locator("#tile-rows .amount")).to_have_text(str(before + 1))
        expect(tile.locator("details")).to_have_attribute("open", "")
        expect(tile.locator("summary")).to_be_focused()
