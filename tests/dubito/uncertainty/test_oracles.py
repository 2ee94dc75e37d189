"""Figures against torch-uncertainty's, kept in a fixture: `benchmarks/oracles.py` wrote it."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dubito.types import Floats, Indices
from dubito.uncertainty.calibration import adaptive_calibration_error, expected_calibration_error
from dubito.uncertainty.decomposition import summarise
from dubito.uncertainty.selective import area_under_risk

THEIRS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "oracles.json").read_text(encoding="utf-8")
)
DRAWS: Floats = np.array(THEIRS["draws"])
LABELS: Indices = np.array(THEIRS["labels"])
MEAN: Floats = DRAWS.mean(axis=0)
SOME = slice(THEIRS["plain"])
"""Rows of which no two are of one confidence, and none is on the edge of a bin."""
SINGLE = 1e-6
"""torch-uncertainty computes parts of its figures in single precision."""


def test_predictive_entropy() -> None:
    """Of the mean of the passes, every row."""
    np.testing.assert_allclose(
        summarise(DRAWS).predictive_entropy, THEIRS["Entropy of mean"], atol=SINGLE
    )


def test_expected_entropy() -> None:
    """Their entropy of several passes is the mean over the passes."""
    np.testing.assert_allclose(
        summarise(DRAWS).expected_entropy, THEIRS["Entropy of passes"], atol=SINGLE
    )


def test_mutual_information() -> None:
    """Theirs may fall below 0 by rounding; ours is clipped there."""
    theirs = np.maximum(THEIRS["MutualInformation"], 0.0)
    np.testing.assert_allclose(summarise(DRAWS).mutual_information, theirs, atol=SINGLE)


def test_variation_ratio() -> None:
    """Theirs counts the votes for the top class of the mean, ours (Freeman's) those of the mode.

    So they agree wherever the mean's top class has the most votes, and theirs is never lower.
    """
    votes = DRAWS.argmax(axis=-1)
    counts = (votes[..., None] == np.arange(DRAWS.shape[-1])).sum(axis=0)
    chosen = counts[np.arange(len(MEAN)), MEAN.argmax(axis=1)] == counts.max(axis=1)
    ours, theirs = summarise(DRAWS).variation_ratio, np.array(THEIRS["VariationRatio"])

    assert chosen.sum() > len(MEAN) / 2
    np.testing.assert_allclose(ours[chosen], theirs[chosen], atol=SINGLE)
    assert (theirs[~chosen] > ours[~chosen]).all()


def test_expected_calibration_error() -> None:
    """In bins of equal width."""
    ours = expected_calibration_error(MEAN[SOME], LABELS[SOME], THEIRS["bins"])
    assert ours == pytest.approx(THEIRS["CalibrationError"], abs=SINGLE)


def test_expected_calibration_error_on_edges() -> None:
    """Their bins are `[a, b)`, ours, as in the paper, `(a, b]`: a hair more is over the edge."""
    hair = MEAN + 1e-12
    ours = expected_calibration_error(hair, LABELS, THEIRS["edge_bins"])
    assert ours == pytest.approx(THEIRS["CalibrationError on edges"], abs=SINGLE)


def test_adaptive_calibration_error() -> None:
    """In bins of equal mass."""
    ours = adaptive_calibration_error(MEAN[SOME], LABELS[SOME], THEIRS["bins"])
    assert ours == pytest.approx(THEIRS["AdaptiveCalibrationError"], abs=SINGLE)


def test_area_under_risk_of_untied_rows() -> None:
    """By the largest probability; where no rows tie there is one order and one area."""
    wrong = MEAN[SOME].argmax(axis=1) != LABELS[SOME]
    ours = area_under_risk(MEAN[SOME].max(axis=1), wrong)
    order = np.argsort(-MEAN[SOME].max(axis=1))
    assert ours == pytest.approx(as_mean(THEIRS["AURC"], wrong[order]), abs=SINGLE)


def test_area_under_risk_of_tied_rows() -> None:
    """Rows of equal confidence stand in no order: ours is the mean of theirs over all orders."""
    tied = THEIRS["tied"]
    confidence, wrong = np.array(tied["confidence"]), np.array(tied["wrong"])
    ranked = [np.argsort(np.array([*order, 3, 4])) for order in permutations(range(3))]
    areas = zip(THEIRS["AURC of orders"], ranked, strict=True)
    expected = np.mean([as_mean(area, wrong[order]) for area, order in areas])

    assert area_under_risk(confidence, wrong) == pytest.approx(expected, abs=SINGLE)


def as_mean(area: float, wrong: Any) -> float:
    """Their trapezoids over coverages 1/N to 1, as the mean of the curve's N points."""
    rates = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    return float((area * (len(wrong) - 1) + (rates[0] + rates[-1]) / 2) / len(wrong))
