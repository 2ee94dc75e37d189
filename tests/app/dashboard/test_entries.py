"""What is typed into the form: separators, what is sent for them, and what cannot be sent."""

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.app.dashboard.conftest import PHONE, Opened

WRONG = [
    ("loan_amount", "1,5", "Must be a number, such as 1,234.5", "숫자여야 합니다. 예: 1,234.5"),
    ("annual_income", "many", "Must be a number, such as 1,234.5", "숫자여야 합니다. 예: 1,234.5"),
    ("total_credit_lines", "2.5", "Must be a whole number", "정수여야 합니다"),
    ("paid_interest", "-1", "Must be 0 or more", "0 이상이어야 합니다"),
    ("delinq_2y", "1000001", "Must be 1,000,000 or less", "1,000,000 이하여야 합니다"),
    ("paid_late_fees", "", "Required", "필수 항목입니다"),
]
"""A feature, what is typed, and what is said of it in English and Korean."""

WIDE = {ord(one): ord(one) + 0xFEE0 for one in "0123456789,."}
"""To the wide forms that an East Asian keyboard writes."""


def field(page: Page, feature: str) -> Locator:
    return page.locator(f'[data-feature="{feature}"]')


def fill_example(page: Page) -> None:
    page.locator("#panel-try form button[type=button]").click()
    expect(field(page, "loan_amount")).not_to_have_value("")


def sent(page: Page) -> list[tuple[str, Any]]:
    """The rows that are sent from now on, with what stands in the address."""
    found: list[tuple[str, Any]] = []
    page.on(
        "request",
        lambda request: (
            found.append((request.url, json.loads(request.post_data or "")))
            if request.method == "POST"
            else None
        ),
    )
    return found


def test_numbers_are_shown_with_separators(opened: Opened) -> None:
    """The example's figures have them, and what was typed gets them once its field is left."""
    with opened() as page:
        fill_example(page)
        expect(field(page, "loan_amount")).to_have_value("15,000")
        field(page, "annual_income").fill("1234567.125")
        expect(field(page, "annual_income")).to_have_value("1234567.125")
        field(page, "annual_income").blur()
        expect(field(page, "annual_income")).to_have_value("1,234,567.125")
        page.locator('label:has(input[value="ko"])').click()
        expect(field(page, "annual_income")).to_have_value("1,234,567.125")


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("1,234,567.5", 1234567.5),
        ("1234567.5", 1234567.5),
        ("1 234 567.5", 1234567.5),
        ("12,345.5".translate(WIDE), 12345.5),
        ("0.1", 0.1),
        ("123456789012", 123456789012),
        ("999,999,999,999.9999", 999999999999.9999),
        (".5", 0.5),
        ("2e5", 200000),
    ],
)
def test_exactly_what_is_typed_is_sent(opened: Opened, typed: str, number: float) -> None:
    """Separators are only for reading: the number that is sent is the one that was meant."""
    with opened() as page:
        fill_example(page)
        rows = sent(page)
        field(page, "annual_income").fill(typed)
        page.get_by_role("button", name="Get grade").click()
        expect(page.locator("#seed-used")).to_be_visible()
        ((_, row),) = rows
        assert number == row["annual_income"]


def test_passes_and_seed_are_details(opened: Opened) -> None:
    """They are folded until they are wanted, take separators, and stay open when all is redrawn."""
    with opened() as page:
        fill_example(page)
        expect(page.locator("#option-seed")).not_to_be_visible()
        page.locator("form summary", has_text="Details").click()
        page.locator("#option-passes").fill("1,000")
        page.locator("#option-seed").fill("9,007,199,254,740,991")
        rows = sent(page)
        page.get_by_role("button", name="Get grade").click()
        expect(page.locator("#seed-used")).to_have_text("Seed 9007199254740991, 1,000 passes")
        ((url, _),) = rows
        assert "draws=true&passes=1000&seed=9007199254740991" == url.partition("?")[2]
        page.locator('label:has(input[value="ko"])').click()
        expect(page.locator("#panel-try form summary")).to_have_text("세부 설정")
        expect(page.locator("#option-seed")).to_be_visible()


def test_a_hidden_entry_that_is_wrong_is_unfolded(opened: Opened) -> None:
    """A fault is never told where nobody sees it."""
    with opened() as page:
        fill_example(page)
        page.locator("#panel-try form summary").click()
        page.locator("#option-passes").fill("0")
        page.locator("#panel-try form summary").click()
        page.get_by_role("button", name="Get grade").click()
        expect(page.locator("#option-passes-fault")).to_be_visible()
        expect(page.locator("#option-passes-fault")).to_have_text("Must be 1 or more")


@pytest.mark.parametrize("language", ["en-GB", "ko-KR"])
def test_wrong_entries_are_told_without_the_service(opened: Opened, language: str) -> None:
    """Each is told at its field in the page's language, and nothing is sent."""
    with opened(locale=language) as page:
        fill_example(page)
        rows = sent(page)
        for feature, typed, *_ in WRONG:
            field(page, feature).fill(typed)
        page.locator("#panel-try form button[type=submit]").click()
        for feature, _, english, korean in WRONG:
            said = page.locator(f'.field:has([data-feature="{feature}"]) .fault')
            expect(said).to_have_text(english if language == "en-GB" else korean)
        assert [] == rows


@pytest.mark.parametrize(
    ("language", "said"),
    [("en-GB", "8 fields need a value."), ("ko-KR", "8개 항목의 값이 필요합니다.")],
)
def test_an_empty_form_says_what_it_needs(opened: Opened, language: str, said: str) -> None:
    """All fields but the one that may be empty."""
    with opened(locale=language) as page:
        page.locator("#panel-try form button[type=submit]").click()
        expect(page.get_by_role("alert").filter(has_text=said)).to_be_visible()


@pytest.mark.parametrize(
    ("language", "label", "hint"),
    [
        ("en-GB", "Accounts delinquent now (count)", "always 0 in training"),
        ("en-GB", "Debt-to-income ratio (DTI, %)", "may be empty"),
        ("ko-KR", "연체계좌수(개)", "학습에서는 항상 0"),
        ("ko-KR", "소득 대비 부채 비율(DTI, %)", "비워도 됨"),
        ("ko-KR", "최근 2년간 연체 횟수(회)", "학습 범위 0–13"),
        ("ko-KR", "납부한 연체료(통화 단위)", "학습 범위 0–52.98"),
    ],
)
def test_fields_are_named_as_lenders_do(
    opened: Opened, language: str, label: str, hint: str
) -> None:
    """A label has its unit, and a hint what training saw."""
    with opened(locale=language, viewport=PHONE) as page:
        asked = page.locator(".field", has=page.get_by_role("textbox", name=label, exact=True))
        expect(asked.locator(".hint")).to_contain_text(hint)
