"""The page of an ensemble: passes in multiples, and what its networks disagree about."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.app.dashboard.conftest import PHONE, Opened
from tests.app.dashboard.test_access import faults
from tests.app.dashboard.test_widths import fits
from tests.claims import sample
from tests.ensembles import KINDS, Kind, ensemble_bundle
from tests.service import Service, serving

pytestmark = pytest.mark.claim("the page with ensembles", test=1, proof=1)


@pytest.fixture(scope="module", params=sample(KINDS, ("number",)))
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def service(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    state = str(tmp_path_factory.mktemp("state"))
    with serving(str(ensemble_bundle(kind)), "--state", state) as service:
        yield service


def filled(page: Page) -> None:
    page.locator("#panel-try form button[type=button]").click()
    expect(page.locator("#feature-0")).not_to_have_value("")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_an_answer_tells_what_the_networks_disagree_about(opened: Opened, language: str) -> None:
    """As a part of the model's uncertainty, of the answer with the same seed."""
    look = {"viewport": PHONE, "locale": {"en": "en-GB", "ko": "ko-KR"}[language]}
    with opened(**look) as page:
        filled(page)
        page.locator("form button.primary").click()
        between = page.locator("dl.kinds .kind.between")
        expect(between.locator("dt")).to_have_text(
            {"en": "Between the networks", "ko": "신경망 사이의 차이"}[language]
        )
        amount = between.locator(".amount").inner_text()
        assert any(digit in amount for digit in "123456789")
        fits(page)
        assert faults(page) == []


def test_passes_are_taken_in_multiples(opened: Opened) -> None:
    """The field says so, and what is wrong with another number, before anything is sent."""
    with opened() as page:
        filled(page)
        page.locator("#panel-try details.more summary").click()
        expect(page.locator("#option-passes-hint")).to_contain_text("a multiple of the 3 networks")
        page.locator("#option-passes").fill("100")
        page.locator("form button.primary").click()
        expect(page.locator("#option-passes-fault")).to_have_text("Must be a multiple of 3")
        page.locator("#option-passes").fill("99")
        page.locator("form button.primary").click()
        expect(page.locator("#seed-used")).to_contain_text("99 passes")


def test_the_model_says_how_many_networks_it_has(opened: Opened) -> None:
    """Beside its name, version and usual passes."""
    with opened("#model") as page:
        expect(page.locator(".identity")).to_contain_text("Networks")
