"""What a person does with the page beyond asking: watches, reviews, reads of the model."""

import pytest
from playwright.sync_api import Route, expect

from tests.app.dashboard.conftest import ODD, Opened, grade
from tests.service import Service

CLASSES = list("ABCDEFG")


def test_the_watch_is_live(opened: Opened, service: Service) -> None:
    """While requests run, rows come into an open chart by themselves."""
    with opened("#watch") as page:
        chart = page.locator("#chart-decisions")
        expect(page.locator("p.live")).to_contain_text("Live")
        expect(chart.locator(".main-svg").first).to_be_visible()
        before = int(chart.get_attribute("data-rows") or 0)
        for seed in range(3):
            grade(service, ODD, seed=seed)
        expect(chart).to_have_attribute("data-rows", str(before + 3))
        drawn = "Array.from(document.querySelector('#chart-decisions').data[1].y)"
        assert sum(page.evaluate(drawn)) >= 3
        assert int(chart.get_attribute("data-points") or 0) >= 1
        grade(service, ODD, seed=3)
        expect(chart).to_have_attribute("data-rows", str(before + 4))
        expect(page.locator("#tile-rows .amount")).to_have_text(str(before + 4))
        expect(page.get_by_role("img", name="Over time: ").first).to_be_visible()
        expect(page.locator("#drift tbody tr").first).to_contain_text("Loan amount")
        expect(page.locator(".alarm")).to_have_count(2)


def test_the_watch_asks_again_where_nothing_streams(opened: Opened, service: Service) -> None:
    """Without a stream the figures are asked for every few seconds, by their tag."""
    with opened(expected=(404,)) as page:
        page.route("**/uncertainty/stream*", lambda route: route.fulfill(status=404))
        page.get_by_role("tab", name="Monitoring").click()
        expect(page.locator("p.live")).to_contain_text("Every few seconds")
        before = int(page.locator("#chart-decisions").get_attribute("data-rows") or 0)
        grade(service, ODD)
        expect(page.locator("#chart-decisions")).to_have_attribute("data-rows", str(before + 1))


def test_windows_are_chosen(opened: Opened) -> None:
    """Another window asks for other steps."""
    with opened("#watch") as page:
        expect(page.locator("#tile-rows")).to_be_visible()
        with page.expect_request("**/uncertainty?window=30d&step=1d"):
            page.locator('label:has(input[value="30d"])').click()


def test_a_case_is_reviewed(opened: Opened, service: Service) -> None:
    """The queue opens a case, shows why it waits, takes a grade and goes on to the next."""
    cases = [grade(service, ODD, seed=seed)["id"] for seed in (11, 12)]
    with opened("#review") as page:
        waiting = page.locator("#waiting")
        expect(page.locator(f'.item[data-id="{cases[0]}"]')).to_be_visible()
        before = int(waiting.get_attribute("data-waiting") or 0)
        page.locator(f'.item[data-id="{cases[0]}"]').click()
        case = page.locator(f'[data-case="{cases[0]}"]')
        expect(case.locator(".decision")).to_contain_text("A person should look")
        expect(case.get_by_role("table")).to_contain_text("outside the training range")
        expect(case.locator(".bars li")).to_have_count(len(CLASSES))
        case.get_by_role("button", name="Save and next").click()
        expect(page.get_by_role("alert").filter(has_text="Choose a grade")).to_be_visible()
        case.get_by_role("group", name="Your decision").get_by_role("radio", name="C").check()
        case.get_by_label("Note").fill("Too large by a digit.")
        case.get_by_label("Your name").fill("Kim")
        case.get_by_role("button", name="Save and next").click()
        expect(waiting).to_have_attribute("data-waiting", str(before - 1))
        expect(page.locator(f'.item[data-id="{cases[0]}"]')).to_have_count(0)
        expect(page.locator(f'[data-case="{cases[1]}"]')).to_be_visible()
        expect(page.get_by_label("Your name")).to_have_value("Kim")
        page.goto(f"{service.url}/#review/{cases[0]}")
        expect(page.locator("#review-done")).to_contain_text("Reviewed: grade C, by Kim")
        expect(page.locator("blockquote")).to_have_text("Too large by a digit.")


def test_two_reviewers_are_told_of_each_other(opened: Opened, service: Service) -> None:
    """Who comes second with another grade is told so, and sees what the first one said."""
    case = grade(service, ODD, seed=21)["id"]
    with opened(f"#review/{case}", expected=(409,)) as page:
        expect(page.get_by_label("Your name")).to_be_visible()
        body = {"grade": "D", "note": "", "reviewer": "Lee"}
        assert page.request.post(f"{service.url}/reviews/{case}", data=body).ok
        page.get_by_role("group", name="Your decision").get_by_role("radio", name="A").check()
        page.get_by_label("Your name").fill("Kim")
        page.get_by_role("button", name="Save and next").click()
        expect(page.locator("#review-done")).to_contain_text("grade D, by Lee")
        expect(page.locator(".notice")).to_contain_text("Somebody else has reviewed this loan")


def test_an_outcome_is_told(opened: Opened, service: Service) -> None:
    """A true grade is recorded with its case, and shows in the pictures of what is right."""
    case = grade(service, ODD, seed=31)["id"]
    with opened(f"#review/{case}") as page:
        page.locator("#outcome > summary").click()
        page.get_by_role("group", name="Actual grade").get_by_role("radio", name="B").check()
        page.get_by_role("button", name="Record", exact=True).click()
        expect(page.locator("#outcome-done")).to_contain_text("Actual grade B")
        page.get_by_role("tab", name="Monitoring").click()
        expect(page.locator("#chart-reliability .main-svg").first).to_be_visible()
        expect(page.locator(".outcomes")).to_contain_text("1 known outcome:")


def test_a_case_that_is_not_there_is_told(opened: Opened) -> None:
    """An unknown identifier is answered with a sentence."""
    with opened("#review/01a213cc-9a16-76f3-a1f5-1b43de5803bf", expected=(404,)) as page:
        expect(page.get_by_text("No such case is recorded.")).to_be_visible()


def test_the_model_is_shown(opened: Opened, service: Service) -> None:
    """Digest, promises, a picture for every feature, environment and the whole card."""
    with opened("#model", permissions=["clipboard-read", "clipboard-write"]) as page:
        model = page.request.get(f"{service.url}/model").json()
        panel = page.locator("#panel-model")
        expect(panel).to_contain_text(model["digest"])
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert model["digest"] == page.evaluate("navigator.clipboard.readText()")
        expect(panel.locator("svg.histogram")).to_have_count(len(model["features"]))
        for figure in ("93.7%", model["environment"]["facts"]["engine"], "Calibration error"):
            expect(panel).to_contain_text(figure)
        expect(panel.get_by_role("heading", name="What it is for")).to_be_visible()
        expect(panel.locator(".prose table").first).to_be_visible()
        assert 0 == panel.locator(".prose script, .prose img").count()


@pytest.mark.parametrize("tab", ["watch", "review"])
@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (404, "no_such_address", "keeps no records"),
        (403, "records_hidden", "only on the machine"),
    ],
)
def test_what_is_withheld_is_told(
    opened: Opened, tab: str, status: int, code: str, said: str
) -> None:
    """Where nothing is recorded or shown, one sentence stands in place of the view."""

    def refuse(route: Route) -> None:
        route.fulfill(status=status, json={"detail": "it is withheld", "code": code})

    with opened(expected=(status,)) as page:
        page.route("**/uncertainty?*", refuse)
        page.route("**/reviews?*", refuse)
        page.locator(f"#tab-{tab}").click()
        expect(page.locator(f"#panel-{tab} .notice")).to_contain_text(said)
