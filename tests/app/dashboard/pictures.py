"""`make pictures`: the page as people see it, of a service that graded for most of an hour.

It is no test of the suite, by its name, but runs as one, with the same browser.
The hour is made in a minute, by a service whose clock runs fast; then one with the right clock
goes on where it stopped, and the pictures are taken of that.
"""

import io
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from dubito.loans.columns import LAYOUT
from dubito.training.data import read_table
from dubito.training.split import split_rows
from tests.app.dashboard.conftest import DESK, PHONE, SURE
from tests.app.dashboard.conftest import fill as fill_in
from tests.service import ROOT, address, ended, environment

FOLDER = ROOT / "docs" / "page"
MOST_BYTES = 250_000
COLOURS = 256
SECONDS = 60
FAST = 56
FAST_CLOCK = f"""
import sys, time
seconds, nanoseconds, began = time.time, time.time_ns, time.time_ns()
time.time_ns = lambda: began - {SECONDS * FAST} * 10**9 + (nanoseconds() - began) * {FAST}
time.time = lambda: time.time_ns() / 1e9
from dubito.cli.main import main
sys.exit(main())
"""
RIGHT_CLOCK = "import sys; from dubito.cli.main import main; sys.exit(main())"
TABS = ["try", "watch", "review", "model"]
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "locale": "en-GB", "viewport": DESK},
    "dark": {"color_scheme": "dark", "locale": "en-GB", "viewport": DESK},
    "phone": {"color_scheme": "light", "locale": "ko-KR", "viewport": PHONE},
}
TALLEST = 3_000


@contextmanager
def served(program: str, state: Path) -> Iterator[str]:
    """The address of a service that is run by a program, with a state of its own."""
    log = state / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", program, "serve", "--port", "0", "--state", str(state / "var")],
            cwd=ROOT,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield address(process, log)
    finally:
        ended(process)


def graded(url: str) -> None:
    """Grade held-out loans for a while, and tell how most of them came out."""
    table = read_table(None, LAYOUT)
    held_out = table.where(split_rows(table.labels, 0).test)
    names = [column.name for column in LAYOUT.features]
    chance, end, at = random.Random(7), time.monotonic() + SECONDS, 0
    with httpx.Client(base_url=url, trust_env=False) as client:
        while time.monotonic() < end and at < len(held_out.labels):
            features = held_out.features[at].tolist()
            row = {
                name: None if np.isnan(value) else value
                for name, value in zip(names, features, strict=True)
            }
            named = {"Dubito-Reference": f"LN-2026-{at:05d}"}
            answer = client.post("/predict/mc", json=row, headers=named).json()
            if answer["decision"]["action"] == "automate" and chance.random() < 0.6:
                label = LAYOUT.classes[int(held_out.labels[at])]
                client.put(f"/predictions/{answer['id']}/outcome", json={"grade": label})
            at += 1
            time.sleep(chance.expovariate(18))


def fill(page: Page, tab: str) -> None:
    """Bring a view into the state in which it is shown."""
    page.locator(f"#panel-{tab} .card").first.wait_for()
    if tab == "try":
        fill_in(page, SURE)
        page.locator("#panel-try form summary").click()
        page.locator("#option-seed").fill("42")
        page.locator("#panel-try form button[type=submit]").click()
        page.locator("#repeat").click()
        page.locator("#sameness").wait_for()
    if tab == "review":
        if page.locator('.sort[data-order="doubtful"]').is_visible():
            page.locator('.sort[data-order="doubtful"]').click()
        page.locator(".item").first.click()
        page.locator("[data-case] .bars").wait_for()
    if tab == "watch":
        page.locator("#chart-reasons .main-svg").first.wait_for()
    page.wait_for_timeout(1_500)
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")


def taken(page: Page) -> bytes:
    """A picture of the page from its top, in few colours."""
    width = page.evaluate("innerWidth")
    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(500)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    few = picture.quantize(COLOURS, kmeans=1, dither=Image.Dither.NONE)
    content = io.BytesIO()
    few.save(content, "PNG", optimize=True)
    return content.getvalue()


def draw(browser: Browser, url: str) -> None:
    """Every view in every look, as a file."""
    for look, options in LOOKS.items():
        for tab in TABS:
            context = browser.new_context(reduced_motion="reduce", **options)
            page = context.new_page()
            page.goto(f"{url}/#{tab}")
            fill(page, tab)
            content = taken(page)
            context.close()
            assert len(content) <= MOST_BYTES, f"{tab}-{look}.png"
            (FOLDER / f"{tab}-{look}.png").write_bytes(content)


def test_the_page_is_pictured(browser: Browser, tmp_path: Path) -> None:
    """Every view, in every look, is written into the documentation."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with served(FAST_CLOCK, tmp_path) as url:
        graded(url)
    with served(RIGHT_CLOCK, tmp_path) as url:
        draw(browser, url)
