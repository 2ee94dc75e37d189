"""Conformal sets: against MAPIE row by row, their guarantee, and what is added when served."""

import dataclasses
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.classification import SplitConformalClassifier
from mapie.conformity_scores import APSConformityScore
from sklearn.base import BaseEstimator, ClassifierMixin

from dubito.types import Booleans, Calibration, Floats, Indices, Policy
from dubito.uncertainty.conformal import (
    class_thresholds,
    conditional_sets,
    prediction_sets,
    raw_sets,
    score_threshold,
    served_sets,
)
from dubito.uncertainty.scores import METHODS, class_scores, label_scores

CLASSES = 7
PENALTY, FREE = 0.05, 2


def exchangeable(random: np.random.Generator, rows: int) -> tuple[Floats, Indices]:
    """Softmax of random logits, and labels from sharper ones: a network that is not calibrated."""
    logits = random.normal(size=(rows, CLASSES)) * 2
    noise = random.gumbel(size=logits.shape)
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True), np.argmax(1.5 * logits + noise, axis=1)


def calibrated(probabilities: Floats, labels: Indices) -> Calibration:
    """A calibration of these rows, without a promise."""
    scores = {
        method: tuple(label_scores(method, probabilities, labels, PENALTY, FREE).tolist())
        for method in METHODS
    }
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    policy = Policy(0.95, 0.03, 0.1, ())
    return Calibration(50, 0.9, tuple(labels.tolist()), scores, PENALTY, FREE, accuracy, policy)


class Given(ClassifierMixin, BaseEstimator):
    """What MAPIE takes for a classifier: its inputs are the probabilities."""

    classes_ = np.arange(CLASSES)

    def fit(self, features: Any = None, labels: Any = None) -> "Given":
        return self

    def predict_proba(self, features: Floats) -> Floats:
        return features

    def predict(self, features: Floats) -> Indices:
        return features.argmax(axis=1)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def mapie_sets(
    method: str, calibration: tuple[Floats, Indices], rows: Floats, coverage: float
) -> Booleans:
    """MAPIE's sets `(N, C)`, made from our scores of the calibration rows.

    MAPIE draws at random in the scores of APS and RAPS, and chooses the latter's λ and k itself;
    so its scores are replaced by ours, and the choice by the fixed ones.
    """
    model = SplitConformalClassifier(Given(), coverage, method, prefit=True, random_state=0)
    model.conformalize(*calibration)
    inner = model._mapie_classifier  # noqa: SLF001 - MAPIE has no public way to hand it scores
    if method != "lac":
        scores = label_scores(method, *calibration, PENALTY, FREE)
        inner.conformity_scores_ = scores[:, None]
    if method == "raps":
        fix(inner.conformity_score_function_)
    sets = model.predict_set(rows, conformity_score_params={"include_last_label": True})[1]
    return np.asarray(sets[:, :, 0], dtype=np.bool_)


def fix(function: Any) -> None:
    """Give MAPIE's RAPS the λ and k it would choose from rows of its own."""
    quantiles: Callable[..., Any] = APSConformityScore.get_conformity_score_quantiles

    def fixed(*args: Any, **kwargs: Any) -> Any:
        function.lambda_star, function.k_star = PENALTY, np.array([FREE])
        return quantiles(function, *args, **kwargs)

    function.get_conformity_score_quantiles = fixed


def smooth(random: np.random.Generator, rows: int) -> Floats:
    return random.dirichlet(np.full(CLASSES, 0.4), rows)


def tied(random: np.random.Generator, rows: int) -> Floats:
    """Probabilities with many ties and zeros."""
    return random.multinomial(16, np.full(CLASSES, 1 / CLASSES), rows) / 16


def saturated(random: np.random.Generator, rows: int) -> Floats:
    """Probabilities of a network so sure that most classes vanish."""
    sure = np.maximum(random.dirichlet(np.full(CLASSES, 0.03), rows), 1e-30)
    return sure / sure.sum(axis=1, keepdims=True)


@pytest.mark.claim("raw conformal sets are MAPIE's", test=2_000, proof=200_000)
@pytest.mark.parametrize("kind", [smooth, tied, saturated])
@pytest.mark.parametrize("method", ["lac", "aps", "raps"])
def test_raw_sets_are_mapies(
    method: str, kind: Callable[..., Floats], count: int, record_property: Callable[..., None]
) -> None:
    """Every row's raw set equals MAPIE's (without randomisation) from the same scores."""
    random = np.random.default_rng(3)
    compared = 0
    for coverage in (0.61, 0.9, 0.953, 0.99):
        probabilities = kind(random, 388)
        drawn = random.random((388, 1)) > probabilities.cumsum(axis=1)
        calibration = probabilities, np.minimum(drawn.sum(axis=1), CLASSES - 1)
        rows = kind(random, count // 4)
        limit = score_threshold(label_scores(method, *calibration, PENALTY, FREE), coverage)
        expected = mapie_sets(method, calibration, rows, coverage)
        np.testing.assert_array_equal(
            raw_sets(method, rows, limit, PENALTY, FREE), expected, strict=True
        )
        compared += len(expected)
    record_property("figure", f"{compared:,} sets equal")


@pytest.mark.claim("conformal sets cover what was asked", test=20, proof=200)
@pytest.mark.parametrize("coverage", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("method", METHODS)
def test_raw_sets_cover_what_was_asked(
    method: str, coverage: float, count: int, record_property: Callable[..., None]
) -> None:
    """Over random splits: LAC within half a point of what was asked, others no more below it."""
    random = np.random.default_rng(4)
    covered = []
    for _ in range(count):
        probabilities, labels = exchangeable(random, 6_000)
        scores = label_scores(method, probabilities[:2_000], labels[:2_000], PENALTY, FREE)
        sets = raw_sets(
            method, probabilities[2_000:], score_threshold(scores, coverage), PENALTY, FREE
        )
        covered.append(sets[np.arange(4_000), labels[2_000:]].mean())
    found = float(np.mean(covered))
    assert found >= coverage - 0.005
    assert found <= coverage + 0.005 or method != "lac"
    record_property("figure", f"mean coverage {found:.4f}")


@pytest.mark.parametrize("method", METHODS)
def test_class_conditional_sets_cover_each_class(method: str) -> None:
    """With a threshold for each class, the rows of each are covered, the rare ones too."""
    random = np.random.default_rng(5)
    probabilities, labels = exchangeable(random, 60_000)
    calibration = calibrated(probabilities[:20_000], labels[:20_000])
    sets = prediction_sets(
        calibration, probabilities[20_000:], method, 0.9, class_conditional=True
    ).sets
    inside = sets[np.arange(40_000), labels[20_000:]]
    for label in range(CLASSES):
        assert inside[labels[20_000:] == label].mean() >= 0.885


@given(
    size=st.integers(0, 400),
    thousandths=st.integers(500, 999),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_threshold_has_the_exact_rank(size: int, thousandths: int, seed: int) -> None:
    """The rank is that of decimal arithmetic, for every size and coverage."""
    scores = np.random.default_rng(seed).permutation(size).astype(float)
    exact = Decimal(size + 1) * Decimal(thousandths) / 1000
    rank = int(exact.to_integral_value(ROUND_CEILING))
    expected = rank - 1 if rank <= size else np.inf
    assert score_threshold(scores, thousandths / 1000) == expected


def test_a_whole_rank_is_not_rounded_up() -> None:
    """(99 + 1) · 0.55 is 55, where floating point says 55.00000000000001."""
    assert 100 * 0.55 > 55
    assert score_threshold(np.arange(1, 100.0), 0.55) == 55
    assert score_threshold(np.arange(1, 100.0), np.float64(0.55)) == 55


@pytest.mark.parametrize("method", METHODS)
def test_more_coverage_never_takes_a_class_away(method: str) -> None:
    """Raw sets are nested in the threshold; from ∞ on, everything is in."""
    probabilities = saturated(np.random.default_rng(6), 200)
    sets = np.zeros_like(probabilities, dtype=np.bool_)
    for limit in (0.1, 0.5, 0.9, 0.99, 1.2, np.inf):
        larger = raw_sets(method, probabilities, limit, PENALTY, FREE)
        assert (larger >= sets).all()
        sets = larger
    assert sets.all()


@pytest.mark.parametrize("method", METHODS)
def test_a_class_is_in_by_its_own_threshold(method: str) -> None:
    """Class by class: in if its score is at most its threshold, whatever the others'."""
    probabilities = smooth(np.random.default_rng(7), 100)
    thresholds = np.array([0.1, 0.5, 0.9, 0.99, np.inf, 0.3, 0.7])
    expected = class_scores(method, probabilities, PENALTY, FREE) <= thresholds
    found = conditional_sets(method, probabilities, thresholds, PENALTY, FREE)
    np.testing.assert_array_equal(found, expected)


def test_a_class_with_too_few_rows_has_no_threshold() -> None:
    """9 rows speak for a coverage of 0.9, and 8 do not; no rows never do."""
    scores = np.linspace(0, 1, 17)
    labels = np.repeat([0, 1], [9, 8])
    found = class_thresholds(scores, labels, 3, 0.9)
    assert found.tolist() == [0.5, np.inf, np.inf]


def test_classes_that_are_always_in_are_named() -> None:
    """A class with too few rows is in every set, and the answer says which."""
    probabilities, labels = exchangeable(np.random.default_rng(8), 2_000)
    labels = np.where(labels == 6, 5, labels)
    labels[:3] = 6
    calibration = calibrated(probabilities, labels)
    found = prediction_sets(calibration, probabilities, "lac", 0.9, class_conditional=True)
    assert found.always == (6,)
    assert found.sets[:, 6].all()
    marginal = prediction_sets(calibration, probabilities, "lac", 0.9, class_conditional=False)
    assert marginal.always == ()
    assert not marginal.sets[:, 6].all()


def test_too_few_rows_for_any_class_give_every_class() -> None:
    """Ten rows say nothing about a coverage of 0.99."""
    probabilities, labels = exchangeable(np.random.default_rng(9), 10)
    calibration = calibrated(probabilities, labels)
    found = prediction_sets(calibration, probabilities, "aps", 0.99, class_conditional=False)
    assert found.always == tuple(range(CLASSES))
    assert found.sets.all()


@pytest.mark.parametrize("class_conditional", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_served_sets_hold_the_grade(method: str, class_conditional: bool) -> None:
    """What is served is the raw set and the grade, and for `adjacent` what lies between."""
    probabilities, labels = exchangeable(np.random.default_rng(10), 1_000)
    calibration = calibrated(probabilities[:500], labels[:500])
    rows = probabilities[500:]
    found = prediction_sets(calibration, rows, method, 0.5, class_conditional).sets
    scores = np.array(calibration.scores[method])
    if class_conditional:
        limits = class_thresholds(scores, labels[:500], CLASSES, 0.5)
        raw = conditional_sets(method, rows, limits, PENALTY, FREE)
    else:
        raw = raw_sets(method, rows, score_threshold(scores, 0.5), PENALTY, FREE)
    expected = raw | (np.arange(CLASSES) == rows.argmax(axis=1)[:, None])
    assert (found >= expected).all()
    if method == "adjacent":
        for served, wanted in zip(found, expected, strict=True):
            inside, least = np.flatnonzero(served), np.flatnonzero(wanted)
            assert inside.tolist() == list(range(least[0], least[-1] + 1))
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", ["aps", "raps"])
def test_sums_a_little_below_1_reach_every_threshold(method: str) -> None:
    """A threshold from a row that sums to more than this one lets all of its classes in."""
    row = np.array([[0.5, 0.3, 0.2 - 1e-7]])
    assert raw_sets(method, row, 1 + 1e-7 + PENALTY, PENALTY, FREE).tolist() == [[True] * 3]


def test_gaps_are_filled_for_adjacent_grades_alone() -> None:
    """A set of A and D becomes A to D, if grades are to be neighbours."""
    sets = np.array([[True, False, False, True, False]])
    mean = np.array([[0.4, 0.1, 0.1, 0.3, 0.1]])
    assert served_sets("adjacent", sets, mean).tolist() == [[True, True, True, True, False]]
    assert served_sets("lac", sets, mean).tolist() == sets.tolist()


def test_a_set_may_be_asked_to_cover_less_than_grades_do() -> None:
    """Below the accuracy of grades the answer says that its sets cover more than asked."""
    probabilities, labels = exchangeable(np.random.default_rng(11), 500)
    calibration = dataclasses.replace(calibrated(probabilities, labels), accuracy=0.8)
    for coverage, expected in ((0.79, True), (0.8, False), (0.81, False)):
        found = prediction_sets(
            calibration, probabilities, "lac", coverage, class_conditional=False
        )
        assert found.below_accuracy == expected


@pytest.mark.parametrize("coverage", [0.0, 0.499, 0.9991, 1.0, float("nan")])
def test_a_coverage_out_of_range_is_an_error(coverage: float) -> None:
    """Coverages are from 0.5 to 0.999."""
    calibration = calibrated(*exchangeable(np.random.default_rng(12), 50))
    with pytest.raises(ValueError, match="coverage"):
        prediction_sets(calibration, np.eye(CLASSES), "lac", coverage, class_conditional=False)


def test_a_method_without_scores_is_an_error() -> None:
    """A calibration answers for the methods it has scores of."""
    calibration = dataclasses.replace(
        calibrated(*exchangeable(np.random.default_rng(13), 50)), scores={}
    )
    with pytest.raises(KeyError, match="lac"):
        prediction_sets(calibration, np.eye(CLASSES), "lac", 0.9, class_conditional=False)
