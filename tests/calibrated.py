"""A calibrated bundle: a shipped network with scores, a policy and a rule made here."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from app.network.bundle import Bundle, load, write
from app.network.container import from_bytes
from app.uncertainty.scores import METHODS, label_scores
from app.values import Calibration, Floats, Policy, Promise, Query, Rule
from tests.service import ROOT

SHIPPED = ROOT / "models" / "loan-grade" / "2"
PASSES = 100
ROWS = 600
PENALTY, FREE = 0.01, 2
RULE = Rule("no_evidence", {"paid_principal": 0, "paid_interest": 0})
POLICY = Policy(
    confidence=0.95,
    target=0.05,
    epistemic=0.2,
    promises=(
        Promise(0.005, None, 0.0, 0.0),
        Promise(0.01, 0.02, 0.2, 0.004),
        Promise(0.05, 0.3, 0.6, 0.03),
    ),
)


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
    """Scores of rows whose class is drawn from their mean; the last class has two rows at most."""
    (summary,) = bundle.engine.summarise([Query(features(ROWS, 1), PASSES, 1)])
    classes, random = summary.mean.shape[1], np.random.default_rng(2)
    labels = np.array([random.choice(classes - 1, p=_without_last(row)) for row in summary.mean])
    labels[:2] = classes - 1
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
        policy=POLICY,
    )


def publish(models: Path) -> Path:
    """Write the bundle as `loan-grade/3`; returns its folder."""
    shipped = load(SHIPPED)
    manifest = replace(shipped.manifest, version=3, calibration=calibration(shipped), rules=(RULE,))
    model = from_bytes((SHIPPED / "model.keras").read_bytes())
    return write(models, manifest, model, "# Card of {digest}\n")[0]


def _without_last(mean: Floats) -> Floats:
    kept: Floats = mean[:-1] / mean[:-1].sum()
    return kept
