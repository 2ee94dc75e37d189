"""Classes keep their colours from theme to theme, and are told apart without them too."""

import colorsys
from itertools import pairwise

from playwright.sync_api import Page, expect

from tests.app.dashboard.conftest import ODD, Opened, grade
from tests.service import Service

CLASSES = 7
ORDERED = "async (count) => (await import('/assets/colours.js')).ordered(count)"
SURFACE = "async () => (await import('/assets/colours.js')).colour('surface')"
SHAPES = "document.querySelector('#chart-grades').data.map((trace) => trace.marker.pattern.shape)"
LEAST_CONTRAST = 3
MOST_DEGREES = 25


def channels(colour: str) -> list[float]:
    """Red, green and blue, from 0 to 1."""
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def luminance(colour: str) -> float:
    """As WCAG has it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def hue(colour: str) -> float:
    """In degrees."""
    return 360 * colorsys.rgb_to_hsv(*channels(colour))[0]


def colours(page: Page, theme: str) -> tuple[list[str], str]:
    """Those of the classes in a theme, and of what is under them."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    return page.evaluate(ORDERED, CLASSES), page.evaluate(SURFACE)


def test_classes_are_alike_in_both_themes(opened: Opened) -> None:
    """The hues are the same and in one order; each colour stands out from its ground."""
    with opened(color_scheme="light") as page:
        found = {theme: colours(page, theme) for theme in ("light", "dark")}
    for classes, surface in found.values():
        assert all(contrast(one, surface) >= LEAST_CONTRAST for one in classes)
        assert all(luminance(one) > luminance(next_) for one, next_ in pairwise(classes))
    for light, dark in zip(found["light"][0], found["dark"][0], strict=True):
        assert abs(hue(light) - hue(dark)) <= MOST_DEGREES


def test_grades_are_told_apart_by_patterns(opened: Opened, service: Service) -> None:
    """Each grade of the chart over time has a pattern of its own."""
    grade(service, ODD)
    with opened("#watch") as page:
        expect(page.locator("#chart-grades .main-svg").first).to_be_visible()
        shapes = page.evaluate(SHAPES)
    assert CLASSES == len(set(shapes))
