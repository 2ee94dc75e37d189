"""A service of several models: one page for each, and a choice between them."""

import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from dubito.bundle import load
from dubito.inputs.rows import example
from tests.app.dashboard.conftest import ODD, Opened
from tests.mixed import mixed_bundle
from tests.rents import number_bundle
from tests.service import ROOT, Service, serving

GRADE, FLAT, RENT, BROKEN = "loan-grade", "flat-price", "flat-rent", "loan-rate"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of grades, of classes of other features, of a number, and of a broken bundle."""
    models = tmp_path_factory.mktemp("models")
    for name, folder in (
        (GRADE, ROOT / "models" / GRADE),
        (FLAT, mixed_bundle().parent),
        (RENT, number_bundle("normal").parent),
        (BROKEN, ROOT / "models" / BROKEN),
    ):
        shutil.copytree(folder, models / name)
    for network in (models / BROKEN).glob("*/model.keras"):
        network.write_bytes(b"")
    listed, changes = f"{GRADE},{FLAT},{RENT},{BROKEN}", {"DUBITO_STRICT_START": "0"}
    with serving("--models", str(models), "--model", listed, changes=changes) as service:
        yield service


@pytest.fixture(scope="module")
def cases(service: Service) -> dict[str, str]:
    """A case of each model that waits for a review."""
    rows: dict[str, Any] = {
        GRADE: ODD,
        FLAT: example(load(mixed_bundle()).signature) | {"space": 9_000},
        RENT: example(load(number_bundle("normal")).signature) | {"space": 9_000},
    }
    found = {}
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        for name, row in rows.items():
            answer = client.post(f"/models/{name}/predict/mc", json=row).json()
            assert "refer" == answer["decision"]["action"], answer
            found[name] = answer["id"]
    return found


def test_another_model_has_another_page(opened: Opened) -> None:
    """Its form, its answer, its figures and its description; the view stays the same."""
    with opened() as page:
        expect(page.locator("#models")).to_have_value(GRADE)
        expect(page.locator('[data-feature="loan_amount"]')).to_be_visible()
        page.locator("#models").select_option(RENT)
        page.wait_for_url(f"**/?model={RENT}*")
        expect(page.locator('[data-feature="space"]')).to_be_visible()
        page.get_by_role("button", name="Fill in the example").click()
        expect(page.locator('[data-feature="space"]')).not_to_have_value("")
        page.get_by_role("button", name="Predict").click()
        expect(page.locator("#seed-used")).to_be_visible()
        page.get_by_role("tab", name="Monitoring").click()
        expect(page.locator(".live strong")).to_have_text("Live")
        page.locator("#models").select_option(FLAT)
        page.wait_for_url(f"**/?model={FLAT}#watch")
        expect(page.get_by_role("tab", name="Monitoring")).to_have_attribute(
            "aria-selected", "true"
        )
        expect(page.locator(".live strong")).to_have_text("Live")
        page.get_by_role("tab", name="Model").click()
        expect(page.locator(".identity h3")).to_have_text(FLAT)
        expect(page.locator("#panel-model")).to_contain_text("Living space")


def test_a_model_that_cannot_be_served_is_no_choice(opened: Opened) -> None:
    """It is named; an address that names it shows the first."""
    with opened(f"?model={BROKEN}") as page:
        expect(page.locator("#models")).to_have_value(GRADE)
        broken = page.locator(f'#models option[value="{BROKEN}"]')
        expect(broken).to_be_disabled()
        expect(broken).to_have_text(f"{BROKEN} · not loaded")


def test_the_queue_is_the_models(opened: Opened, cases: dict[str, str]) -> None:
    """No case of another model waits in it; a link to one leads to that model's page."""
    for name, case in cases.items():
        with opened(f"?model={name}#review") as page:
            row = page.locator(f'tr[data-id="{case}"]')
            expect(row).to_be_visible()
            for other in set(cases.values()) - {case}:
                expect(page.locator(f'tr[data-id="{other}"]')).to_have_count(0)
    with opened(f"?model={GRADE}#review/{cases[RENT]}") as page:
        page.wait_for_url(f"**/?model={RENT}#review/{cases[RENT]}")
        expect(page.locator(f'[data-case="{cases[RENT]}"]')).to_contain_text("Living space")


def test_the_choice_speaks_both_languages(opened: Opened) -> None:
    """And stays on the page of a phone."""
    with opened(viewport={"width": 375, "height": 812}, locale="ko-KR") as page:
        expect(page.locator("#models")).to_be_visible()
        expect(page.locator("#models")).to_have_attribute("aria-label", "모델")
        expect(page.locator(f'#models option[value="{FLAT}"]')).to_have_text(f"{FLAT} · 버전 1")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
