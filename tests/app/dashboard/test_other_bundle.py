"""Another bundle gives another page: nothing in it knows of loans or of letters."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from dubito.bundle import load
from dubito.bundles.repository import write_bundle
from dubito.features import NumberFeature
from dubito.targets import ClassTarget
from dubito.types import Cards
from tests.app.dashboard.conftest import Opened
from tests.calibrated import SHIPPED
from tests.service import Service, serving

SIZES = ("dust", "sand", "gravel", "pebble", "cobble", "boulder", "rock & <b>roll</b>")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A shipped network under other names, without a calibration."""
    manifest = load(SHIPPED).manifest
    features = tuple(
        replace(feature, name=f"side_{at}", title="", aliases=(), unit="mm")
        for at, feature in enumerate(manifest.features)
        if isinstance(feature, NumberFeature)
    )
    stones = replace(
        manifest, name="stones", version=1, features=features, target=ClassTarget(SIZES), rules=()
    )
    models = tmp_path_factory.mktemp("models")
    write_bundle(
        models,
        stones,
        [(SHIPPED / "model.keras").read_bytes()],
        Cards("# <i>Stones</i>\n"),
    )
    with serving("stones", "--models", str(models)) as service:
        yield service


def test_its_names_and_classes_are_shown(opened: Opened) -> None:
    """The form asks for its features, the answer tells its classes, and nothing becomes markup."""
    with opened() as page:
        expect(page.get_by_role("tab", name="Grade a case")).to_be_visible()
        expect(page.get_by_role("heading", name="Grade a case")).to_be_visible()
        expect(page.get_by_role("textbox", name="side 0 (mm)")).to_be_visible()
        page.get_by_role("button", name="Fill in the example").click()
        expect(page.locator('[data-feature="side_0"]')).not_to_have_value("")
        page.get_by_role("button", name="Get grade").click()
        expect(page.locator("#panel-try .main-svg").first).to_be_visible()
        assert page.locator(".verdict .tile").inner_text() in SIZES
        expect(page.locator(".decision")).to_contain_text("not calibrated")
        page.locator("#panel-try .figures summary").click()
        expect(page.get_by_role("rowheader", name=SIZES[-1])).to_be_visible()


def test_every_view_does_without_a_calibration(opened: Opened) -> None:
    """Watching, reviewing and describing it work; where nothing is promised, that is said."""
    with opened("#watch") as page:
        expect(page.locator("#tile-rows")).to_contain_text("Cases graded")
        expect(page.locator("#tile-wrong")).to_contain_text("nothing known yet")
        expect(page.locator("#drift")).to_contain_text("side 8")
        page.get_by_role("tab", name="Review queue").click()
        expect(page.get_by_text("Queue is empty")).to_be_visible()
        page.get_by_role("tab", name="Model").click()
        expect(page.locator("#panel-model")).to_contain_text("guarantees nothing")
        expect(page.get_by_role("heading", name="<i>Stones</i>")).to_be_visible()


def test_a_card_that_is_english_alone_is_said_to_be(opened: Opened) -> None:
    """In Korean, above it."""
    with opened("#model", locale="ko-KR") as page:
        expect(page.locator(".prose[lang=en]")).to_contain_text("Stones")
        expect(page.get_by_text("모델 카드는 영어로 작성되어 있습니다.")).to_be_visible()
