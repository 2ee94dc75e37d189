"""The page of a bundle whose input is a tensor: uploaded, drawn, kept, never changed in part."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.app.dashboard.conftest import PHONE, Opened
from tests.app.dashboard.test_access import faults
from tests.app.dashboard.test_widths import fits
from tests.claims import sample
from tests.service import Service, serving
from tests.tensors import KINDS, SHAPE, Kind, images, tensor_bundle

pytestmark = pytest.mark.claim("the page with tensors", test=1, proof=1)
LOOKS: dict[str, dict[str, Any]] = {
    "desk": {},
    "phone": {"viewport": PHONE},
    "Korean": {"viewport": PHONE, "locale": "ko-KR"},
}


@pytest.fixture(scope="module", params=sample(KINDS, ("classes",)))
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def service(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    state = str(tmp_path_factory.mktemp("state"))
    with serving(str(tensor_bundle(kind)), "--state", state) as service:
        yield service


@pytest.fixture(scope="module")
def image() -> Any:
    return images(301, 302)[0][0].tolist()


def upload(page: Page, folder: Path, text: str, name: str = "image.json") -> None:
    (folder / name).write_text(text, encoding="utf-8")
    page.locator("#feature-0").set_input_files(folder / name)


def answered(page: Page) -> None:
    page.locator("form button.primary").click()
    expect(page.locator(".verdict")).to_be_visible()


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_file_is_taken_drawn_and_graded(
    opened: Opened, image: Any, look: dict[str, Any], tmp_path: Path
) -> None:
    """With its shape and norm; axe finds nothing grave, and nothing is wider than the window."""
    with opened(**look) as page:
        upload(page, tmp_path, json.dumps(image))
        drawn = page.locator("#panel-try canvas.tensor")
        expect(drawn).to_have_js_property("width", SHAPE[1])
        light = page.evaluate(
            "Array.from(document.querySelector('canvas.tensor').getContext('2d')"
            ".getImageData(0, 0, 8, 8).data).filter((_, at) => at % 4 === 0)"
        )
        flat = [value for row in image for (value,) in row]
        assert light == pytest.approx([255 * value / max(flat) for value in flat], abs=1)
        answered(page)
        fits(page)
        assert faults(page) == []


def test_numbers_between_commas_are_taken_too(
    opened: Opened, service: Service, image: Any, tmp_path: Path
) -> None:
    """The answer is that of the same numbers as nested lists."""
    text = "\n".join(",".join(str(value) for (value,) in row) for row in image)
    with opened() as page:
        upload(page, tmp_path, text, "image.csv")
        answered(page)
        seed = page.locator("#seed-used").inner_text().split()[1].strip(",")
        shown = page.locator(".verdict").inner_text()
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        reply = client.post("/predict/mc", json={"image": image}, params={"seed": seed})
    answer = reply.raise_for_status().json()
    told = f"{max(answer['mean'].values()):.1%}" if "grade" in answer else f"{answer['mean']:.4g}"
    assert told in shown


WRONG = {
    "another shape": ("[[1, 2]]", "Must be 8 × 8 × 1 numbers"),
    "no numbers": ("no numbers", "Must be 8 × 8 × 1 numbers"),
    "too large": (json.dumps([[[17.5]] * 8] * 8), "Must be 16 or less"),
    "too small": (json.dumps([[[-1]] * 8] * 8), "Must be 0 or more"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_file_is_told_before_it_is_sent(opened: Opened, fault: str, tmp_path: Path) -> None:
    """And so is that there is none."""
    with opened() as page:
        page.locator("form button.primary").click()
        told = page.locator("#feature-0-fault")
        expect(told).to_have_text("Required")
        text, sentence = WRONG[fault]
        upload(page, tmp_path, text)
        page.locator("form button.primary").click()
        expect(told).to_contain_text(sentence)


def test_a_file_that_is_still_read_is_waited_for(
    opened: Opened, image: Any, tmp_path: Path
) -> None:
    """Who asks before it is read gets its answer."""
    slowly = """() => {
        const read = Blob.prototype.text;
        Blob.prototype.text = async function () {
            await new Promise((done) => setTimeout(done, 500));
            return read.call(this);
        };
    }"""
    with opened() as page:
        page.evaluate(slowly)
        upload(page, tmp_path, json.dumps(image))
        answered(page)
        expect(page.locator("#feature-0-fault")).to_have_text("")


def test_the_example_and_the_case(opened: Opened, service: Service, image: Any) -> None:
    """The example fills the field; a case shows the tensor and offers no change of an element."""
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        answer = client.post("/predict/mc", json={"image": image}).raise_for_status().json()
    with opened() as page:
        page.locator("#panel-try form button[type=button]").click()
        expect(page.locator("#panel-try canvas.tensor")).to_be_visible()
        answered(page)
        page.goto(f"{page.url.split('#')[0]}#review/{answer['id']}")
        expect(page.locator("#panel-review canvas.tensor")).to_be_visible()
        expect(page.locator("#panel-review")).to_contain_text("8 × 8 × 1 numbers, norm")
        expect(page.locator("#panel-review")).to_contain_text("not changed one by one")
        expect(page.locator("#whatif-feature")).to_have_count(0)
        assert faults(page) == []
        page.goto(f"{page.url.split('#')[0]}#model")
        expect(page.locator(".signature")).to_contain_text("array")
        assert faults(page) == []
