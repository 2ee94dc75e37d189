"""What a person does with the page: asks, and takes it in the way that suits them."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.app.dashboard.conftest import ODD, PHONE, SURE, Opened, fill
from tests.service import Service, until

CLASSES = list("ABCDEFG")
TABS = ["try", "watch", "review", "model"]
BARS = "document.querySelector('.result .chart').data[0]"


def ask_example(page: Page) -> None:
    """Fill in the example, ask, and wait until the answer is drawn."""
    page.get_by_role("button", name="Fill in the example").click()
    expect(page.locator('[data-feature="loan_amount"]')).not_to_have_value("")
    page.get_by_role("button", name="Get grade").click()
    expect(page.locator(".result .chart .main-svg").first).to_be_visible()


def fault(page: Page, feature: str) -> Locator:
    """What is said to be wrong with a feature's value."""
    return page.locator(f'.field:has([data-feature="{feature}"]) .fault')


def test_the_form_is_the_signature(opened: Opened, service: Service) -> None:
    """Every feature has a field with its title, what training saw, and keys that fit its kind."""
    with opened() as page:
        expect(page.locator("#panel-try form .field")).to_have_count(9 + 2)
        model = page.request.get(f"{service.url}/model").json()
        for feature in model["features"]:
            field = page.locator(f'[data-feature="{feature["name"]}"]')
            keys = "numeric" if feature["kind"] == "integer" else "decimal"
            assert keys == field.get_attribute("inputmode")
            assert (None if feature["nullable"] else "true") == field.get_attribute("aria-required")
            hint = field.get_attribute("aria-describedby") or ""
            expect(page.locator(f"#{hint.split()[0]}")).to_contain_text("in training")


def test_an_answer_is_shown(opened: Opened) -> None:
    """A grade, a sentence, a bar with its spread for every class, and a dot for every pass."""
    with opened() as page:
        ask_example(page)
        shown = page.locator(".verdict .tile").inner_text()
        assert shown in CLASSES
        expect(page.locator(".decision")).to_contain_text("A person should look")
        expect(page.locator(".says .small")).to_contain_text("say nothing about whether")
        bars = page.evaluate(f"({{ y: {BARS}.y, spread: {BARS}.error_y.arrayminus }})")
        assert len(CLASSES) == len(bars["y"]) == len(bars["spread"])
        assert all(spread > 0 for spread in bars["spread"])
        expect(page.locator(".chart .bars .point")).to_have_count(len(CLASSES))
        expect(page.locator(".chart .errorbar")).to_have_count(len(CLASSES))
        expect(page.locator(".chart .scatterlayer .point")).to_have_count(100 * len(CLASSES))
        expect(page.get_by_role("img", name="Likelihood of each grade: A ")).to_be_visible()
        expect(page.get_by_role("img", name="nats of uncertainty")).to_be_visible()
        expect(page.get_by_role("status").first).to_contain_text(f"Grade {shown}, ")


def test_the_figures_are_in_a_table_too(opened: Opened) -> None:
    """What the picture shows stands in a table, grade by grade."""
    with opened() as page:
        ask_example(page)
        page.locator("#panel-try .figures summary").click()
        expect(page.locator("#panel-try tr")).to_have_count(1 + len(CLASSES))


def test_a_seed_repeats_an_answer(opened: Opened) -> None:
    """The button asks again with the seed that was used, and every figure is the same."""
    with opened() as page:
        ask_example(page)
        expect(page.locator("#option-seed")).to_have_value("")
        expect(page.locator("#sameness")).to_have_count(0)
        record = page.locator(".provenance code").inner_text()
        figures = page.evaluate(f"{BARS}.y")
        page.get_by_role("button", name="Repeat with this seed").click()
        expect(page.locator("#sameness")).to_have_text("Identical to the last bit")
        assert record != page.locator(".provenance code").inner_text()
        assert figures == page.evaluate(f"{BARS}.y")
        seed = page.locator("#option-seed").input_value()
        expect(page.locator("#seed-used")).to_contain_text(f"Seed {seed}, 100 passes")


def test_one_pass_is_no_plural(opened: Opened) -> None:
    """Nouns agree with their numbers."""
    with opened() as page:
        page.locator("#panel-try form summary").click()
        page.locator("#option-passes").fill("1")
        ask_example(page)
        expect(page.locator("#seed-used")).to_have_text(re.compile(r"^Seed \d+, 1 pass$"))
        expect(page.locator(".cautions")).to_contain_text(
            "1 pass; the guarantees for sets and decisions need at least 100"
        )


def test_another_question_is_not_called_the_same(opened: Opened) -> None:
    """With other figures in the form nothing is said of sameness."""
    with opened() as page:
        ask_example(page)
        page.locator('[data-feature="loan_amount"]').fill("15500")
        page.get_by_role("button", name="Repeat with this seed").click()
        expect(page.locator("#panel-try .result")).to_have_attribute("aria-busy", "false")
        expect(page.locator("#sameness")).to_have_count(0)


def test_what_is_odd_is_said(opened: Opened) -> None:
    """Warnings and the reasons for a person to look are sentences that name the feature."""
    with opened() as page:
        for name, value in ODD.items():
            page.locator(f'[data-feature="{name}"]').fill("" if value is None else str(value))
        page.locator("#panel-try form summary").click()
        page.locator("#option-passes").fill("10")
        page.get_by_role("button", name="Get grade").click()
        expect(page.locator(".decision")).to_contain_text("A person should look, because a value")
        warned = page.locator(".cautions")
        expect(warned).to_contain_text(
            "Loan amount is 400,000, outside the training range (1,000 to 40,000)"
        )
        expect(warned).to_contain_text("is missing; 17.64 is used instead")
        expect(warned).to_contain_text(
            "10 passes; the guarantees for sets and decisions need at least 100"
        )


def test_faults_stand_at_their_fields(opened: Opened) -> None:
    """A refused value is told at its field, which is gone to; a better one clears it."""
    with opened() as page:
        page.get_by_role("button", name="Fill in the example").click()
        field = page.locator('[data-feature="loan_amount"]')
        expect(field).not_to_have_value("")
        field.fill("-5")
        page.locator('[data-feature="annual_income"]').fill("")
        page.get_by_role("button", name="Get grade").click()
        expect(fault(page, "loan_amount")).to_have_text("Must be 0 or more")
        expect(fault(page, "annual_income")).to_have_text("Required")
        assert "true" == field.get_attribute("aria-invalid")
        expect(field).to_be_focused()
        expect(
            page.get_by_role("alert").filter(has_text="2 fields need a correction")
        ).to_be_visible()
        field.fill("5000")
        assert field.get_attribute("aria-invalid") is None
        expect(fault(page, "loan_amount")).to_have_text("")


def test_faults_are_told_in_korean(opened: Opened) -> None:
    """On the Korean page no word about a wrong field is English, whoever finds the fault."""
    english = re.compile(r"[A-Za-z]{2,}")
    with opened(expected=(422,), locale="ko-KR") as page:
        ask = page.get_by_role("button", name="예측하기", exact=True)
        page.get_by_role("button", name="예시 채우기").click()
        expect(page.locator('[data-feature="loan_amount"]')).not_to_have_value("")
        page.locator('[data-feature="loan_amount"]').fill("-5")
        page.locator('[data-feature="annual_income"]').fill("")
        page.locator('[data-feature="delinq_2y"]').fill("0.5")
        ask.click()
        expect(fault(page, "loan_amount")).to_have_text("0 이상이어야 합니다")
        expect(fault(page, "annual_income")).to_have_text("필수 항목입니다")
        expect(fault(page, "delinq_2y")).to_have_text("정수여야 합니다")
        expect(page.get_by_role("alert").filter(has_text="3개 항목을 수정")).to_be_visible()
        assert not english.search("".join(page.locator(".fault").all_inner_texts()))
        fill(page, SURE)
        page.route("**/predict/mc?*", lambda route: route.fulfill(status=422, json=TOO_SMALL))
        ask.click()
        expect(fault(page, "loan_amount")).to_have_text("1,000 이상이어야 합니다")


TOO_SMALL = {
    "code": "invalid_input",
    "detail": "in English",
    "errors": [
        {"field": "loan_amount", "pointer": "#/loan_amount", "code": "too_small"}
        | {"detail": "in English", "minimum": 1000, "maximum": None}
    ],
}


@pytest.mark.parametrize(
    ("locale", "body", "said"),
    [
        ("ko-KR", {"code": "queue_full"}, "지금은 서비스에 요청이 너무 많습니다"),
        ("ko-KR", {"code": "body_too_large", "limit": 1048576}, "요청이 1,048,576바이트보다"),
        ("ko-KR", {"code": "of_tomorrow"}, "서비스가 요청을 거절했습니다. 다시"),
        ("ko-KR", {}, "서비스가 요청을 거절했습니다. 다시"),
        ("en-GB", {"code": "body_too_large", "limit": 1048576}, "larger than 1,048,576 bytes"),
        ("en-GB", {"code": "of_tomorrow"}, "The service refused the request. Please try again"),
        (
            "ko-KR",
            {
                "code": "invalid_input",
                "errors": [
                    {"field": "draws", "pointer": "?/draws", "code": "too_many_draws"}
                    | {"detail": "are limited", "maximum": 100000}
                ],
            },
            "요청이 올바르지 않습니다. draws: 반복 횟수와 등급 수의 곱이 100,000 이하여야",
        ),
    ],
)
def test_a_refusal_is_told_by_its_code(
    opened: Opened, locale: str, body: dict[str, Any], said: str
) -> None:
    """In the page's language, whatever the service's own sentence is, and also where none fits."""

    def refuse(route: Route) -> None:
        route.fulfill(status=413, json={"detail": "in English", **body})

    with opened(expected=(413,), locale=locale) as page:
        page.route("**/predict/mc?*", refuse)
        fill(page, SURE)
        page.locator("#panel-try button.primary").click()
        notice = page.locator("#panel-try [role=alert] .notice")
        expect(notice).to_contain_text(said)
        expect(notice).not_to_contain_text("in English")


def test_nothing_of_a_row_is_in_an_address_or_kept(opened: Opened) -> None:
    """Figures travel in bodies only, and the browser remembers no more than its user's choices."""
    with opened() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        ask_example(page)
        assert any("/predict/mc?" in url for url in asked)
        assert not any("15000" in url or "loan_amount" in url for url in [*asked, page.url])
        page.locator('label:has(input[name="theme"][value="dark"])').click()
        kept = page.evaluate("Object.keys(localStorage)")
        assert {"dubito.theme"} == set(kept)


def test_the_language_is_switched_and_kept(opened: Opened) -> None:
    """Korean takes the signature's Korean names, keeps what was typed, and is remembered."""
    with opened() as page:
        page.locator('[data-feature="loan_amount"]').fill("7000")
        page.locator('label:has(input[value="ko"])').click()
        expect(page.get_by_role("textbox", name="대출금액")).to_have_value("7,000")
        expect(page.get_by_role("tab", name="모니터링")).to_be_visible()
        assert "ko" == page.evaluate("document.documentElement.lang")
        page.reload()
        expect(page.get_by_role("heading", name="등급 예측")).to_be_visible()
        page.get_by_role("button", name="예시 채우기").click()
        expect(page.locator('[data-feature="loan_amount"]')).not_to_have_value("")
        page.get_by_role("button", name="예측하기").click()
        expect(page.locator(".decision")).to_contain_text("담당자 확인이 필요합니다")


def test_it_speaks_of_loans(opened: Opened) -> None:
    """A bundle whose name says loan is spoken of so, and a feature by the lenders' word."""
    with opened() as page:
        for name in ("Grade a loan", "Monitoring", "Review queue", "Model"):
            expect(page.get_by_role("tab", name=name, exact=True)).to_be_visible()
        assert "Grade a loan · Dubito" == page.title()
        page.get_by_role("tab", name="Monitoring").click()
        expect(page.locator("#tile-rows")).to_contain_text("Loans graded")
        assert page.url.endswith("#watch")


def test_the_model_and_its_card_are_in_the_pages_language(opened: Opened) -> None:
    """Names of facts included; the card follows the language."""
    with opened("#model", locale="ko-KR") as page:
        expect(page.locator(".prose table").first).to_be_visible()
        expect(page.locator(".prose[lang=ko]")).to_contain_text("용도")
        expect(page.get_by_text("모델 카드는 영어로 작성되어 있습니다.")).to_have_count(0)
        named = page.locator("#panel-model .pairs dt").all_inner_texts()
        known = {"keras", "tensorflow", "numpy", "scikit-learn"}
        assert [] == [name for name in named if name.isascii() and name not in known]
        page.locator('label:has(input[value="en"])').click()
        expect(page.get_by_role("heading", name="Model card")).to_be_visible()
        expect(page.get_by_text("The model card is in English.")).to_have_count(0)


def test_the_language_of_the_browser_comes_first(opened: Opened) -> None:
    """Who reads Korean is greeted in Korean."""
    with opened(locale="ko-KR") as page:
        expect(page.get_by_role("tab", name="등급 예측")).to_be_visible()


def test_the_theme_is_switched_and_kept(opened: Opened) -> None:
    """Light, dark or as the device; charts follow, and the choice is remembered."""
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "document.querySelector('.result .chart').layout.font.color"
    with opened(color_scheme="dark") as page:
        ask_example(page)
        dark, pale = page.evaluate(ground), page.evaluate(ink)
        page.locator('label:has(input[value="light"])').click()
        expect(page.locator(".result .chart .main-svg").first).to_be_visible()
        assert dark != page.evaluate(ground)
        until(lambda: pale != page.evaluate(ink))
        page.reload()
        assert "light" == page.evaluate("document.documentElement.dataset.theme")
        page.locator('label:has(input[value="auto"])').click()
        assert dark == page.evaluate(ground)
        page.emulate_media(color_scheme="light")
        expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_tabs_are_walked_by_keyboard(opened: Opened) -> None:
    """Arrow keys, Home and End go from tab to tab; Tab goes into the panel."""
    with opened() as page:
        expect(page.locator("#panel-try form")).to_be_visible()
        page.locator("#tab-try").focus()
        for key, name in [
            ("ArrowRight", "watch"),
            ("ArrowRight", "review"),
            ("End", "model"),
            ("ArrowRight", "try"),
            ("ArrowLeft", "model"),
            ("Home", "try"),
        ]:
            page.keyboard.press(key)
            expect(page.locator(f"#tab-{name}")).to_be_focused()
            expect(page.locator(f"#tab-{name}")).to_have_attribute("aria-selected", "true")
            expect(page.locator(f"#panel-{name}")).to_be_visible()
            assert page.url.endswith(f"#{name}")
        page.keyboard.press("Tab")
        expect(page.locator("#panel-try")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.locator('[data-feature="loan_amount"]')).to_be_focused()


def test_an_answer_is_had_by_keyboard_alone(opened: Opened) -> None:
    """From the top of the page, keys alone reach the example, the answer and its repetition."""
    with opened() as page:
        expect(page.locator("#panel-try form")).to_be_visible()
        press_until(page, "Fill in the example")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Get grade")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#repeat")).to_be_visible()
        press_until(page, "Repeat with this seed")
        page.keyboard.press("Space")
        expect(page.locator("#sameness")).to_have_text("Identical to the last bit")


def press_until(page: Page, name: str) -> None:
    """Press Tab until a button has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if name == page.evaluate("document.activeElement.textContent"):
            return
    raise AssertionError(f"no way to {name!r} by keyboard")


@pytest.mark.parametrize("tab", TABS)
def test_a_phone_needs_no_sideways_scrolling(opened: Opened, tab: str) -> None:
    """At 375 pixels every view fits the width."""
    with opened(f"#{tab}", viewport=PHONE) as page:
        expect(page.locator(f"#panel-{tab} .card").first).to_be_visible()
        if tab == "try":
            ask_example(page)
        widths = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert widths[0] <= widths[1]
