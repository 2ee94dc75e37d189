"""The figures of an evaluation, from answers made by hand, against scikit-learn and sums."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

from dubito.training.evaluation.metrics import assess, held_out_figures
from dubito.training.evaluation.predictions import Answered, Evidence, Shifted
from dubito.training.evaluation.risk import risks
from dubito.training.evaluation.sets import by_class
from dubito.types import Band, Calibration, Floats, Indices, Policy, Promise
from dubito.uncertainty.calibration import adaptive_calibration_error, expected_calibration_error
from dubito.uncertainty.decomposition import summarise
from dubito.uncertainty.scores import METHODS, label_scores

CLASSES = ("A", "B", "C")
ROWS, PASSES = 400, 12


def answered(seed: int) -> tuple[Answered, Indices]:
    """Rows that are right as often as they say; every tenth is alarmed, every fifth referred."""
    random = np.random.default_rng(seed)
    base = random.dirichlet([2.0, 0.5, 0.2], ROWS)
    draws = np.stack([[random.dirichlet(40 * row + 0.01) for row in base] for _ in range(PASSES)])
    summary = summarise(draws)
    labels = (random.random((ROWS, 1)) > summary.mean.cumsum(axis=1)).sum(axis=1)
    places = np.arange(ROWS)
    return Answered(summary, places % 10 == 0, places % 5 == 0), np.minimum(labels, 2)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    found, labels = answered(0)
    return Evidence(labels, found.summary.mean[:, [0, 2, 1]], found, PASSES)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    found, labels = answered(1)
    scores = {
        method: tuple(label_scores(method, found.summary.mean, labels, 0.01, 2).tolist())
        for method in METHODS
    }
    band = Band(0.05, 0.4, 0.1, 0.02)
    promises = (Promise(0.05, 0.1, 0.3, 0.02, band, 0), Promise(0.2, 0.4, 0.8, 0.1))
    policy = Policy(confidence=0.95, target=0.05, epistemic=0.05, promises=promises)
    return Calibration(
        passes=PASSES,
        coverage=0.9,
        labels=tuple(labels.tolist()),
        scores=scores,
        penalty=0.01,
        free=2,
        accuracy=float(np.mean(found.summary.predicted == labels)),
        policy=policy,
    )


def test_confusions_are_scikit_learns(evidence: Evidence, calibration: Calibration) -> None:
    """Of all rows, and of those that neither a rule, nor doubt, nor a second class refers."""
    figures, summary = assess(evidence, calibration, CLASSES), evidence.answered.summary
    expected = confusion_matrix(evidence.labels, summary.predicted, labels=range(3))
    assert expected.tolist() == [list(row) for row in figures.confusion]

    second = np.sort(summary.mean, axis=1)[:, -2]
    kept = ~evidence.answered.fixed & (second <= 0.1) & (summary.mutual_information <= 0.05)
    expected = confusion_matrix(evidence.labels[kept], summary.predicted[kept], labels=range(3))
    assert figures.confusion_automated is not None
    assert expected.tolist() == [list(row) for row in figures.confusion_automated]

    strict, loose = figures.promises
    wrong = summary.predicted != evidence.labels
    assert kept.mean() == pytest.approx(strict.automated)
    assert wrong[kept].mean() == pytest.approx(strict.wrong)
    assert wrong[kept].sum() == strict.errors
    band = kept & (second >= 0.05)
    assert 0 < band.sum() < kept.sum()
    assert (band.sum(), wrong[band].sum()) == strict.band
    assert loose.band is None


def test_the_reliability_is_the_calibration_error(evidence: Evidence) -> None:
    """Both kinds of bins hold all rows, and give the errors that are stated elsewhere."""
    width, mass = assess(evidence, None, CLASSES).reliability
    mean = evidence.answered.summary.mean
    assert ROWS == sum(width.rows) == sum(mass.rows)
    assert width.ece == pytest.approx(expected_calibration_error(mean, evidence.labels))
    assert mass.ece == pytest.approx(adaptive_calibration_error(mean, evidence.labels))
    for bins in (width, mass):
        assert all(low <= high for low, high in zip(bins.low, bins.high, strict=True))
        assert bins.ece < bins.expected


def test_a_network_that_lies_is_above_chance(evidence: Evidence) -> None:
    """Labels drawn anew leave an error that no calibrated model shows by chance."""
    lied = replace(evidence, labels=np.random.default_rng(9).integers(0, 3, ROWS))
    for bins in assess(lied, None, CLASSES).reliability:
        assert bins.ece > 2 * bins.expected


def test_risks_are_counted_by_hand(evidence: Evidence) -> None:
    """Each curve ends at the error of its answers; AUROC is scikit-learn's."""
    summary, labels = evidence.answered.summary, evidence.labels
    found = risks(evidence.plain, summary, labels)
    wrong = summary.predicted != labels
    for risk in found[1:]:
        assert risk.coverage[-1] == 1.0
        assert risk.risk[-1] == pytest.approx(wrong.mean())
    (entropy,) = (risk for risk in found if risk.score == "predictive entropy")
    assert entropy.auroc == pytest.approx(roc_auc_score(wrong, summary.predictive_entropy))
    assert found[0].risk[-1] == pytest.approx((evidence.plain.argmax(axis=1) != labels).mean())


def test_sets_are_counted_by_hand(evidence: Evidence, calibration: Calibration) -> None:
    """The whole's coverage is the mean of the classes', weighted by their rows."""
    figures = assess(evidence, calibration, CLASSES)
    counts = np.array(figures.class_rows)
    for sets in figures.sets:
        assert sets.coverage >= sets.asked - 0.06
        for whole, parts in (
            (sets.coverage, sets.class_coverage),
            (sets.size, sets.class_size),
        ):
            known = [np.nan if part is None else part for part in parts]
            assert np.average(known, weights=counts) == pytest.approx(whole)
    assert set(METHODS) == {sets.method for sets in figures.sets}


def test_entropies_of_right_and_wrong_rows_are_their_means(evidence: Evidence) -> None:
    """Total is aleatoric and epistemic together; both kinds are all rows."""
    figures = assess(evidence, None, CLASSES)
    assert figures.right is not None
    assert figures.wrong is not None
    assert ROWS == figures.right.rows + figures.wrong.rows
    for doubt in (figures.right, figures.wrong):
        parts = doubt.expected + doubt.mutual_information
        assert doubt.predictive == pytest.approx(parts)


def test_shifts_rank_alarms_above_all(evidence: Evidence, calibration: Calibration) -> None:
    """Rows of no more doubt than before are told by the guard alone, half of them, with ties."""
    chosen = np.arange(0, ROWS, 2)
    after = Answered(
        summarise(np.repeat(evidence.answered.summary.mean[None, chosen], 2, axis=0)),
        np.arange(len(chosen)) % 2 == 0,
        np.arange(len(chosen)) % 2 == 0,
    )
    shifted = Shifted("made", chosen, unchanged=3, refused=ROWS - len(chosen) - 3, answered=after)
    (found,) = assess(replace(evidence, shifts=(shifted,)), calibration, CLASSES).shifts

    before = evidence.answered.summary.mutual_information[chosen]
    doubt = np.concatenate([before, np.zeros(len(chosen))])
    rung = np.concatenate([evidence.answered.alarmed[chosen], after.alarmed])
    strange = np.repeat([False, True], len(chosen))
    assert found.auroc_passes == pytest.approx(roc_auc_score(strange, doubt))
    ranked = np.where(rung, 10.0, doubt)
    assert found.auroc == pytest.approx(roc_auc_score(strange, ranked))
    assert found.alarmed == 0.5
    assert found.referred is not None
    assert found.referred >= 0.5
    assert (3, len(chosen)) == (found.unchanged, found.rows)


def test_fewer_passes_than_calibrated_promise_nothing(
    evidence: Evidence, calibration: Calibration
) -> None:
    """Neither sets nor promises are shown, as the service guarantees neither."""
    figures = assess(evidence, replace(calibration, passes=PASSES + 1), CLASSES)
    assert ((), (), None) == (figures.sets, figures.promises, figures.confusion_automated)


def test_rare_classes_are_counts(evidence: Evidence) -> None:
    """A class of fewer than ten rows has no part in the F1 of the common ones."""
    labels = np.where(evidence.labels == 2, 0, evidence.labels)
    labels[:4] = 2
    figures = assess(replace(evidence, labels=labels), None, CLASSES)
    grades = evidence.answered.summary.predicted
    assert figures.rare == {"C": (int((grades[:4] == 2).sum()), 4)}
    expected = f1_score(labels, grades, labels=[0, 1], average="macro")
    assert figures.mc["macro_f1_common"] == pytest.approx(expected)


def test_the_manifest_takes_the_default_ones(evidence: Evidence, calibration: Calibration) -> None:
    """Coverage and size at the default coverage, the default promise, and no undefined figure."""
    figures = assess(evidence, calibration, CLASSES)
    found = held_out_figures(figures)
    for sets in figures.sets:
        if sets.asked == calibration.coverage:
            assert found[f"coverage_{sets.method}"] == sets.coverage
    assert found["automated"] == figures.promises[0].automated
    assert all(np.isfinite(value) for value in found.values())
    assert "automated" not in held_out_figures(assess(evidence, None, CLASSES))


def test_a_class_without_rows_has_no_mean() -> None:
    """Neither 0 nor NaN stands for nothing."""
    values: Floats = np.array([1.0, 3.0, 5.0])
    assert by_class(values, np.array([0, 0, 2]), 3) == (2.0, None, 5.0)
