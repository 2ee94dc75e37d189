"""The page of a bundle with features of all kinds: choices, yes and no, words in answers."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.app.dashboard.conftest import Opened
from tests.mixed import mixed_bundle
from tests.service import Service, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    models, state = mixed_bundle().parent.parent, tmp_path_factory.mktemp("state")
    with serving("flat-price", "--models", str(models), "--state", str(state)) as service:
        yield service


def fill(page: Page, heating: str, area: str) -> None:
    page.get_by_role("textbox", name="Living space").fill("71.5")
    page.get_by_role("textbox", name="floor").fill("3")
    page.get_by_label("Has a lift").select_option("yes")
    page.get_by_label("Heating").fill(heating)
    page.get_by_label("area").fill(area)


def test_the_form_has_choices(opened: Opened) -> None:
    """A category is searched for in its list, a truth chosen; what is in no list is told."""
    with opened() as page:
        fill(page, "electric", "centre")
        offered = page.locator("#feature-3-choices option").evaluate_all(
            "options => options.map(option => option.value)"
        )
        assert ["gas", "oil, old", "district:heat", "electric"] == offered
        page.get_by_role("button", name="Get grade").click()
        expect(page.locator("#feature-4-fault")).to_have_text("Must be one of the choices")
        page.get_by_label("area").fill("south")
        page.get_by_role("button", name="Get grade").click()
        expect(page.locator("#panel-try .main-svg").first).to_be_visible()


def test_an_unknown_category_is_told(opened: Opened) -> None:
    """In the answer and in its record, where nothing of the text is."""
    with opened() as page:
        fill(page, "peat", "south")
        page.get_by_role("button", name="Get grade").click()
        told = "Heating is a category that was not in the training data."
        expect(page.locator(".cautions").first).to_contain_text(told)
        page.get_by_role("link", name="Open in the review queue").click()
        expect(page.locator("table.row")).to_contain_text("an unknown one")
        expect(page.locator("table.row")).to_contain_text("not in the training data")
        expect(page.locator("table.row")).to_contain_text("yes")


def test_what_if_offers_choices(opened: Opened) -> None:
    """The other value is chosen from the list too, and told in words."""
    with opened() as page:
        fill(page, "gas", "south")
        page.get_by_role("button", name="Get grade").click()
        page.get_by_role("link", name="Open in the review queue").click()
        page.locator("#whatif-feature").select_option(label="Heating")
        page.locator("#whatif-value").fill("electric")
        page.locator("#whatif-compare").click()
        expect(page.locator("#whatif-result")).to_contain_text("Heating: gas → electric")
        page.locator("#whatif-feature").select_option(label="Has a lift")
        page.locator("#whatif-value").select_option("no")
        page.locator("#whatif-compare").click()
        expect(page.locator("#whatif-result")).to_contain_text("Has a lift: yes → no")
        page.locator("#whatif-feature").select_option(label="area")
        page.locator("#whatif-value").fill("centre")
        page.locator("#whatif-compare").click()
        expect(page.locator("#whatif-fault")).to_have_text("Must be one of the choices")


def test_the_model_is_shown(opened: Opened) -> None:
    """Shares of each value, the most common, and what stands for a missing one."""
    with opened("#model") as page:
        rows = page.locator("table.signature")
        expect(rows).to_contain_text("4 choices")
        expect(rows).to_contain_text("gas (")
        expect(rows).to_contain_text("replaced by a value of its own; a person decides")
        expect(rows).to_contain_text("yes or no")


def test_korean_has_the_aliases(opened: Opened) -> None:
    """A category with a Korean alias is offered under it, and shown so."""
    with opened(locale="ko-KR") as page:
        expect(page.locator("#feature-3-choices option").last).to_have_attribute("value", "전기")
        page.locator("#feature-0").fill("71.5")
        page.locator("#feature-1").fill("3")
        page.locator("#feature-2").select_option("true")
        page.locator("#feature-3").fill("전기")
        page.locator("#feature-4").fill("south")
        page.locator("form button.primary").click()
        expect(page.locator("#panel-try .main-svg").first).to_be_visible()
