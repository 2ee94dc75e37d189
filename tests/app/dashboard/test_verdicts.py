"""What is said of an answer: the decision, and what is guaranteed of decisions like it."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.app.dashboard.conftest import ODD, SURE, Opened, fill

SMALL_PHONE = {"width": 390, "height": 844}
GUARANTEE = {"en-GB": "decided automatically", "ko-KR": "자동 처리된"}


def ask(page: Page, changes: dict[str, Any]) -> None:
    """Get a grade for a loan about which the network is sure, with some of its values changed."""
    fill(page, SURE | changes)
    page.locator("#panel-try form button[type=submit]").click()
    expect(page.locator(".verdict")).to_be_visible()


def changed(page: Page, path: str, change: Any) -> None:
    """Let the service's answer to a path be changed on its way."""

    def pass_on(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        change(body)
        route.fulfill(response=answer, json=body)

    page.route(path, pass_on)


def test_an_automatic_grade_has_its_own_likelihood_beside_it(opened: Opened) -> None:
    """The decision is one word; the guarantee is of all loans that are decided so, not of this."""
    with opened() as page:
        ask(page, {})
        beside = page.locator(".verdict .beside")
        expect(beside.locator(".decision")).to_have_text("✓Automatic")
        expect(beside.locator(".likely")).to_contain_text("% likely ±")
        expect(page.locator(".verdict .small")).to_contain_text(
            "Of all loans decided automatically, at most 1% are graded wrongly"
        )
        expect(page.locator(".possible .lead")).to_have_text("Possible grades (99% set)")


@pytest.mark.parametrize(
    ("language", "share", "no_probability"),
    [
        (
            "en-GB",
            "Of many loans like those of the calibration, about 99% have a set that holds",
            "not the probability for this loan",
        ),
        (
            "ko-KR",
            "많은 대출 가운데 약 99%에서 집합이 올바른",
            "이 대출 하나에 대한 확률이 아닙니다",
        ),
    ],
)
def test_a_set_promises_nothing_of_one_loan(
    opened: Opened, language: str, share: str, no_probability: str
) -> None:
    """Its coverage is a share of many loans, and is told as that."""
    with opened(locale=language) as page:
        ask(page, {})
        expect(page.locator(".possible")).to_contain_text(share)
        expect(page.locator(".possible")).to_contain_text(no_probability)


@pytest.mark.parametrize(
    ("language", "said"),
    [("en-GB", "not for this loan by itself"), ("ko-KR", "이 대출 하나에 대한 것이 아닙니다")],
)
def test_an_automatic_grade_promises_nothing_of_one_loan(
    opened: Opened, language: str, said: str
) -> None:
    """What is guaranteed is a share of all loans that are decided so."""
    with opened(locale=language) as page:
        ask(page, {})
        expect(page.locator(".verdict .small")).to_contain_text(said)


@pytest.mark.parametrize("language", ["en-GB", "ko-KR"])
def test_a_referred_grade_is_guaranteed_nothing(opened: Opened, language: str) -> None:
    """It has its likelihood and the reasons, and no text of a guarantee that is not for it."""
    with opened(locale=language) as page:
        ask(page, ODD)
        expect(page.locator(".decision")).to_have_attribute("data-action", "refer")
        expect(page.locator(".verdict .likely strong")).to_contain_text("%")
        expect(page.locator(".verdict")).not_to_contain_text(GUARANTEE[language])
        expect(page.locator(".verdict")).not_to_contain_text("95%")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en-GB",
            "at most 1% are graded wrongly; of the least sure 10% of them at most 10% (95%",
        ),
        ("ko-KR", "최대 1%이고, 그중 가장 불확실한 10%에서는 최대 10%입니다(신뢰수준 95%)"),
    ],
)
def test_the_least_sure_have_a_guarantee_of_their_own(
    opened: Opened, language: str, said: str
) -> None:
    """Where a bundle promises something of the least sure, their share and its limit are told."""

    def model(body: dict[str, Any]) -> None:
        for line in body["calibration"]["promises"]:
            line["band"] = {"bound": 0.1, "share": 0.1, "automated": 0.1, "wrong": 0.04}
        body["calibration"] |= {"case_limit": 0.1, "likelihood": 0.5}

    def answer(body: dict[str, Any]) -> None:
        body["decision"] |= {"target": 0.01, "case_limit": 0.1}

    with opened(locale=language) as page:
        changed(page, "**/model", model)
        changed(page, "**/predict/mc?*", answer)
        page.reload()
        ask(page, {})
        expect(page.locator(".verdict .small")).to_contain_text(said)


def test_the_coverage_is_the_answers(opened: Opened) -> None:
    """The set is named by the coverage that it has, whatever is usual."""

    def answer(body: dict[str, Any]) -> None:
        body["prediction_set"]["coverage"] = 0.955

    with opened() as page:
        changed(page, "**/predict/mc?*", answer)
        ask(page, {})
        expect(page.locator(".possible .lead")).to_have_text("Possible grades (95.5% set)")


@pytest.mark.parametrize("language", ["en-GB", "ko-KR"])
@pytest.mark.parametrize("changes", [{}, ODD], ids=["automatic", "referred"])
def test_the_first_screen_of_a_phone_has_the_verdict(
    opened: Opened, language: str, changes: dict[str, Any]
) -> None:
    """After an answer neither the grade nor the decision with its reasons is to be scrolled to."""
    with opened(locale=language, viewport=SMALL_PHONE) as page:
        ask(page, changes)
        for part in (".verdict .tile", ".verdict h3", ".verdict .likely", ".verdict .decision"):
            expect(page.locator(part)).to_be_in_viewport(ratio=1)
        place = page.locator(".verdict").bounding_box()
        header = page.locator(".top").bounding_box()
        assert place is not None
        assert header is not None
        assert place["y"] >= header["y"] + header["height"]


def test_what_was_always_the_same_is_told_so(opened: Opened) -> None:
    """A value outside the training range where training had one value alone."""
    with opened() as page:
        ask(page, {"current_accounts_delinq": 2})
        expect(page.locator(".cautions")).to_contain_text(
            "Accounts delinquent now is 2; it was always 0 in training."
        )
