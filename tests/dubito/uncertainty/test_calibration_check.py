"""Whether a calibration can be what it says: real ones can, and each contradiction is found."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from dubito.types import Calibration, Promise
from dubito.uncertainty.calibration_check import calibration_faults
from dubito.uncertainty.decomposition import summarise
from dubito.uncertainty.scores import METHODS, label_scores
from dubito.uncertainty.selection import Part, select_policy

Change = Callable[[Calibration], Calibration]


def drawn(
    seed: int, classes: int, sharpness: float, known: float = 0, rows: int = 600
) -> Calibration:
    """A calibration of random draws, made as training makes one.

    Labels follow the mean, but a share that is `known` is the grade.
    """
    random = np.random.default_rng(seed)
    logits = random.normal(0, sharpness, (5, rows, classes))
    logits[:, : rows // 10] = np.round(logits[:, : rows // 10])  # Ties.
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True)).astype(np.float32)
    return of_draws(powers / powers.sum(axis=-1, keepdims=True), random, known=known)


def of_draws(
    draws: Any, random: np.random.Generator, penalty: float = 0.01, known: float = 0
) -> Calibration:
    summary = summarise(draws)
    mean, classes = summary.mean, draws.shape[-1]
    labels = np.array([random.choice(classes, p=row / row.sum()) for row in mean])
    labels = np.where(random.random(len(mean)) < known, summary.predicted, labels)
    free = int(random.integers(0, classes + 1))
    fixed = random.random(len(mean)) < 0.1
    epistemic = float(np.quantile(summary.mutual_information, 0.9))
    information = summary.mutual_information
    part = Part(mean, labels, information, fixed)
    policy = select_policy(part, part, epistemic)
    return Calibration(
        passes=len(draws),
        coverage=0.9,
        labels=tuple(labels.tolist()),
        scores={
            name: tuple(label_scores(name, mean, labels, penalty, free).tolist())
            for name in METHODS
        },
        penalty=penalty,
        free=free,
        accuracy=float(np.mean(summary.predicted == labels)),
        policy=policy,
        mutual_information=tuple(information.tolist()),
    )


@pytest.mark.parametrize("sharpness", [0.0, 0.5, 3.0, 30.0])
@pytest.mark.parametrize("classes", [2, 3, 7, 40])
@pytest.mark.parametrize("seed", range(3))
def test_what_training_makes_has_no_fault(classes: int, sharpness: float, seed: int) -> None:
    """Unsure and sure networks, few and many classes, ties and vanishing probabilities."""
    made = drawn(seed, classes, sharpness)
    assert [] == list(calibration_faults(made, classes))
    assert [] == list(calibration_faults(replace(made, mutual_information=()), classes))


@pytest.mark.parametrize("penalty", [0.0, 1e-12, 1.0])
def test_a_penalty_of_any_size(penalty: float) -> None:
    """None, one that rounding hides, and the largest."""
    draws = np.random.default_rng(1).dirichlet([0.3] * 5, (4, 200))
    made = of_draws(draws, np.random.default_rng(2), penalty)
    assert [] == list(calibration_faults(made, 5))


def is_rich(made: Calibration) -> bool:
    """Whether two thresholds were found, and none for the smallest targets."""
    thresholds = [promise.threshold for promise in made.policy.promises]
    return made.free == 1 and thresholds[0] is None and len(set(thresholds)) > 2


GOOD = next(filter(is_rich, (drawn(seed, 5, 6.0, 0.99, 1_500) for seed in range(99))))
LABELS = np.array(GOOD.labels)
LAC, APS = (np.array(GOOD.scores[method]) for method in ("lac", "aps"))
RIGHT = np.abs(APS - (1 - LAC)) < 1e-9
SURE = int(np.flatnonzero(RIGHT)[0])
"""A row whose grade was right."""
WRONG = int(np.flatnonzero(~RIGHT)[0])
KEPT = next(at for at, one in enumerate(GOOD.policy.promises) if one.threshold is not None)
PROMISE = f"policy.promises.{KEPT}"
BAND = next(one.band for one in GOOD.policy.promises if one.band is not None)


def member(**changed: Any) -> Change:
    return lambda good: replace(good, **changed)


def policy(**changed: Any) -> Change:
    return lambda good: replace(good, policy=replace(good.policy, **changed))


def too_many(rows: int, rate: float) -> int:
    """The least errors with which the test of a rate is not passed."""
    return next(errors for errors in range(rows) if binom.cdf(errors, rows, rate) > 0.05)


def band(**changed: Any) -> Change:
    """The band of that promise."""
    return promise(band=replace(BAND, **changed))


def promise(**changed: Any) -> Change:
    """The first promise that lets anything through."""
    promises = list(GOOD.policy.promises)
    promises[KEPT] = replace(promises[KEPT], **changed)
    return policy(promises=tuple(promises), target=promises[-1].target)


def score(method: str, row: int, value: float) -> Change:
    values = list(GOOD.scores[method])
    values[row] = value
    return member(scores={**GOOD.scores, method: tuple(values)})


def scores(**changed: Any) -> Change:
    found = {**GOOD.scores, **changed}
    return member(scores={name: values for name, values in found.items() if values is not None})


def exchanged(method: str) -> Change:
    """The scores of a right and a wrong row in each other's place."""
    values = list(GOOD.scores[method])
    values[SURE], values[WRONG] = values[WRONG], values[SURE]
    return member(scores={**GOOD.scores, method: tuple(values)})


def label(row: int, value: int) -> Change:
    return member(labels=(*GOOD.labels[:row], value, *GOOD.labels[row + 1 :]))


def information(row: int, value: float) -> Change:
    found = GOOD.mutual_information
    return member(mutual_information=(*found[:row], value, *found[row + 1 :]))


def all_right(good: Calibration) -> Calibration:
    """Scores as of a network that is never wrong, with the accuracy of one that is."""
    return replace(good, scores=dict.fromkeys(METHODS, good.scores["lac"]))


ROWS = len(LABELS)
KEPT_ROWS = round(GOOD.policy.promises[KEPT].automated * ROWS)
BAND_ROWS = round(BAND.automated * ROWS)
CONTRADICTIONS: dict[str, tuple[Change, str]] = {
    "coverage above": (member(coverage=7.0), "coverage is not from 0.5 to 0.999"),
    "coverage below": (member(coverage=0.4), "coverage is not from 0.5 to 0.999"),
    "no passes": (member(passes=0), "passes is not from 1"),
    "penalty below 0": (member(penalty=-0.01), "penalty is not from 0"),
    "penalty too large": (member(penalty=1e9), "penalty is not from 0"),
    "free below 0": (member(free=-1), "free is not from 0"),
    "more free than classes": (member(free=6), "free is not from 0 to the 5 classes"),
    "no rows": (member(labels=()), "labels has no row"),
    "a label above": (label(3, 5), "labels.3 is not one of the 5 classes"),
    "a label below": (label(3, -1), "labels.3 is not one of the 5 classes"),
    "every label another": (member(labels=(99,) * ROWS), "labels.0 is not one of the 5 classes"),
    "a label less": (member(labels=GOOD.labels[1:]), f"scores.lac has {ROWS} rows, but labels"),
    "no lac": (scores(lac=None), "scores has no lac"),
    "no raps": (scores(raps=None), "scores has no raps"),
    "a method more": (scores(own=GOOD.scores["lac"]), "scores has more than lac, aps"),
    "three scores": (scores(lac=(0.1, 0.2, 0.3)), "scores.lac has 3 rows, but labels has 1500"),
    "a score less": (scores(raps=GOOD.scores["raps"][1:]), "scores.raps has 1499 rows"),
    "lac above 1": (score("lac", SURE, 1.5), f"scores.lac.{SURE} is not from 0 to 1"),
    "lac below 0": (score("lac", SURE, -0.5), f"scores.lac.{SURE} is not from 0 to 1"),
    "lac of another": (score("lac", SURE, LAC[SURE] / 2 + 0.2), f"scores.aps.{SURE} is impossible"),
    "aps of another": (score("aps", SURE, APS[SURE] - 0.01), f"scores.aps.{SURE} is impossible"),
    "aps above 1": (score("aps", WRONG, 1.5), f"scores.aps.{WRONG} is not from 0 to 1.0001"),
    "aps too small": (
        score("aps", WRONG, 1 - LAC[WRONG] + 1e-6),
        f"scores.aps.{WRONG} is impossible",
    ),
    "adjacent of another": (
        score("adjacent", SURE, 1.0),
        f"scores.adjacent.{SURE} and aps do not agree on the grade",
    ),
    "adjacent above 1": (score("adjacent", WRONG, 1.5), f"scores.adjacent.{WRONG} is not from"),
    "raps below aps": (
        score("raps", WRONG, APS[WRONG] - 0.1),
        f"scores.raps.{WRONG} is impossible",
    ),
    "endless raps": (score("raps", SURE, 1e308), f"scores.raps.{SURE} is not from 0 to 1.0501"),
    "raps of half a class": (
        score("raps", WRONG, APS[WRONG] + GOOD.penalty / 2),
        f"scores.raps.{WRONG} is impossible",
    ),
    "raps of more classes": (
        score("raps", WRONG, APS[WRONG] + 9 * GOOD.penalty),
        f"scores.raps.{WRONG} is impossible",
    ),
    "another penalty": (member(penalty=0.5), "scores.raps."),
    "another free": (member(free=(GOOD.free + 3) % 6), "scores.raps."),
    "lac exchanged": (exchanged("lac"), "scores."),
    "aps exchanged": (exchanged("aps"), "scores."),
    "adjacent exchanged": (exchanged("adjacent"), "do not agree on the grade"),
    "lac reversed": (scores(lac=GOOD.scores["lac"][::-1]), "is impossible for a row with its lac"),
    "scores of nothing": (scores(**dict.fromkeys(METHODS, (0.0,) * ROWS)), "is impossible for a"),
    "scores of one": (scores(**dict.fromkeys(METHODS, (0.5,) * ROWS)), "accuracy is not 1"),
    "never wrong": (all_right, "scores.aps."),
    "another accuracy": (member(accuracy=GOOD.accuracy + 0.01), "accuracy is not 0."),
    "accuracy above 1": (member(accuracy=1.5), "accuracy is not 0."),
    "information below 0": (information(2, -0.1), "mutual_information.2 is impossible"),
    "information above all": (information(2, 1.7), "mutual_information.2 is impossible"),
    "information of a sure row": (
        information(int(LAC.argmin()), 0.9),
        f"mutual_information.{LAC.argmin()} is impossible for a row with its lac",
    ),
    "information less": (
        member(mutual_information=GOOD.mutual_information[1:]),
        "mutual_information has 1499 rows",
    ),
    "confidence of all": (policy(confidence=1.0), "policy.confidence is not from 0.5"),
    "confidence of a coin": (policy(confidence=0.1), "policy.confidence is not from 0.5"),
    "more confidence": (policy(confidence=0.9999999), "is not kept by its rows"),
    "epistemic below 0": (policy(epistemic=-0.1), "policy.epistemic is not from 0"),
    "epistemic above all": (policy(epistemic=1.7), "policy.epistemic is not from 0"),
    "less epistemic": (policy(epistemic=0.0), "automates more rows than the scores allow"),
    "no promises": (policy(promises=()), "policy.promises does not have 1 to 100"),
    "a target not promised": (policy(target=0.123), "policy.target is not one of the promised"),
    "targets in no order": (
        policy(promises=GOOD.policy.promises[::-1]),
        "policy.promises is not in the order of its targets",
    ),
    "a promise twice": (
        policy(promises=tuple(chain(*[[one, one] for one in GOOD.policy.promises]))),
        "policy.promises is not in the order of its targets",
    ),
    "a target of 0": (
        policy(promises=(Promise(0.0, None, 0.0, 0.0, wanting=0), *GOOD.policy.promises)),
        "policy.promises.0.target is not between 0 and 1",
    ),
    "a target of 1": (
        policy(promises=(*GOOD.policy.promises, Promise(1.0, None, 0.0, 0.0, wanting=0))),
        "policy.promises.6.target is not between 0 and 1",
    ),
    "a smaller target": (
        promise(target=GOOD.policy.promises[KEPT - 1].target + 1e-6),
        f"{PROMISE} is not kept by its rows",
    ),
    "threshold above": (promise(threshold=0.6), f"{PROMISE}.threshold is not from 0 to 0.5"),
    "threshold below": (promise(threshold=-0.1), f"{PROMISE}.threshold is not from 0 to 0.5"),
    "threshold of nothing": (promise(threshold=0.0), f"{PROMISE} automates more rows than"),
    "automated without": (promise(threshold=None), f"{PROMISE} automates rows without"),
    "half a row": (
        promise(automated=(KEPT_ROWS + 0.5) / ROWS),
        f"{PROMISE} has shares that are not of whole rows",
    ),
    "half an error": (
        promise(wrong=0.5 / KEPT_ROWS),
        f"{PROMISE} has shares that are not of whole rows",
    ),
    "more than all": (promise(automated=2.0), f"{PROMISE} has shares that are not of whole rows"),
    "fewer than none": (promise(automated=-0.5), f"{PROMISE} has shares that are not of whole"),
    "all automated": (promise(automated=1.0, wrong=0.0), f"{PROMISE} automates more rows than"),
    "more wrong": (promise(wrong=1.0), f"{PROMISE} automates more rows than the scores allow"),
    "too wrong": (
        promise(wrong=too_many(KEPT_ROWS, GOOD.policy.promises[KEPT].target) / KEPT_ROWS),
        f"{PROMISE} is not kept by its rows",
    ),
    "a case limit of 0": (policy(case_limit=0.0), "policy.case_limit is not between 0 and 1"),
    "a smaller case limit": (policy(case_limit=1e-3), f"{PROMISE}.band is not kept by its rows"),
    "a case limit alone": (policy(likelihood=None), "are not given together"),
    "a likelihood alone": (policy(case_limit=None), "are not given together"),
    "a likelihood above 1": (policy(likelihood=1.1), "policy.likelihood is not from 0 to 1"),
    "no band": (promise(band=None), f"{PROMISE}.band is needed exactly where"),
    "a band of nothing": (
        policy(
            promises=(
                replace(GOOD.policy.promises[0], band=BAND),
                *GOOD.policy.promises[1:],
            )
        ),
        "policy.promises.0.band is needed exactly where",
    ),
    "a bound above": (band(bound=0.499), f"{PROMISE}.band.bound is not from 0 to the threshold"),
    "a bound below": (band(bound=-0.1), f"{PROMISE}.band.bound is not from 0 to the threshold"),
    "a share of none": (band(share=0.0), f"{PROMISE}.band.share is not above 0"),
    "half a row in the band": (
        band(automated=(BAND_ROWS + 0.5) / ROWS),
        f"{PROMISE}.band has shares that are not of whole rows",
    ),
    "a band of all": (band(automated=1.0, wrong=0.0), f"{PROMISE}.band has rows that are not"),
    "a band too wrong": (
        band(wrong=too_many(BAND_ROWS, 0.1) / BAND_ROWS),
        f"{PROMISE}.band",
    ),
    "rows wanting below 0": (promise(wanting=-1), f"{PROMISE}.wanting is not a number of rows"),
    "rows not counted": (promise(wanting=None), f"{PROMISE}.wanting is not a number of rows"),
    "rows wanting": (promise(wanting=3), f"{PROMISE} automates rows although its"),
    "fewer at a larger threshold": (
        promise(threshold=0.0021, automated=KEPT_ROWS / ROWS, wrong=0.0),
        "policy.promises",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_found(name: str) -> None:
    """Between labels, scores, accuracy, promises and thresholds: named by its member."""
    change, sentence = CONTRADICTIONS[name]
    assert [] == list(calibration_faults(GOOD, 5))
    assert sentence in next(calibration_faults(change(GOOD), 5))


def test_thresholds_and_shares_go_together() -> None:
    """A larger threshold automates the same rows and more, and an equal one the same."""
    kept = [one for one in GOOD.policy.promises if one.threshold is not None]
    first, last = kept[0], kept[-1]
    assert first.threshold is not None
    assert first.band is not None
    right = replace(first.band, wrong=0.0)
    fewer = replace(last, band=right, automated=first.automated - 1 / ROWS, wrong=0.0)
    same = replace(fewer, threshold=first.threshold)
    for one in (fewer, same):
        promises = (*GOOD.policy.promises[:-1], one)
        found = replace(GOOD, policy=replace(GOOD.policy, promises=promises))
        assert "automates fewer rows at a larger threshold" in next(calibration_faults(found, 5))


@pytest.mark.parametrize("method", METHODS)
def test_a_changed_score_of_a_right_row_never_passes(method: str) -> None:
    """All four scores of such a row are functions of one probability."""
    rows = np.flatnonzero(RIGHT)
    for row in np.random.default_rng(3).choice(rows, 30, replace=False).tolist():
        for value in (GOOD.scores[method][row] + 1e-6, 0.123, 2.0, -1.0):
            assert list(calibration_faults(score(method, row, value)(GOOD), 5))
