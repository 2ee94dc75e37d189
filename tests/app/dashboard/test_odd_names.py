"""Features and grades of any name: what is typed is what is asked, and faults find their fields."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.app.dashboard.conftest import Opened
from tests.odd_names import CLASSES, NAMES, publish, row
from tests.service import Service, serving

OPTIONS = {"passes": "50", "seed": "7"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    models = tmp_path_factory.mktemp("models")
    publish(models)
    with serving("odd", "--models", str(models)) as service:
        yield service


def field(page: Page, feature: str) -> Locator:
    """The field of a feature, which stands where the signature has it."""
    return page.locator(".fields:not(.options) input").nth(NAMES.index(feature))


def ask(page: Page, values: dict[str, Any]) -> None:
    """Type a row and the options, and ask."""
    for name, value in values.items():
        field(page, name).fill(str(value))
    if page.locator("form details[open]").count() == 0:
        page.locator("#panel-try form summary").click()
    for name, text in OPTIONS.items():
        page.locator(f"#option-{name}").fill(text)
    page.get_by_role("button", name="Get grade").click()


def test_what_is_typed_is_what_is_asked(opened: Opened) -> None:
    """Options are no features and features no options; the grade and its bars are shown."""
    asked: list[tuple[str, Any]] = []
    with opened() as page:
        page.on(
            "request",
            lambda request: (
                asked.append((request.url.partition("?")[2], request.post_data))
                if request.method == "POST"
                else None
            ),
        )
        ask(page, row())
        expect(page.locator(".result .chart .main-svg").first).to_be_visible()
        assert page.locator(".verdict .tile").inner_text() in CLASSES
        expect(page.locator("#seed-used")).to_contain_text("Seed 7, 50 passes")
    ((query, body),) = asked
    assert {"draws=true", "passes=50", "seed=7"} == set(query.split("&"))
    assert row() == json.loads(body)


def test_faults_find_their_fields(opened: Opened) -> None:
    """A wrong feature and a wrong option of one name are told each at its own."""
    with opened() as page:
        ask(page, row() | {"seed": -5, NAMES[-1]: -1, "__proto__": ""})
        page.locator("[aria-invalid]").first.wait_for()
        assert ["feature-0", "feature-5", "feature-8"] == marked(page)
    with opened() as page:
        ask(page, row())
        page.locator("#option-seed").fill("0.5")
        page.get_by_role("button", name="Get grade").click()
        expect(page.locator("#option-seed")).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#option-seed-fault")).to_contain_text("whole number")


def test_what_the_service_refuses_finds_its_fields(opened: Opened) -> None:
    """The service's pointers lead to features and options of one name, also where they are cut."""
    cut = NAMES[-1][:20] + "…" if len(NAMES[-1]) > 20 else NAMES[-1]
    names = {"#/seed": "is odd", "#/__proto__": "is odd", f"#/{escaped(cut)}": "is odd"}
    told = [{"pointer": at, "detail": odd, "code": "overflows"} for at, odd in names.items()]
    told.append({"pointer": "?/seed", "detail": "is odd", "code": "not_whole"})
    with opened(expected=(422,)) as page:
        body = {"detail": "it is odd", "errors": told}
        page.route("**/predict/mc?*", lambda route: route.fulfill(status=422, json=body))
        ask(page, row())
        page.locator("[aria-invalid]").first.wait_for()
        places = [f"feature-{NAMES.index(name)}" for name in ("seed", "__proto__", NAMES[-1])]
        assert {*places, "option-seed"} == set(marked(page))
        expect(page.locator("#option-seed-fault")).to_have_text("Must be a whole number")


def marked(page: Page) -> list[str]:
    """The fields that are said to be wrong."""
    found: list[str] = page.locator("[aria-invalid]").evaluate_all(
        "all => all.map((one) => one.id)"
    )
    return found


def escaped(name: str) -> str:
    """A name as a JSON pointer has it."""
    return name.replace("~", "~0").replace("/", "~1")


def test_every_field_says_what_it_is(opened: Opened) -> None:
    """Each has a label, a hint and a place for its fault, which are its own."""
    with opened() as page:
        page.locator("#panel-try form .field").first.wait_for()
        ids = page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")
        assert len(ids) == len(set(ids))
        for place in range(len(NAMES)):
            said = page.locator(f"#feature-{place}").get_attribute("aria-describedby")
            for identifier in str(said).split():
                expect(page.locator(f"#{identifier}")).to_have_count(1)


def test_every_view_shows_odd_names(opened: Opened, service: Service) -> None:
    """The other views work with them too, and nothing becomes markup."""
    with opened() as page:
        page.get_by_role("button", name="Fill in the example").click()
        expect(field(page, "__proto__")).not_to_have_value("")
        page.get_by_role("button", name="Get grade").click()
        page.get_by_role("link", name="open").first.click()
        expect(page.locator("[data-case] table.row")).to_contain_text("constructor")
        page.get_by_role("tab", name="Monitoring").click()
        expect(page.locator("#drift")).to_contain_text("mutual information")
        page.locator("#panel-watch .figures summary").nth(1).click()
        page.get_by_role("tab", name="Model").click()
        expect(page.locator("table.signature")).to_contain_text("<b>bold</b>")
    assert "Traceback" not in service.written()
