"""A raised alarm: an operator sees it, acknowledges it, and begins it anew."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from dubito.bundles.repository import find_version
from tests.app.dashboard.conftest import Opened
from tests.raised import raise_drift
from tests.service import ROOT, Service, serving


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that knows of drift when it starts."""
    raise_drift(tmp_path, find_version(ROOT / "models", "loan-grade", None))
    with serving(changes={"DUBITO_STATE": str(tmp_path)}) as service:
        yield service


@pytest.mark.parametrize("language", ["en-GB", "ko-KR"])
def test_an_alarm_is_acknowledged_and_begun_anew(
    opened: Opened, service: Service, language: str
) -> None:
    """The line no longer counts what is known; what was seen stays to be seen."""
    with opened("#watch", locale=language, viewport={"width": 390, "height": 844}) as page:
        alarm, part = page.locator("#alarm-drift"), page.locator('[data-part="alarms"]')
        expect(alarm).to_have_class("card alarm raised")
        expect(part).to_have_attribute("data-state", "bad")
        expect(page.locator("#well-state")).to_have_attribute("data-state", "bad")
        page.locator("#acknowledge-drift > summary").click()
        page.locator("#acknowledge-drift button").click()
        expect(page.locator("#acknowledge-drift .fault")).not_to_be_empty()
        page.locator("#acknowledge-drift-name").fill("Kim")
        page.locator("#acknowledge-drift-note").fill("new price list")
        page.locator("#acknowledge-drift button").click()
        expect(page.locator("#known-drift")).to_contain_text("Kim")
        expect(page.locator("#known-drift")).to_contain_text("new price list")
        expect(alarm).to_have_class("card alarm raised")
        expect(part).to_have_attribute("data-state", "good")
        page.locator("#begin-drift > summary").click()
        page.locator("#begin-drift button").click()
        expect(page.locator("#alarm-drift .past")).to_be_visible()
        expect(page.locator("#alarm-drift")).not_to_have_class("card alarm raised")
        page.locator("#alarm-drift .past > summary").click()
        expect(page.locator("#alarm-drift .past li")).to_contain_text("Kim")
        page.reload()
        expect(page.locator("#alarm-drift .past")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    told = [one["name"] for one in alarms(service)[0]["past"]]
    assert ["Kim"] == told


def alarms(service: Service) -> list[dict[str, list[dict[str, str]]]]:
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        found: list[dict[str, list[dict[str, str]]]] = client.get("/uncertainty").json()["alarms"]
        return found
