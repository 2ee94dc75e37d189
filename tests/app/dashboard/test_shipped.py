"""The page with each bundle that is shipped beside loan-grade: every view, desk and phone."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from dubito.targets import NumberTarget
from tests.app.dashboard.conftest import PHONE, Opened, fill
from tests.app.dashboard.test_access import faults
from tests.app.dashboard.test_widths import fits
from tests.claims import sample
from tests.service import ROOT, Service, serving

pytestmark = pytest.mark.claim("the page with each bundle", test=1, proof=1)
NAMES = ("loan-application", "loan-rate", "study-income")
LOOKS: dict[str, dict[str, Any]] = {
    "desk": {},
    "phone": {"viewport": PHONE, "locale": "ko-KR"},
}


@pytest.fixture(scope="module", params=sample(NAMES, ("loan-rate",)))
def name(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def service(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(name, "--state", str(tmp_path_factory.mktemp("state"))) as service:
        yield service


@pytest.fixture(scope="module")
def row(name: str) -> dict[str, Any]:
    """The example of the service's document."""
    return dict(example(inspect(find_version(ROOT / "models", name)).manifest.signature))


@pytest.fixture(scope="module")
def case(service: Service, row: dict[str, Any]) -> Any:
    """A prediction in the records."""
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        return client.post("/predict/mc", json=row, params={"seed": 3}).raise_for_status().json()


def answered(page: Page, row: dict[str, Any]) -> None:
    fill(page, row)
    page.locator("form button.primary").click()
    expect(page.locator("#panel-try .main-svg").first).to_be_visible()


def test_an_answer_is_drawn(opened: Opened, name: str, row: dict[str, Any]) -> None:
    """A number has the distribution of its passes with its interval; a grade its probabilities."""
    target = inspect(find_version(ROOT / "models", name)).manifest.target
    with opened() as page:
        answered(page, row)
        expect(page.locator(".verdict")).to_be_visible()
        drawn = page.evaluate("document.querySelector('#panel-try .js-plotly-plot').data")
        if isinstance(target, NumberTarget):
            expect(page.locator(".verdict")).to_contain_text("% interval)")
            assert len(drawn[-1]["x"]) == 2
            assert drawn[-1]["x"][0] < drawn[-1]["x"][1]
        else:
            expect(page.locator(".decision")).to_have_attribute("data-action", "refer")
        page.locator("#repeat").click()
        expect(page.locator("#sameness")).to_have_text("Identical to the last bit")


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_every_view_is_open_to_everybody(
    opened: Opened, row: dict[str, Any], case: Any, look: dict[str, Any]
) -> None:
    """Form and answer, a case, figures, the model and the list: axe finds nothing grave."""
    with opened(**look) as page:
        answered(page, row)
        for view in ("try", f"review/{case['id']}", "watch", "model", "review"):
            page.goto(f"{page.url.split('#')[0]}#{view}")
            page.wait_for_timeout(700)
            assert [] == faults(page)
            fits(page)


def test_the_example_is_filled_in(opened: Opened, row: dict[str, Any]) -> None:
    """With its gaps: an applicant alone has no joint income."""
    with opened() as page:
        page.get_by_role("button", name="Fill in the example").click()
        expect(page.locator('[data-feature="loan_amount"]')).not_to_have_value("")
        for feature, value in row.items():
            entry = page.locator(f'[data-feature="{feature}"]').input_value()
            assert (entry == "") == (value is None)
        page.locator("form button.primary").click()
        expect(page.locator(".verdict")).to_be_visible()


def test_the_model_tells_which_gaps_a_person_decides(opened: Opened, name: str) -> None:
    """An unusual one; what many applications lack is replaced, and nothing more."""
    features = inspect(find_version(ROOT / "models", name)).manifest.features
    with opened("#model") as page:
        for feature in features:
            row = page.locator("table.signature tr", has=page.get_by_text(feature.name, exact=True))
            said = row.locator("td").last.inner_text()
            assert said.startswith("replaced by") is feature.nullable
            assert said.endswith("a person decides") is (
                feature.nullable and feature.missing_refers
            )
