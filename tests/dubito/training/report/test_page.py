"""The report's page: whole, alone, the same every time, and safe whatever a bundle is called."""

import re
import xml.etree.ElementTree as ET
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest

from dubito.training.evaluation.metrics import EvaluationMetrics, assess
from dubito.training.evaluation.predictions import Answered, Evidence, MeanError
from dubito.training.evaluation.run import Evaluation
from dubito.training.evaluation.sets import Sets
from dubito.training.evaluation.uncertainty_metrics import ShiftFigures
from dubito.training.report.page import render_page
from dubito.types import Identity
from dubito.uncertainty.decomposition import summarise

HOSTILE = ("A", '<script src="https://evil.example">', "등급 $x^2$ & \"B'")
IDENTITY = Identity("<b>own</b>", 7, "sha256:00")


@pytest.fixture(scope="module")
def figures() -> EvaluationMetrics:
    """Everything that a page can show, of classes with hostile names."""
    random = np.random.default_rng(0)
    summary = summarise(random.dirichlet([1.0, 0.4, 0.1], (8, 60)))
    nothing = np.zeros(60, np.bool_)
    evidence = Evidence(
        random.integers(0, 3, 60), summary.mean, Answered(summary, nothing, nothing), 8
    )
    found = assess(evidence, None, HOSTILE)
    return replace(
        found,
        coverage=0.9,
        target=0.03,
        sets=(
            Sets("lac", 0.9, 0.91, 1.1, (0.9, None, 1.0), (1.0, None, 2.0)),
            Sets("aps", 0.9, 0.95, 1.4, (0.9, 1.0, 1.0), (1.0, 2.0, 2.0)),
        ),
        confusion_automated=found.confusion,
        shifts=(
            ShiftFigures("x × 3", 60, 0, 0, 0.9, 0.8, 0.5, 0.7),
            ShiftFigures("<u>none</u>", 0, 60, 0, None, None, None, None),
        ),
        precision=MeanError(
            np.array([64, 128]), np.ones(2), np.ones(2), np.array([1.0, np.nan]), 60
        ),
    )


def written(figures: EvaluationMetrics) -> str:
    return render_page(IDENTITY, Evaluation("all 60 rows of <i>mine</i>.csv", figures))


def pictures(text: str) -> list[str]:
    data = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    return [b64decode(one).decode() for one in data]


def test_the_page_needs_nothing_beside_itself(figures: EvaluationMetrics) -> None:
    """No script, no style sheet, no address; every image is its own bytes."""
    text = written(figures)
    assert "<script" not in text
    assert "<link" not in text
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="([^"]*)"', text))
    for picture in pictures(text):
        for element in ET.fromstring(picture).iter():  # noqa: S314 - our own drawing
            assert not element.tag.endswith("script")
            addresses = [text for name, text in element.items() if name.endswith(("href", "src"))]
            assert all(one.startswith(("#", "data:")) for one in addresses)


def test_every_picture_is_there_and_can_be_read(figures: EvaluationMetrics) -> None:
    """Seven pictures, each a whole drawing with words for who cannot see it."""
    text = written(figures)
    drawn = pictures(text)
    assert 7 == len(drawn) == len(re.findall(r'<img alt="[^"]{20,}"', text))
    for picture in drawn:
        ET.fromstring(picture)  # noqa: S314 - our own drawing


def test_names_are_shown_as_they_are(figures: EvaluationMetrics) -> None:
    """Markup in a bundle's, a class' or a file's name is text, and no font is missed."""
    text = written(figures)
    assert "<b>own</b>" not in text
    assert "&lt;b&gt;own&lt;/b&gt;" in text
    assert "<i>mine" not in text
    assert "<u>" not in text
    assert '<th scope="row">&lt;u&gt;none&lt;/u&gt;</th><td>0</td><td>60</td>' in text
    confusion = next(one for one in pictures(text) if "grade that is answered" in one)
    assert "등급 $x^2$ &amp; " in confusion
    assert "&lt;script" in confusion


def test_the_same_figures_give_the_same_bytes(figures: EvaluationMetrics) -> None:
    """No date, no chance."""
    assert written(figures) == written(figures)


def test_what_there_is_no_figure_of_has_no_section(figures: EvaluationMetrics) -> None:
    """Without a calibration the page says so, and shows the rest."""
    bare = replace(
        figures, sets=(), promises=(), confusion_automated=None, shifts=(), precision=None
    )
    text = written(bare)
    assert "None: without a calibration" in text
    assert 4 == len(pictures(text))
    assert "strange input" not in text
