"""A reviewer's day: cases by reference, reviewed, corrected, skipped, found again."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.dashboard.conftest import DESK, ODD, SURE, Opened, browsing, grade
from tests.service import Service, serving

WORDS = {
    "en-GB": {
        "decide": "Your decision", "save": "Save and next", "name": "Your name", "find": "Find",
        "decided": "Decided", "all": "All loans", "correct": "Correct a mistake", "why": "Reason",
        "saved": "Save correction", "skip": "Skip", "assign": "Assign to me", "waits": "Waiting",
    },
    "ko-KR": {
        "decide": "담당자 판단", "save": "저장하고 다음", "name": "이름", "find": "찾기",
        "decided": "결정됨", "all": "전체", "correct": "잘못 입력한 내용 정정", "why": "사유",
        "saved": "정정 저장", "skip": "건너뛰기", "assign": "내게 배정", "waits": "대기",
    },
}  # fmt: skip


def named(service: Service, reference: str, row: dict[str, Any] = ODD, **query: Any) -> str:
    """The identifier of an answer to a client that names the case."""
    headers = {"Dubito-Reference": f"UTF-8''{quote(reference)}"}
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        answer = client.post("/predict/mc", json=row, params=query, headers=headers)
    assert 200 == answer.status_code, answer.text
    return str(answer.json()["id"])


def choose_state(page: Page, name: str) -> None:
    page.locator(f'.queue label:has-text("{name}")').first.click()


def search(page: Page, reference: str, find: str) -> None:
    page.locator("#queue-search").fill(reference)
    page.get_by_role("button", name=find, exact=True).click()


def decide(page: Page, case: str, letter: str, words: dict[str, str]) -> None:
    """Review the case that is open."""
    open_case = page.locator(f'[data-case="{case}"]')
    expect(open_case).to_be_visible()
    group = open_case.get_by_role("group", name=words["decide"])
    group.get_by_role("radio", name=letter, exact=True).check()
    open_case.locator("#reviewer").fill("Kim")
    open_case.get_by_role("button", name=words["save"]).click()


YESTERDAY = """
import sys, time
right = time.time_ns
time.time_ns = lambda: right() - 24 * 3600 * 10**9
time.time = lambda: time.time_ns() / 1e9
from dubito.cli.main import main
sys.exit(main())
"""
"""A service whose clock is a day late."""
PHONE = {"width": 390, "height": 844}
LOOKS = [
    ("en-GB", "light", DESK),
    ("ko-KR", "dark", DESK),
    ("en-GB", "dark", PHONE),
    ("ko-KR", "light", PHONE),
]


@pytest.mark.parametrize(("language", "scheme", "size"), LOOKS)
def test_a_reviewers_day(
    opened: Opened, service: Service, language: str, scheme: str, size: Any
) -> None:
    """Found by reference, three are reviewed, one is skipped, one corrected."""
    words, mine = WORDS[language], f"대출 {language} {scheme} {size['width']}"
    cases = [named(service, f"{mine} {at}") for at in range(5)]
    looks = {"locale": language, "color_scheme": scheme, "viewport": size}
    with opened("#review", **looks) as page:
        search(page, mine, words["find"])
        expect(page.locator(".cases tbody tr")).to_have_count(5)
        page.locator(f'.item[data-id="{cases[0]}"]').click()
        expect(page.locator("#reference")).to_contain_text(f"{mine} 0")
        decide(page, cases[0], "C", words)
        expect(page.locator(f'[data-case="{cases[1]}"]')).to_be_visible()
        page.get_by_role("button", name=words["skip"], exact=True).click()
        decide(page, cases[2], "D", words)
        decide(page, cases[3], "E", words)
        expect(page.locator(f'[data-case="{cases[4]}"]')).to_be_visible()
        expect(page.locator(".cases tbody tr")).to_have_count(2)
        if size is PHONE:
            page.locator(".back").click()
        choose_state(page, words["decided"])
        expect(page.locator(".cases tbody tr")).to_have_count(3)
        page.locator(f'.item[data-id="{cases[2]}"]').click()
        page.locator("#review-correct > summary").click()
        form = page.locator("#review-correct")
        form.get_by_role("radio", name="B", exact=True).check()
        form.get_by_role("button", name=words["saved"]).click()
        expect(form.locator("#review-fault")).not_to_be_empty()
        form.locator("#review-why").fill("the line above")
        form.get_by_role("button", name=words["saved"]).click()
        expect(page.locator("#review-done")).to_contain_text("B")
        expect(page.locator("#history tbody tr")).to_have_count(2)
        expect(page.locator("#history")).to_contain_text("the line above")
        expect(page.locator(f'tr[data-id="{cases[2]}"] .col-verdict')).to_have_text("B")
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        told = client.get(f"/predictions/{cases[2]}").json()
        assert ("B", "the line above") == (told["review"]["grade"], told["review"]["why"])
        assert client.get(f"/predictions/{cases[1]}").json()["review"] is None


def test_what_was_decided_yesterday_is_found(browser: Browser, tmp_path: Path) -> None:
    """By when it was reviewed: a service of yesterday recorded it, and today's page finds it."""
    kept = {"DUBITO_STATE": str(tmp_path)}
    with serving(changes=kept, program=YESTERDAY) as yesterday:
        cases = {name: named(yesterday, name) for name in ("then", "now")}
        review(yesterday, cases["then"])
        assert 0 == yesterday.stop()
    with serving(changes=kept) as today, browsing(browser, today)("#review") as page:
        review(today, cases["now"])
        then, now = (page.locator(f'.item[data-id="{cases[name]}"]') for name in ("then", "now"))
        choose_state(page, "Decided")
        expect(then).to_be_visible()
        expect(now).to_be_visible()
        page.locator(".queue details summary").first.click()
        half = datetime.now(UTC) - timedelta(hours=12)
        between = half.strftime("%Y-%m-%dT%H:%M")
        fill_moment(page, "until", between)
        expect(now).to_have_count(0)
        expect(then).to_be_visible()
        fill_moment(page, "until", "")
        fill_moment(page, "since", between)
        expect(then).to_have_count(0)
        expect(now).to_be_visible()


def review(service: Service, case: str) -> None:
    body = {"grade": "C", "reviewer": "Kim", "note": ""}
    answer = httpx.post(f"{service.url}/reviews/{case}", json=body, trust_env=False)
    assert 200 == answer.status_code, answer.text


def fill_moment(page: Page, name: str, moment: str) -> None:
    page.locator(f"#filter-{name}").fill(moment)
    page.locator(f"#filter-{name}").blur()


def test_the_list_is_sorted_filtered_and_exported(
    opened: Opened, service: Service, tmp_path: Path
) -> None:
    """By its headings, by reason, grade and version; what is exported is what is shown."""
    names = ["=sum(A1)", "sorted b", "sorted a"]
    ids = [named(service, f"{name} x", seed=at, passes=20) for at, name in enumerate(names)]
    with opened("#review") as page:
        search(page, " x", "Find")
        expect(page.locator(".cases tbody tr")).to_have_count(3)
        page.locator('.sort[data-order="reference"]').click()
        expect(page.locator(".cases .item").first).to_have_text("=sum(A1) x")
        expect(page.locator(".cases .item").last).to_have_text("sorted b x")
        page.locator('.sort[data-order="doubtful"]').click()
        expect(page.locator('th[aria-sort="descending"]')).to_contain_text("Uncertainty")
        amounts = [float(one) for one in page.locator("td.col-uncertainty").all_inner_texts()]
        assert sorted(amounts, reverse=True) == amounts
        with page.expect_download() as got:
            page.locator("#export").click()
        got.value.save_as(tmp_path / "list.csv")
        rows = list(csv.reader(io.StringIO((tmp_path / "list.csv").read_text("utf-8-sig"))))
        assert ["id", "reference", "grade"] == rows[0][:3]
        assert set(ids) == {row[0] for row in rows[1:]}
        assert "'=sum(A1) x" in {row[1] for row in rows[1:]}
        page.locator(".queue details summary").first.click()
        page.locator("#filter-reason").select_option("few_passes")
        expect(page.locator(".cases tbody tr")).to_have_count(3)
        page.locator("#filter-reason").select_option("no_evidence")
        expect(page.locator(".queue .nothing")).to_be_visible()
        page.locator("#filter-reason").select_option("")
        page.locator("#filter-version").select_option("1")
        expect(page.locator(".queue .nothing")).to_be_visible()


def test_keys_lead_through_the_list(opened: Opened, service: Service) -> None:
    """Next, back, skip, assign, a grade and its save; none of them where something is typed."""
    cases = [named(service, f"keys {at}") for at in range(3)]
    with opened("#review") as page:
        search(page, "keys ", "Find")
        page.locator(f'.item[data-id="{cases[0]}"]').click()

        def opens(case: str) -> None:
            expect(page.locator(f'[data-case="{case}"]')).to_be_visible()

        opens(cases[0])
        page.locator("h3:focus").wait_for()
        page.keyboard.press("j")
        opens(cases[1])
        page.keyboard.press("k")
        opens(cases[0])
        page.locator("#reviewer").fill("jks")
        page.locator("#review-note").press_sequentially("jks a1")
        opens(cases[0])
        expect(page.locator("#review-note")).to_have_value("jks a1")
        page.locator("#panel-review h2").click()
        page.keyboard.press("3")
        expect(page.get_by_role("radio", name="C", exact=True)).to_be_checked()
        page.keyboard.press("Control+Enter")
        opens(cases[1])
        page.locator(f'[data-case="{cases[1]}"] h3').first.wait_for()
        page.locator("#panel-review h2").click()
        page.keyboard.press("a")
        expect(page.locator("#assignee")).to_contain_text("jks")
        page.locator("#panel-review h2").click()
        page.keyboard.press("s")
        opens(cases[2])
        page.locator("#panel-review h2").click()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("skip this loan")
        page.get_by_role("button", name="Close").click()
        page.keyboard.press("/")
        expect(page.locator("#queue-search")).to_be_focused()


@pytest.mark.parametrize("language", ["en-GB", "ko-KR"])
def test_a_case_is_computed_again_and_otherwise(
    opened: Opened, service: Service, language: str
) -> None:
    """Replay says identical; another value shows both answers and how far each grade moves."""
    case = named(service, f"what if {language}", SURE)
    with opened(f"#review/{case}", locale=language) as page:
        page.locator("#replay").click()
        expect(page.locator("#replayed .badge.good")).to_be_visible()
        page.locator("#whatif-feature").select_option(index=6)
        expect(page.locator("#whatif-value")).to_have_value("130.26")
        page.locator("#whatif-value").fill("x")
        page.locator("#whatif-compare").click()
        expect(page.locator("#whatif-fault")).not_to_be_empty()
        page.locator("#whatif-value").fill("390.5")
        page.locator("#whatif-compare").click()
        expect(page.locator("#whatif-result tbody tr")).to_have_count(7)
        expect(page.locator("#whatif-result")).to_contain_text("130.26 → 390.5")
        told = page.request.post(
            f"{service.url}/predictions/{case}/what-if", data={"features": {"paid_interest": 390.5}}
        ).json()
        moved = told["corrected"]["mean"]["A"] - told["recorded"]["mean"]["A"]
        row = page.locator("#whatif-result tbody tr").first
        expect(row).to_contain_text(f"{abs(100 * moved):.1f}%")
        expect(page.locator("#whatif-after")).to_contain_text(told["corrected"]["grade"])


def test_a_bar_leads_to_its_cases(opened: Opened, service: Service) -> None:
    """A click on a chart's bar, or its time in the table, lists what it counts."""
    case = grade(service, ODD, seed=77)["id"]
    with opened("#watch") as page:
        chart = page.locator("#chart-decisions")
        expect(chart.locator(".main-svg").first).to_be_visible()
        clicked = """() => {
          const host = document.querySelector('#chart-decisions');
          const last = host.data[1].y.findLastIndex((count) => count > 0);
          host.emit('plotly_click', { points: [{ curveNumber: 1, pointNumber: last }] });
        }"""
        page.evaluate(clicked)
        expect(page.locator("#panel-review")).to_be_visible()
        expect(page.locator(f'.item[data-id="{case}"]')).to_be_visible()
        expect(page.locator("td.col-action").first).to_have_text("referred")
        page.go_back()
        page.locator("#panel-watch .figures summary").first.click()
        page.locator("#panel-watch .figures a").first.click()
        expect(page.locator(f'.item[data-id="{case}"]')).to_be_visible()


def test_your_decision_is_not_the_actual_outcome(opened: Opened, service: Service) -> None:
    """One is asked for at the top, the other is folded below everything, under its own name."""
    case = named(service, "two things")
    with opened(f"#review/{case}") as page:
        decision = page.get_by_role("group", name="Your decision")
        outcome = page.get_by_role("group", name="Actual grade")
        expect(decision).to_be_visible()
        expect(outcome).not_to_be_visible()
        page.locator("#outcome > summary").click()
        expect(outcome).to_be_visible()
        above, below = decision.bounding_box(), outcome.bounding_box()
        assert above is not None
        assert below is not None
        assert above["y"] + above["height"] < below["y"]


@pytest.fixture(autouse=True, scope="module")
def some(service: Service) -> None:
    """A list that is never empty."""
    grade(service, ODD, seed=1)
