"""Answers that come late, presses that come twice, and fetches that failed once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.app.dashboard.conftest import ODD, SURE, Opened, fill, grade
from tests.service import Service, serving, until

MORE = 51
"""Cases that are more than one part of the list."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service whose cases are those of this module alone."""
    with serving() as service:
        yield service


@pytest.fixture(scope="module")
def cases(service: Service) -> list[str]:
    """Referred cases, the oldest first."""
    return [grade(service, ODD, seed=seed)["id"] for seed in range(MORE)]


@contextmanager
def held(page: Page, path: str) -> Iterator[list[Route]]:
    """Requests to a path, which are answered when the block ends."""
    routes: list[Route] = []
    page.route(path, lambda route: routes.append(route))
    yield routes
    # What it held goes on, and so does whatever is asked from now on.
    page.unroute(path)


def failed_once(page: Page, path: str) -> None:
    """Let the first request to a path fail."""
    page.route(path, lambda route: route.fulfill(status=503), times=1)


def aborted(page: Page) -> list[Request]:
    """The requests that the page ends by itself from now on."""
    found: list[Request] = []
    page.on("requestfailed", lambda request: found.append(request))
    return found


def come(page: Page, found: Sequence[object]) -> None:
    """Wait for the first of what the page is watched for, which it tells while it is asked."""
    until(lambda: page.evaluate("true") and bool(found))


def asked(page: Page, part: str) -> list[str]:
    """The addresses with some part that are asked for from now on."""
    found: list[str] = []
    page.on("request", lambda request: found.append(request.url) if part in request.url else None)
    return found


def test_the_order_that_was_chosen_last_is_shown(opened: Opened, cases: list[str]) -> None:
    """The answer for the order before it is not waited for, and changes nothing."""
    with opened("#review") as page:
        expect(page.locator(".item").first).to_be_visible()
        ended = aborted(page)
        with held(page, "**/reviews?*order=doubtful*") as routes:
            page.locator('.sort[data-order="doubtful"]').click()
            come(page, routes)
            page.locator('.sort[data-order="reference"]').click()
            come(page, ended)
        expect(page.locator('th[aria-sort="ascending"]')).to_contain_text("Reference")
        assert ["order=doubtful" in one.url for one in ended] == [True]


def test_more_is_appended_once(opened: Opened, cases: list[str]) -> None:
    """Whoever presses twice has asked once, and gets every case once."""
    with opened("#review") as page:
        expect(page.locator(".item")).to_have_count(MORE - 1)
        parts = asked(page, "after=")
        with held(page, "**/reviews?*after=*") as routes:
            page.get_by_role("button", name="Show more").dblclick()
            come(page, routes)
        expect(page.locator(".item")).to_have_count(MORE)
        assert len(parts) == 1
        assert cases == [one.get_attribute("data-id") for one in page.locator(".item").all()]


def test_the_case_that_was_chosen_last_is_open(opened: Opened, cases: list[str]) -> None:
    """The one before it is not waited for."""
    with opened("#review") as page:
        ended = aborted(page)
        with held(page, f"**/predictions/{cases[0]}") as routes:
            page.locator(f'.item[data-id="{cases[0]}"]').click()
            come(page, routes)
            page.locator(f'.item[data-id="{cases[1]}"]').click()
            expect(page.locator(f'[data-case="{cases[1]}"]')).to_be_visible()
            assert [cases[0]] == [one.url.rpartition("/")[2] for one in ended]
        expect(page.locator(f'[data-case="{cases[1]}"]')).to_be_visible()


def test_other_values_are_those_of_the_last_press(opened: Opened, cases: list[str]) -> None:
    """A late answer for the values before them is not shown in their place."""
    with opened(f"#review/{cases[0]}") as page:
        ended = aborted(page)
        with held(page, "**/what-if") as routes:
            page.locator("#whatif-value").fill("300000")
            page.locator("#whatif-compare").click()
            come(page, routes)
            page.locator("#whatif-value").fill("200000")
            page.locator("#whatif-compare").click()
            come(page, ended)
        expect(page.locator("#whatif-result")).to_contain_text("400,000 → 200,000")


def test_charts_come_after_their_library_failed_once(opened: Opened) -> None:
    """Where there is no chart that is told, and a view that is opened later draws its own."""
    with opened(expected=(503,)) as page:
        failed_once(page, "**/plotly.min.js")
        fill(page, SURE)
        page.get_by_role("button", name="Get grade").click()
        expect(page.locator("#panel-try .chart")).to_contain_text("could not be loaded")
        page.locator("#tab-watch").click()
        expect(page.locator("#chart-decisions .main-svg").first).to_be_visible()
        page.locator("#tab-try").click()
        expect(page.locator("#panel-try .chart .main-svg").first).to_be_visible()
        expect(page.locator("#panel-try .chart .unavailable")).to_have_count(0)


def test_the_card_comes_after_it_failed_once(opened: Opened) -> None:
    """A view that is opened again asks for it again."""
    with opened(expected=(503,)) as page:
        failed_once(page, "**/model/card?*")
        page.locator("#tab-model").click()
        expect(page.get_by_text("cannot be shown")).to_be_visible()
        page.locator("#tab-try").click()
        page.locator("#tab-model").click()
        expect(page.locator(".prose table").first).to_be_visible()


def test_a_name_that_is_given_is_known_everywhere(opened: Opened, cases: list[str]) -> None:
    """Who reviews a case can list their own from then on."""
    with opened(f"#review/{cases[0]}") as page:
        mine = page.locator("#filter-mine")
        expect(page.locator("#reviewer")).to_be_visible()
        expect(mine).to_have_count(0)
        page.get_by_role("group", name="Your decision").get_by_role("radio", name="C").check()
        page.locator("#reviewer").fill("Kim")
        page.get_by_role("button", name="Save and next").click()
        expect(mine).to_have_count(1)


def test_choices_hold_where_the_browser_keeps_nothing(opened: Opened) -> None:
    """Until the page is closed, in every view."""
    forbid = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    with opened(color_scheme="light") as page:
        page.add_init_script(forbid)
        page.reload()
        page.locator('label:has(input[value="dark"])').click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.locator('label:has(input[value="ko"])').click()
        expect(page.get_by_role("heading", name="등급 예측")).to_be_visible()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize(("tab", "path"), [("watch", "uncertainty"), ("review", "reviews")])
def test_a_refusal_is_told_in_the_language_of_now(opened: Opened, tab: str, path: str) -> None:
    """It stays to be read when the language is switched."""
    body = {"detail": "it is withheld", "code": "records_hidden"}
    with opened(expected=(403,)) as page:
        page.route(f"**/{path}?*", lambda route: route.fulfill(status=403, json=body))
        page.locator(f"#tab-{tab}").click()
        notice = page.locator(f"#panel-{tab} .notice")
        expect(notice).to_contain_text("only on the machine")
        page.locator('label:has(input[value="ko"])').click()
        expect(notice).to_contain_text("컴퓨터에서만")
