"""The page of a bundle that predicts a number: answers, intervals, reviews, outcomes, figures."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.app.dashboard.conftest import PHONE, Opened
from tests.app.dashboard.test_access import faults
from tests.app.dashboard.test_widths import fits
from tests.app.dashboard.test_wire import check_types
from tests.claims import sample
from tests.rents import FLAT, number_bundle
from tests.service import Service, serving

pytestmark = pytest.mark.claim("the page with numbers", test=1, proof=1)
KNOWN = 20


@pytest.fixture(scope="module", params=sample(["normal", "point"], ["normal"]))
def head(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def service(head: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    models, state = number_bundle(head).parent.parent, tmp_path_factory.mktemp("state")
    with serving("flat-rent", "--models", str(models), "--state", str(state)) as service:
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        yield client


def ask(client: httpx.Client, **query: Any) -> Any:
    return client.post("/predict/mc", json=FLAT, params=query).raise_for_status().json()


def fill(page: Page) -> None:
    for at, value in enumerate(["71.5", "3", None, "gas", "south"]):
        if value is not None:
            page.locator(f"#feature-{at}").fill(value)
    page.locator("#feature-2").select_option("true")


def submitted(page: Page) -> None:
    fill(page)
    page.locator("form button.primary").click()
    expect(page.locator("#panel-try .main-svg").first).to_be_visible()


def euros(value: float) -> str:
    return f"{value:,.0f} €"


def test_an_answer_has_its_interval(opened: Opened, client: httpx.Client, head: Any) -> None:
    """The number, from where to where, the decision and what the deviations are."""
    with opened() as page:
        submitted(page)
        seed = int(page.locator("#seed-used").inner_text().split()[1].strip(","))
        answer = ask(client, seed=seed)
        interval = answer["interval"]
        expect(page.locator(".hero-number")).to_have_text(euros(answer["mean"]))
        said = f"{euros(interval['lower'])} to {euros(interval['upper'])} (99% interval)"
        expect(page.locator(".verdict")).to_contain_text(said)
        expect(page.locator(".verdict h3")).to_have_text("Monthly rent")
        action = answer["decision"]["action"]
        expect(page.locator(".decision")).to_have_attribute("data-action", action)
        kinds = page.locator("dl.kinds")
        expect(kinds).to_contain_text(f"{answer['std']:,.1f} €")
        assert (head == "normal") == ("From the data" in kinds.inner_text())
        expect(page.get_by_role("img", name="Mean of the passes")).to_be_visible()
        drawn = page.evaluate("document.querySelector('#panel-try .js-plotly-plot').data")
        assert [interval["lower"], interval["upper"]] == drawn[-1]["x"]
        assert sum(drawn[0]["y"]) == pytest.approx(1)
        page.locator("#repeat").click()
        expect(page.locator("#sameness")).to_have_text("Identical to the last bit")


def test_a_case_is_reviewed_with_a_number(opened: Opened, client: httpx.Client) -> None:
    """A number with separators; the actual one later; both are told, and corrected."""
    case = ask(client, passes=2)
    with opened(f"#review/{case['id']}") as page:
        page.locator("#review-value").fill("many")
        page.locator("#reviewer").fill("Kim")
        page.locator(".judge button.primary").click()
        expect(page.locator("#review-fault")).to_have_text("Must be a number, such as 1,234.5")
        page.locator("#review-value").fill("1,050.25")
        page.locator(".judge button.primary").click()
        expect(page.locator("#panel-review")).to_contain_text("Saved.")
        page.goto(f"{page.url.split('#')[0]}#review/{case['id']}")
        expect(page.locator("#review-done")).to_contain_text("Reviewed: 1,050.25 €, by Kim")
        page.locator("#outcome summary").click()
        page.locator("#outcome-value").fill("1100")
        page.locator(".outcome-card button[type=submit]").click()
        expect(page.locator("#outcome-done")).to_contain_text("Actual number 1,100 €")
        expect(page.locator("#history")).to_contain_text("1,050.25 €")
    found = client.get(f"/predictions/{case['id']}").json()
    assert (1050.25, 1100) == (found["review"]["value"], found["outcome"]["value"])


def test_what_if_compares_numbers(opened: Opened, client: httpx.Client) -> None:
    """Number, bounds and deviation side by side; and the same computed again."""
    case = ask(client, seed=5)
    after = client.post(
        f"/predictions/{case['id']}/what-if", json={"features": {"space": 90}}
    ).json()["corrected"]
    with opened(f"#review/{case['id']}") as page:
        page.locator("#whatif-value").fill("90")
        page.locator("#whatif-compare").click()
        expect(page.locator("#whatif-after")).to_contain_text(euros(after["mean"]))
        expect(page.locator("#whatif-result table")).to_contain_text("upper bound")
        page.locator("#replay").click()
        expect(page.locator("#replayed")).to_contain_text("Identical to the last bit")


def test_the_figures_are_of_numbers(opened: Opened, client: httpx.Client) -> None:
    """Values beside training's, deviations and widths, errors and coverage of known outcomes."""
    for at in range(KNOWN):
        one = ask(client, seed=at)
        path = f"/predictions/{one['id']}/outcome"
        client.put(path, json={"value": one["mean"] + at}).raise_for_status()
    with opened("#watch") as page:
        expect(page.locator(".outcomes")).to_contain_text("root mean squared error")
        expect(page.locator(".outcomes table")).to_contain_text("99%")
        for name in ("values", "std", "width", "decisions", "reasons"):
            expect(page.locator(f"#chart-{name} .main-svg").first).to_be_visible()
        expect(page.locator("#tile-deviation .amount")).to_contain_text("€")
        expect(page.locator("#chart-grades")).to_have_count(0)
        expect(page.locator("#drift")).to_contain_text("Model uncertainty")


def test_the_model_is_shown(opened: Opened, head: Any) -> None:
    """The number that it predicts, what training saw of it, its errors and guarantees."""
    with opened("#model") as page:
        panel = page.locator("#panel-model")
        expect(panel).to_contain_text("Monthly rent (€)")
        expect(panel).to_contain_text("Root mean squared error")
        expect(panel).to_contain_text("Misses among them")
        head_told = {"normal": "the mean and the variance", "point": "the number itself"}[head]
        expect(panel).to_contain_text(head_told)
        expect(page.locator(".prose")).to_contain_text("An interval is a promise over many rows")


def test_lists_name_numbers(opened: Opened, client: httpx.Client) -> None:
    """In every state, with no grade to filter by."""
    case = ask(client, passes=2)
    with opened("#review") as page:
        row = page.locator(f"tr[data-id='{case['id']}']")
        expect(row).to_contain_text(euros(case["mean"]))
        expect(row).to_contain_text("few passes")
        expect(page.locator("#filter-grade")).to_have_count(0)
        page.get_by_role("radio", name="All cases").check()
        expect(row).to_contain_text("referred")


@pytest.mark.parametrize(
    "look", [{}, {"viewport": PHONE, "locale": "ko-KR"}], ids=["desk", "phone"]
)
def test_nobody_is_kept_out_and_nothing_is_too_wide(
    opened: Opened, client: httpx.Client, look: dict[str, Any]
) -> None:
    """Of every view, also on a phone in Korean: axe finds nothing grave."""
    case = ask(client, seed=1)
    with opened(**look) as page:
        submitted(page)
        views = ("try", f"review/{case['id']}", "watch", "model", "review")
        for view in views:
            page.goto(f"{page.url.split('#')[0]}#{view}")
            page.wait_for_timeout(700)
            assert [] == faults(page)
            fits(page)


def test_the_types_of_the_page_are_documented(client: httpx.Client, head: Any) -> None:
    """What the page reads of a number's service is in its document; noise with a noise head."""
    noise = ("aleatoric_std", "total_std") if head == "point" else ()
    absent = (*noise, "between_members_std")
    document = client.get("/openapi.json").raise_for_status().json()
    check_types("number.d.ts", document["components"]["schemas"], 15, absent)
