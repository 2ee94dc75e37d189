"""Risk and coverage, AURC and AUROC against their definitions and scikit-learn."""

from itertools import pairwise, permutations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from dubito.types import Booleans, Floats
from dubito.uncertainty.selective import area_under_risk, area_under_roc, risk_coverage


def scored(seed: int, number: int, levels: int) -> tuple[Floats, Booleans]:
    """Scores `(N,)` on so many levels, so that ties occur, and which rows are of the one kind."""
    random = np.random.default_rng(seed)
    kind = random.random(number) < 0.4
    kind[:2] = [True, False]
    return random.integers(0, levels, number) / levels, kind


ROWS = st.builds(
    scored,
    seed=st.integers(0, 2**32 - 1),
    number=st.integers(2, 60),
    levels=st.sampled_from([1, 3, 20, 10**9]),
)


@given(rows=ROWS)
def test_auroc_is_scikit_learns(rows: tuple[Floats, Booleans]) -> None:
    """The area is scikit-learn's, with ties and without."""
    score, positive = rows
    expected = sklearn.metrics.roc_auc_score(positive, score)
    assert area_under_roc(score, positive) == pytest.approx(expected, abs=1e-12)


@given(rows=ROWS)
def test_auroc_counts_pairs(rows: tuple[Floats, Booleans]) -> None:
    """It is the share of pairs in the right order, a tie half a pair."""
    score, positive = rows
    pairs = np.sign(score[positive][:, None] - score[~positive])
    assert area_under_roc(score, positive) == pytest.approx((pairs.mean() + 1) / 2, abs=1e-12)


@pytest.mark.parametrize("positive", [[True, True], [False, False], []])
def test_auroc_needs_both_kinds(positive: list[bool]) -> None:
    """Without a pair there is no area."""
    with pytest.raises(ZeroDivisionError):
        area_under_roc(np.zeros(len(positive)), np.array(positive, dtype=np.bool_))


@given(rows=ROWS.filter(lambda rows: len(np.unique(rows[0])) == len(rows[0])))
def test_risks_are_those_of_a_loop(rows: tuple[Floats, Booleans]) -> None:
    """At coverage k/N the risk is the error rate of the k surest rows; AURC is their mean."""
    confidence, wrong = rows
    surest = sorted(range(len(wrong)), key=lambda at: -confidence[at])
    expected = [np.mean(wrong[surest[:k]]) for k in range(1, len(wrong) + 1)]
    coverages, risks = risk_coverage(confidence, wrong)
    assert coverages.tolist() == [k / len(wrong) for k in range(1, len(wrong) + 1)]
    np.testing.assert_allclose(risks, expected, atol=1e-12)
    assert area_under_risk(confidence, wrong) == pytest.approx(np.mean(expected))


def test_ties_have_the_expected_risk_of_a_random_order() -> None:
    """With ties, the area is the mean over all orders that the confidence allows."""
    confidence = np.array([0.5, 0.9, 0.5, 0.5, 0.1, 0.9])
    wrong = np.array([True, False, False, True, False, True])
    areas = []
    for order in permutations(range(6)):
        if all(confidence[a] >= confidence[b] for a, b in pairwise(order)):
            errors = np.cumsum(wrong[list(order)])
            areas.append(np.mean(errors / np.arange(1, 7)))
    assert len(areas) == 12
    assert area_under_risk(confidence, wrong) == pytest.approx(np.mean(areas))


@given(rows=ROWS, seed=st.integers(0, 1_000))
def test_the_order_of_rows_does_not_matter(rows: tuple[Floats, Booleans], seed: int) -> None:
    """Shuffled rows have the same areas, ties or not."""
    score, kind = rows
    order = np.random.default_rng(seed).permutation(len(score))
    assert area_under_risk(score[order], kind[order]) == pytest.approx(area_under_risk(score, kind))
    assert area_under_roc(score[order], kind[order]) == pytest.approx(area_under_roc(score, kind))


def test_the_best_order_has_the_least_area() -> None:
    """All errors last is optimal; confidence that says nothing has the error rate itself."""
    wrong = np.arange(100) >= 90
    best = area_under_risk(-np.arange(100.0), wrong)
    assert best == pytest.approx(sum(k / (90 + k) for k in range(1, 11)) / 100)
    assert area_under_risk(np.zeros(100), wrong) == pytest.approx(0.1)


def test_no_rows_have_no_area() -> None:
    """The mean over no coverages is refused."""
    with pytest.raises(ZeroDivisionError):
        area_under_risk(np.empty(0), np.empty(0, dtype=np.bool_))
