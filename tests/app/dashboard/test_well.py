"""Is all well? One line of parts; a database that stops is seen within seconds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from dubito.loans.columns import LAYOUT
from dubito.training.data import read_table
from tests.app.dashboard.conftest import Opened, grade
from tests.postgres import MODEL, Server
from tests.postgres import serving as serving_postgres
from tests.service import Service, serving

SEEN_MS = 10_000
ROWS = 60
PARTS = ["ready", "errors", "refused", "latency", "queue", "database", "alarms", "record"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def service(server: Server) -> Iterator[Service]:
    """A service whose records are in a database that can be stopped."""
    server.run(f"CREATE DATABASE {MODEL}")
    with serving("--records-url", server.url(MODEL), "--workers", "2") as service:
        yield service


@pytest.fixture(scope="module")
def usual() -> list[dict[str, Any]]:
    """Loans as they come, which raise no alarm."""
    names = [column.name for column in LAYOUT.features]
    rows = np.random.default_rng(0).permutation(read_table(None, LAYOUT).features)[:ROWS]
    return [
        {
            name: None if np.isnan(value) else float(value)
            for name, value in zip(names, row, strict=True)
        }
        for row in rows
    ]


@pytest.mark.parametrize("language", ["en-GB", "ko-KR"])
def test_all_is_well(
    opened: Opened, service: Service, usual: list[dict[str, Any]], language: str
) -> None:
    """Every part says so, and leads to its chart; what nobody knows yet is a state of its own."""
    with opened("#watch", locale=language) as page:
        expect(page.locator("#well-state")).to_have_attribute("data-state", "good")
        expect(page.locator("[data-part]")).to_have_count(len(PARTS))
        for seed, row in enumerate(usual):
            grade(service, row, seed=seed)
        for part in PARTS:
            chip = page.locator(f'[data-part="{part}"]')
            expect(chip).to_have_attribute("data-state", "good")
        page.locator('[data-part="latency"]').click()
        expect(page.locator("#chart-latency")).to_be_in_viewport()
        expect(page.locator("#chart-latency .scatterlayer .point").first).to_be_visible()
        expect(page.locator("#chart-statuses .bars .point")).not_to_have_count(0)


def test_a_range_of_ones_own_is_shown(opened: Opened) -> None:
    """From a time to a time; what is no range is told at once."""
    with opened("#watch") as page:
        expect(page.locator("#tile-rows")).to_be_visible()
        page.locator("#panel-watch summary").first.click()
        page.locator("#range-since").fill("2026-01-02T00:00")
        page.locator("#range-until").fill("2026-01-01T00:00")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.get_by_role("alert").filter(has_text="must be after")).to_be_visible()
        page.locator("#range-until").fill("2026-01-03T00:00")
        with page.expect_request("**/uncertainty?since=2026*"):
            page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator("p.live")).to_contain_text("Fixed range")
        expect(page.locator("#tile-rows .amount")).to_have_text("0")


def test_a_stopped_database_is_seen_within_ten_seconds(
    opened: Opened, service: Service, server: Server
) -> None:
    """The line says no, and which part it is; once it is back it says yes again."""
    with opened("#watch", expected=(503,)) as page:
        state, part = page.locator("#well-state"), page.locator('[data-part="database"]')
        expect(state).to_have_attribute("data-state", "good")
        server.end()
        expect(part).to_have_attribute("data-state", "bad", timeout=SEEN_MS)
        expect(state).to_have_attribute("data-state", "bad", timeout=1_000)
        expect(page.locator('[data-part="ready"]')).to_have_attribute("data-state", "bad")
        server.start()
        expect(state).to_have_attribute("data-state", "good")
