"""Nobody is kept out: axe-core looks at every view, light and dark, large and small."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.app.dashboard.conftest import DESK, ODD, PHONE, Opened, grade
from tests.service import Service

GRAVE = {"serious", "critical"}
LOOKS: list[dict[str, Any]] = [
    {"color_scheme": "light", "viewport": DESK, "locale": "en-GB"},
    {"color_scheme": "dark", "viewport": PHONE, "locale": "ko-KR"},
    {"color_scheme": "dark", "viewport": DESK, "locale": "ko-KR"},
    {"color_scheme": "light", "viewport": PHONE, "locale": "en-GB"},
]


@pytest.fixture(scope="module", autouse=True)
def traffic(service: Service) -> None:
    """Rows to be watched, of which some wait for a person."""
    for seed in range(3):
        grade(service, ODD, seed=seed)


def faults(page: Page) -> list[str]:
    """What axe-core finds grave, and where."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


@pytest.mark.claim("no grave fault for assistive technology", test=1, proof=len(LOOKS))
def test_no_view_has_a_grave_fault(opened: Opened, count: int) -> None:
    """No view has a fault that is serious or critical, empty or filled, in any look."""
    for look in LOOKS[:count]:
        check_views(opened, look)


def check_views(opened: Opened, look: dict[str, Any]) -> None:
    with opened(**look) as page:
        expect(page.locator("#panel-try form .field").first).to_be_visible()
        assert [] == faults(page)
        page.locator("#panel-try form button[type=button]").click()
        expect(page.locator('[data-feature="loan_amount"]')).not_to_have_value("")
        page.locator('[data-feature="debt_to_income"]').fill("")
        page.locator("#panel-try form button[type=submit]").click()
        expect(page.locator("#panel-try .main-svg").first).to_be_visible()
        page.locator("#panel-try .figures summary").click()
        assert [] == faults(page)
        page.locator("#tab-watch").click()
        expect(page.locator("#chart-reasons .main-svg").first).to_be_visible()
        page.locator("#panel-watch .figures summary").first.click()
        assert [] == faults(page)
        page.locator("#tab-review").click()
        page.locator(".item").first.click()
        expect(page.locator("[data-case] .bars")).to_be_visible()
        assert [] == faults(page)
        page.locator("#tab-model").click()
        expect(page.locator(".prose table").first).to_be_visible()
        assert [] == faults(page)


def test_faults_are_read_out(opened: Opened) -> None:
    """A form with wrong entries has no grave fault either."""
    with opened() as page:
        page.locator("#panel-try form button[type=submit]").click()
        expect(page.locator("[aria-invalid]").first).to_be_visible()
        assert [] == faults(page)
