"""A calibrated bundle: a shipped network with scores, a policy and a rule made here."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from dubito.bundle import Bundle, load
from dubito.bundles.repository import write_bundle
from dubito.layers.archive import from_bytes, to_bytes
from dubito.types import (
    Booleans,
    Calibration,
    Cards,
    DomainRule,
    Floats,
    Indices,
    Policy,
    Promise,
    Query,
    Summary,
)
from dubito.uncertainty.decision import runner_up
from dubito.uncertainty.scores import METHODS, label_scores
from dubito.uncertainty.selection import Part, select_policy
from tests.service import ROOT

SHIPPED = ROOT / "models" / "loan-grade" / "2"
PASSES = 100
ROWS = 600
PENALTY, FREE = 0.01, 2
RULE = DomainRule("no_evidence", {"paid_principal": 0, "paid_interest": 0})
CONFIDENCE, EPISTEMIC = 0.95, 0.2
THRESHOLDS = {0.005: None, 0.01: 0.05, 0.05: 0.3}
"""Of the targets."""
TARGET = 0.05
SURPRISES = 5
"""Wrong rows among those of the largest threshold: those that were nearest to it."""


def features(count: int, seed: int) -> Floats:
    """Loans `(N, 9)` between the quantiles that training saw."""
    random = np.random.default_rng(seed)
    amounts = random.integers(1_000, 40_000, count)
    paid = np.round(amounts * random.random(count) / 5, 2)
    nothing = np.zeros(count)
    return np.column_stack(
        [
            amounts,
            np.round(random.uniform(2e4, 2e5, count), 2),
            np.round(random.uniform(0, 60, count), 2),
            random.integers(2, 60, count),
            random.integers(0, 3, count),
            paid,
            np.round(paid * random.random(count) / 3, 2),
            nothing,
            nothing,
        ]
    ).astype(np.float64)


def calibration(bundle: Bundle, *, of_cases: bool = False) -> Calibration:
    """Scores of rows whose class is drawn from their mean, or sure; the last class has two rows.

    The policy is an older one, of the average alone, unless it is to promise something of cases.
    """
    (summary,) = bundle.engine.summarise([Query(features(ROWS, 1), PASSES, 1)])
    labels = _nearly_right(summary) if of_cases else _labels(summary)
    return Calibration(
        passes=PASSES,
        coverage=0.9,
        labels=tuple(labels.tolist()),
        scores={
            method: tuple(label_scores(method, summary.mean, labels, PENALTY, FREE).tolist())
            for method in METHODS
        },
        penalty=PENALTY,
        free=FREE,
        accuracy=float(np.mean(summary.predicted == labels)),
        policy=_policy_of_cases(summary, labels) if of_cases else _policy(summary, labels),
    )


def publish(models: Path, *, of_cases: bool = False) -> Path:
    """Write the bundle as `loan-grade/3`; returns its folder."""
    shipped = load(SHIPPED)
    found = calibration(shipped, of_cases=of_cases)
    manifest = replace(shipped.manifest, version=3, calibration=found, rules=(RULE,))
    model = from_bytes((SHIPPED / "model.keras").read_bytes())
    return write_bundle(models, manifest, [to_bytes(model)], Cards("# Card of {digest}\n"))[0]


def _labels(summary: Summary) -> Indices:
    classes, random = summary.mean.shape[1], np.random.default_rng(2)
    drawn = [random.choice(classes - 1, p=_without_last(row)) for row in summary.mean]
    order = np.argsort(runner_up(summary.mean))
    kept = order[_automated(summary, 0.3)[order]]
    labels = np.array(drawn)
    labels[kept] = summary.predicted[kept]
    surprised = kept[-SURPRISES:]
    labels[surprised] = np.argsort(summary.mean[surprised], axis=1)[:, -2]
    labels[order[-2:]] = classes - 1
    return labels


def _nearly_right(summary: Summary) -> Indices:
    """The grades, but for one row: a network that is as sure as it may be."""
    labels = summary.predicted.copy()
    labels[0] = (labels[0] + 1) % summary.mean.shape[1]
    return labels


def _policy(summary: Summary, labels: Indices) -> Policy:
    """What the thresholds automate of these rows."""
    wrong = summary.predicted != labels
    promises = []
    for target, threshold in THRESHOLDS.items():
        automated = _automated(summary, threshold)
        share = float(wrong[automated].mean()) if automated.any() else 0.0
        promises.append(Promise(target, threshold, float(automated.mean()), share))
    return Policy(CONFIDENCE, TARGET, EPISTEMIC, tuple(promises))


def _policy_of_cases(summary: Summary, labels: Indices) -> Policy:
    """What training would make of these rows."""
    fixed = np.zeros(len(labels), dtype=np.bool_)
    part = Part(summary.mean, labels, summary.mutual_information, fixed)
    policy = select_policy(part, part, EPISTEMIC)
    assert policy.promises[-1].threshold is not None
    return policy


def _automated(summary: Summary, threshold: float | None) -> Booleans:
    """Which rows `(N,)` a threshold lets through."""
    sure: Booleans = summary.mutual_information <= EPISTEMIC
    return sure & (runner_up(summary.mean) <= (-1 if threshold is None else threshold))


def _without_last(mean: Floats) -> Floats:
    kept: Floats = mean[:-1] / mean[:-1].sum()
    return kept
