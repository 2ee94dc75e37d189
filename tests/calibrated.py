"""A calibrated bundle: a shipped network with scores, a policy and a rule made here."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from app.network.bundle import Bundle, load, write
from app.network.container import from_bytes
from app.uncertainty.decision import runner_up
from app.uncertainty.scores import METHODS, label_scores
from app.values import (
    Booleans,
    Calibration,
    Floats,
    Indices,
    Policy,
    Promise,
    Query,
    Rule,
    Summary,
)
from tests.service import ROOT

SHIPPED = ROOT / "models" / "loan-grade" / "2"
PASSES = 100
ROWS = 600
PENALTY, FREE = 0.01, 2
RULE = Rule("no_evidence", {"paid_principal": 0, "paid_interest": 0})
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


def calibration(bundle: Bundle) -> Calibration:
    """Scores of rows whose class is drawn from their mean, or sure; the last class has two rows."""
    (summary,) = bundle.engine.summarise([Query(features(ROWS, 1), PASSES, 1)])
    labels = _labels(summary)
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
        accuracy=float(np.mean(summary.grades == labels)),
        policy=_policy(summary, labels),
    )


def publish(models: Path) -> Path:
    """Write the bundle as `loan-grade/3`; returns its folder."""
    shipped = load(SHIPPED)
    manifest = replace(shipped.manifest, version=3, calibration=calibration(shipped), rules=(RULE,))
    model = from_bytes((SHIPPED / "model.keras").read_bytes())
    return write(models, manifest, model, "# Card of {digest}\n")[0]


def _labels(summary: Summary) -> Indices:
    classes, random = summary.mean.shape[1], np.random.default_rng(2)
    drawn = [random.choice(classes - 1, p=_without_last(row)) for row in summary.mean]
    order = np.argsort(runner_up(summary.mean))
    kept = order[_automated(summary, 0.3)[order]]
    labels = np.array(drawn)
    labels[kept] = summary.grades[kept]
    surprised = kept[-SURPRISES:]
    labels[surprised] = np.argsort(summary.mean[surprised], axis=1)[:, -2]
    labels[order[-2:]] = classes - 1
    return labels


def _policy(summary: Summary, labels: Indices) -> Policy:
    """What the thresholds automate of these rows."""
    wrong = summary.grades != labels
    promises = []
    for target, threshold in THRESHOLDS.items():
        automated = _automated(summary, threshold)
        share = float(wrong[automated].mean()) if automated.any() else 0.0
        promises.append(Promise(target, threshold, float(automated.mean()), share))
    return Policy(CONFIDENCE, TARGET, EPISTEMIC, tuple(promises))


def _automated(summary: Summary, threshold: float | None) -> Booleans:
    """Which rows `(N,)` a threshold lets through."""
    sure: Booleans = summary.mutual_information <= EPISTEMIC
    return sure & (runner_up(summary.mean) <= (-1 if threshold is None else threshold))


def _without_last(mean: Floats) -> Floats:
    kept: Floats = mean[:-1] / mean[:-1].sum()
    return kept
