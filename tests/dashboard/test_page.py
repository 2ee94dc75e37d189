"""What a person does with the page: asks, watches, reviews, reads of the model."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.conftest import ODD, PHONE, Opened, grade
from tests.service import Service, until

CLASSES = list("ABCDEFG")
TABS = ["try", "watch", "review", "model"]
SLOW_MS = 30_000
BARS = "document.querySelector('.result .chart').data[0]"


@pytest.fixture(autouse=True)
def patience() -> None:
    """A busy machine may take its time."""
    expect.set_options(timeout=SLOW_MS)


def ask_example(page: Page) -> None:
    """Fill in the example, ask, and wait until the answer is drawn."""
    page.get_by_role("button", name="Fill in the example").click()
    expect(page.locator("#field-loan_amount")).not_to_have_value("")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".result .chart .main-svg").first).to_be_visible()


def test_the_form_is_the_signature(opened: Opened, service: Service) -> None:
    """Every feature of the model has a field with its title, what training saw, and its step."""
    with opened() as page:
        expect(page.locator("form .field")).to_have_count(9 + 2)
        model = page.request.get(f"{service.url}/model").json()
        for feature in model["features"]:
            field = page.get_by_role("spinbutton", name=feature["title"])
            assert ("1" if feature["kind"] == "integer" else "any") == field.get_attribute("step")
            assert (None if feature["nullable"] else "true") == field.get_attribute("aria-required")
            hint = field.get_attribute("aria-describedby") or ""
            expect(page.locator(f"#{hint.split()[0]}")).to_contain_text("seen")


def test_an_answer_is_shown(opened: Opened) -> None:
    """A grade, a sentence, a bar with its spread for every class, and a dot for every pass."""
    with opened() as page:
        ask_example(page)
        shown = page.locator(".verdict .tile").inner_text()
        assert shown in CLASSES
        expect(page.locator(".decision")).to_contain_text(f"Grade {shown} may be used")
        expect(page.locator(".says .small")).to_contain_text("say nothing about whether")
        bars = page.evaluate(f"({{ y: {BARS}.y, spread: {BARS}.error_y.arrayminus }})")
        assert len(CLASSES) == len(bars["y"]) == len(bars["spread"])
        assert all(spread > 0 for spread in bars["spread"])
        expect(page.locator(".chart .bars .point")).to_have_count(len(CLASSES))
        expect(page.locator(".chart .errorbar")).to_have_count(len(CLASSES))
        expect(page.locator(".chart .scatterlayer .point")).to_have_count(100 * len(CLASSES))
        expect(page.get_by_role("img", name="Likelihood of each grade: A ")).to_be_visible()
        expect(page.get_by_role("img", name="nats of doubt")).to_be_visible()
        expect(page.get_by_role("status").first).to_contain_text(f"Grade {shown}, ")


def test_the_figures_are_in_a_table_too(opened: Opened) -> None:
    """What the picture shows stands in a table, grade by grade."""
    with opened() as page:
        ask_example(page)
        page.locator("#panel-try summary").click()
        expect(page.locator("#panel-try tr")).to_have_count(1 + len(CLASSES))


def test_a_seed_repeats_an_answer(opened: Opened) -> None:
    """The button asks again with the seed that was used, and every figure is the same."""
    with opened() as page:
        ask_example(page)
        expect(page.locator("#field-seed")).to_have_value("")
        expect(page.locator("#sameness")).to_have_count(0)
        record = page.locator(".provenance code").inner_text()
        figures = page.evaluate(f"{BARS}.y")
        page.get_by_role("button", name="Repeat with this seed").click()
        expect(page.locator("#sameness")).to_have_text("Identical to the last bit")
        assert record != page.locator(".provenance code").inner_text()
        assert figures == page.evaluate(f"{BARS}.y")
        seed = page.locator("#field-seed").input_value()
        expect(page.locator("#seed-used")).to_contain_text(f"Seed {seed}, 100 passes")


def test_another_question_is_not_called_the_same(opened: Opened) -> None:
    """With other figures in the form nothing is said of sameness."""
    with opened() as page:
        ask_example(page)
        page.locator("#field-loan_amount").fill("15500")
        page.get_by_role("button", name="Repeat with this seed").click()
        expect(page.locator("#panel-try .result")).to_have_attribute("aria-busy", "false")
        expect(page.locator("#sameness")).to_have_count(0)


def test_what_is_odd_is_said(opened: Opened) -> None:
    """Warnings and the reasons for a person to look are sentences that name the feature."""
    with opened() as page:
        for name, value in ODD.items():
            page.locator(f"#field-{name}").fill("" if value is None else str(value))
        page.locator("#field-passes").fill("10")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator(".decision")).to_contain_text("A person should look, because a value")
        warned = page.locator(".cautions")
        expect(warned).to_contain_text(
            "Amount of the loan is 400,000; training saw 1,000 to 40,000"
        )
        expect(warned).to_contain_text("is missing; 17.64 is put in its place")
        expect(warned).to_contain_text("10 passes; sets and decisions hold from 100 on")


def test_faults_stand_at_their_fields(opened: Opened) -> None:
    """A refused value is told at its field, which is gone to; a better one clears it."""
    with opened(expected=(422,)) as page:
        page.get_by_role("button", name="Fill in the example").click()
        field = page.locator("#field-loan_amount")
        expect(field).not_to_have_value("")
        field.fill("-5")
        page.locator("#field-annual_income").fill("")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#field-loan_amount-fault")).to_contain_text("greater than or equal")
        expect(page.locator("#field-annual_income-fault")).to_have_text("Is missing")
        assert "true" == field.get_attribute("aria-invalid")
        expect(field).to_be_focused()
        expect(page.get_by_role("alert").filter(has_text="another look: 2")).to_be_visible()
        field.fill("5000")
        assert field.get_attribute("aria-invalid") is None
        expect(page.locator("#field-loan_amount-fault")).to_have_text("")


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
        expect(page.locator("#drift tbody tr").first).to_contain_text("Amount of the loan")
        expect(page.locator(".alarm")).to_have_count(2)


def test_the_watch_asks_again_where_nothing_streams(opened: Opened, service: Service) -> None:
    """Without a stream the figures are asked for every few seconds, by their tag."""
    with opened(expected=(404,)) as page:
        page.route("**/uncertainty/stream*", lambda route: route.fulfill(status=404))
        page.get_by_role("tab", name="Watch").click()
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
        expect(case.get_by_role("table")).to_contain_text("outside of training")
        expect(case.locator(".bars li")).to_have_count(len(CLASSES))
        case.get_by_role("button", name="Save and go on").click()
        expect(page.get_by_role("alert").filter(has_text="Choose a grade")).to_be_visible()
        case.get_by_role("group", name="The right grade").get_by_role("radio", name="C").check()
        case.get_by_label("Note").fill("Too large by a digit.")
        case.get_by_label("Your name").fill("Kim")
        case.get_by_role("button", name="Save and go on").click()
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
        page.get_by_role("group", name="The right grade").get_by_role("radio", name="A").check()
        page.get_by_label("Your name").fill("Kim")
        page.get_by_role("button", name="Save and go on").click()
        expect(page.locator(".notice")).to_contain_text("Somebody else has reviewed this case")
        expect(page.locator("#review-done")).to_contain_text("grade D, by Lee")


def test_an_outcome_is_told(opened: Opened, service: Service) -> None:
    """A true grade is recorded with its case, and shows in the pictures of what is right."""
    case = grade(service, ODD, seed=31)["id"]
    with opened(f"#review/{case}") as page:
        page.get_by_role("group", name="The true grade").get_by_role("radio", name="B").check()
        page.get_by_role("button", name="Record", exact=True).click()
        expect(page.locator("#outcome-done")).to_contain_text("True grade B")
        page.get_by_role("tab", name="Watch").click()
        expect(page.locator("#chart-reliability .main-svg").first).to_be_visible()
        expect(page.locator(".outcomes")).to_contain_text("known outcomes")


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
        for figure in ("97.1%", model["environment"]["facts"]["numpy"], "Calibration error"):
            expect(panel).to_contain_text(figure)
        expect(panel.get_by_role("heading", name="What it is for")).to_be_visible()
        expect(panel.locator(".prose table").first).to_be_visible()
        assert 0 == panel.locator(".prose script, .prose img").count()


def test_the_language_is_switched_and_kept(opened: Opened) -> None:
    """Korean takes the signature's Korean names, keeps what was typed, and is remembered."""
    with opened() as page:
        page.locator("#field-loan_amount").fill("7000")
        page.locator('label:has(input[value="ko"])').click()
        expect(page.get_by_role("spinbutton", name="대출금액")).to_have_value("7000")
        expect(page.get_by_role("tab", name="지켜보기")).to_be_visible()
        assert "ko" == page.evaluate("document.documentElement.lang")
        page.reload()
        expect(page.get_by_role("heading", name="등급 묻기")).to_be_visible()
        page.get_by_role("button", name="예시 채우기").click()
        page.get_by_role("button", name="묻기", exact=True).click()
        expect(page.locator(".decision")).to_contain_text("사람의 확인 없이")


def test_the_language_of_the_browser_comes_first(opened: Opened) -> None:
    """Who reads Korean is greeted in Korean."""
    with opened(locale="ko-KR") as page:
        expect(page.get_by_role("tab", name="등급 묻기")).to_be_visible()


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
        expect(page.locator("form")).to_be_visible()
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
        expect(page.locator("#field-loan_amount")).to_be_focused()


def test_an_answer_is_had_by_keyboard_alone(opened: Opened) -> None:
    """From the top of the page, keys alone reach the example, the answer and its repetition."""
    with opened() as page:
        expect(page.locator("form")).to_be_visible()
        press_until(page, "Fill in the example")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Ask", exact=True)).to_be_focused()
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


@pytest.mark.parametrize("tab", ["watch", "review"])
@pytest.mark.parametrize(
    ("status", "said"), [(404, "keeps no records"), (403, "only on the machine")]
)
def test_what_is_withheld_is_told(opened: Opened, tab: str, status: int, said: str) -> None:
    """Where nothing is recorded or shown, one sentence stands in place of the view."""

    def refuse(route: Route) -> None:
        route.fulfill(status=status, json={"detail": "it is withheld"})

    with opened(expected=(status,)) as page:
        page.route("**/uncertainty?*", refuse)
        page.route("**/reviews?*", refuse)
        page.locator(f"#tab-{tab}").click()
        expect(page.locator(f"#panel-{tab} .notice")).to_contain_text(said)
