"""What counts come to, beside the figures that the same rows have one by one."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score

from app.count_keys import CountKey, Counts, summed
from app.http.statistics_models import Drift, Estimate, Figures, Outcomes
from app.monitoring.class_counter import COVERAGE, ClassCounter
from app.monitoring.log_bins import place
from app.monitoring.statistics import missed, wrong_automated
from dubito.answer import DecisionAnswer, MonteCarloAnswer
from dubito.types import Floats, Indices
from dubito.uncertainty.calibration import expected_calibration_error
from dubito.uncertainty.drift import drift
from dubito.uncertainty.selective import risk_coverage
from dubito.uncertainty.validity_alarm import PromiseTrials
from tests.app.monitoring.plain import estimate, figures, outcomes, shift
from tests.app.monitoring.toy import (
    CLASSES,
    POLICY,
    TARGET,
    WATCHED,
    answers,
    by_name,
    columns,
    recorded,
    tally_of,
)

ROWS = 600
Answers = list[MonteCarloAnswer]


@pytest.fixture(scope="module")
def rows() -> Floats:
    return columns(np.random.default_rng(3), ROWS, 1.0)


@pytest.fixture(scope="module")
def answered(rows: Floats) -> Answers:
    return answers(np.random.default_rng(4), rows)


@pytest.fixture(scope="module")
def mean(answered: Answers) -> Floats:
    return np.array([list(one.result.mean.values()) for one in answered])


@pytest.fixture(scope="module")
def labels(mean: Floats) -> Indices:
    """Grades that come out as sharpened probabilities say, so that these are not calibrated."""
    random = np.random.default_rng(5)
    sharp = mean**1.5 / (mean**1.5).sum(axis=1, keepdims=True)
    return np.array([random.choice(3, p=row) for row in sharp])


@pytest.fixture(scope="module")
def told(answered: Answers, labels: Indices) -> dict[str, Any]:
    """What is told of the outcomes."""
    return outcomes(counted(answered, labels), POLICY)


def decisions_of(answered: Answers) -> list[DecisionAnswer]:
    """Their decisions, which all of them have."""
    found = [one.result.decision for one in answered]
    return [one for one in found if one is not None]


def came(answered: Answers, rows: Floats) -> Counts:
    """The counts of the answers."""
    return tally_of(ClassCounter(WATCHED), answered, rows, is_drawn=False).counts


def counted(answered: Answers, labels: Indices) -> dict[CountKey, int]:
    counter = ClassCounter(WATCHED)
    return summed(
        counter.came_out(recorded(one), CLASSES[label]).counts
        for one, label in zip(answered, labels.tolist(), strict=True)
    )


def test_accuracy_and_calibration_are_those_of_the_rows(
    told: dict[str, Any], mean: Floats, labels: Indices
) -> None:
    """scikit-learn's accuracy and reliability curve; the study's calibration error."""
    top, confidence = mean.argmax(axis=1), mean.max(axis=1)
    assert accuracy_score(labels, top) == told["accuracy"]
    assert expected_calibration_error(mean, labels) == pytest.approx(told["ece"], abs=1e-6)
    assert told["ece"] > 0.02
    right, stated = calibration_curve(top == labels, confidence, n_bins=15)
    shown = told["reliability"]
    assert right == pytest.approx([one["accuracy"] for one in shown])
    assert stated == pytest.approx([one["confidence"] for one in shown], abs=1e-6)
    assert ROWS == told["known"] == sum(one["rows"] for one in shown)


def test_risk_and_coverage_are_those_of_the_rows(
    told: dict[str, Any], answered: Answers, mean: Floats, labels: Indices
) -> None:
    """The curve of `dubito.uncertainty.selective` at the ends of the bins of entropy."""
    bins = [place(one.result.uncertainty.predictive_entropy) for one in answered]
    coverage, risk = risk_coverage(-np.array(bins, float), mean.argmax(axis=1) != labels)
    ends = np.flatnonzero(np.diff([*sorted(bins), 1_000]))
    assert coverage[ends] == pytest.approx([one["coverage"] for one in told["risk_coverage"]])
    assert risk[ends] == pytest.approx([one["risk"] for one in told["risk_coverage"]])
    assert 1.0 == told["risk_coverage"][-1]["coverage"]


def test_promises_stand_beside_what_was_seen(
    told: dict[str, Any], answered: Answers, mean: Floats, labels: Indices
) -> None:
    """Error among the automated rows of the bundle's own target, and of no other."""
    decisions = decisions_of(answered)
    assert ROWS == len(decisions)
    of = np.array(
        [one.guaranteed and one.action == "automate" and one.target == TARGET for one in decisions]
    )
    wrong = (mean.argmax(axis=1) != labels)[of].mean()
    assert {"promised": TARGET, "wrong": wrong, "rows": of.sum()} == told["automated"]
    assert 0.99 == told["coverage"]["promised"]
    assert sum(one.guaranteed for one in decisions) == told["coverage"]["rows"]


def test_evidence_is_read_from_the_same_counts(answered: Answers, labels: Indices) -> None:
    """Every target's rows, and what raw sets missed, as the alarm takes them."""
    counts = counted(answered, labels)
    names = by_name(counts)
    assert {0.01, TARGET} == set(wrong_automated(counts))
    for target, tally in wrong_automated(counts).items():
        rows, wrong = (names[f"automated.{target}.{name}"] for name in ("rows", "wrong"))
        assert PromiseTrials(rows, wrong) == tally
    assert {0.01: PromiseTrials(names["raw.rows"], names["raw.missed"])} == missed(counts, COVERAGE)
    assert {} == wrong_automated({}) == missed({}, COVERAGE)


def test_an_estimate_needs_no_outcome(rows: Floats, answered: Answers, mean: Floats) -> None:
    """The mean top probability, and what is missing to 1 among the automated."""
    found = estimate(came(answered, rows))
    top = mean.max(axis=1)
    automated = np.array([one.action == "automate" for one in decisions_of(answered)])
    assert top.mean() == pytest.approx(found["accuracy"], abs=1e-6)
    assert (1 - top)[automated].mean() == pytest.approx(found["automated_wrong"], abs=1e-6)
    Estimate.model_validate(found, strict=True)


def test_shift_is_that_of_the_rows(rows: Floats, answered: Answers) -> None:
    """Each feature beside what training saw, as the library's `drift` tells it of its values."""
    found = shift(came(answered, rows), WATCHED.streams)
    Drift.model_validate(found, strict=True)
    for at, name in enumerate(WATCHED.signature.names):
        bins = WATCHED.streams[name]
        seen = np.bincount(bins.indices(rows[:, at]), minlength=bins.size)
        assert {"feature": name, **asdict(drift(bins, dict(enumerate(seen))))} == found["features"][
            at
        ]
    weight, length, information = found["features"]
    assert weight["psi"] > 0.1 > length["psi"]
    assert (0, None) == (information["rows"], information["psi"])


def test_of_nothing_everything_is_null() -> None:
    """Every figure is there, also where no row came and no outcome is known."""
    empty = figures({}, CLASSES)
    Figures.model_validate(empty, strict=True)
    assert {"small": 0, "middle": 0, "large": 0} == empty["grades"]
    assert empty["referral_rate"] is None
    assert {None} == set(empty["predictive_entropy"].values())
    known = outcomes({}, None)
    Outcomes.model_validate(known, strict=True)
    assert (0, None, None) == (known["known"], known["accuracy"], known["ece"])
    assert {"accuracy": None, "automated_wrong": None} == estimate({})


def test_what_is_told_does_not_depend_on_the_order_of_counts(
    rows: Floats, answered: Answers, labels: Indices
) -> None:
    """Whoever counted what first: the same bytes, so that nothing seems to have changed."""
    counts = came(answered, rows)
    whole = summed([counts, counted(answered, labels)])
    names = np.random.default_rng(6).permutation(list(whole)).tolist()
    other = {name: whole[name] for name in names}
    texts = [
        json.dumps(
            [
                figures(one, CLASSES),
                outcomes(one, POLICY),
                estimate(one),
                shift(one, WATCHED.streams),
            ]
        )
        for one in (whole, other)
    ]
    assert texts[0] == texts[1]


def test_figures_are_as_the_page_documents_them(
    rows: Floats, answered: Answers, told: dict[str, Any]
) -> None:
    """The models of OpenAPI take them as they are."""
    counts = came(answered, rows)
    found = figures(counts, CLASSES)
    Figures.model_validate(found, strict=True)
    Outcomes.model_validate(told, strict=True)
    referred = sum(one.action == "refer" for one in decisions_of(answered))
    assert (ROWS - referred, referred) == (found["automated"], found["referred"])
    assert referred / ROWS == found["referral_rate"]
