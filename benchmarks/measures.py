"""Metrics of held-out probabilities, with their spread over seeds and over test rows."""

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import f1_score

from dubito.types import Floats, Indices
from dubito.uncertainty.calibration import adaptive_calibration_error, expected_calibration_error
from dubito.uncertainty.selective import area_under_risk

TINY = 1e-15
SIMULATIONS = 500
RESAMPLES = 2000
INTERVAL = (2.5, 97.5)
"""Lower and upper percentile of the intervals."""
COMMON = range(6)
"""Classes A to F, for the macro-F1; the test part has only two rows of G, so those are counted."""
RARE = 6
COMPARED = ("accuracy", "nll", "brier", "aurc")


def measure(probabilities: Floats, labels: Indices) -> dict[str, float]:
    """Compute the metrics of probabilities `(N, C)` against the labels `(N,)`."""
    top = probabilities.argmax(axis=1)
    losses = row_losses(probabilities, labels)
    return {
        "accuracy": 1.0 - float(losses["accuracy"].mean()),
        "macro_f1": float(f1_score(labels, top, labels=COMMON, average="macro", zero_division=0)),
        "right_g": float(np.sum((top == RARE) & (labels == RARE))),
        "nll": float(losses["nll"].mean()),
        "brier": float(losses["brier"].mean()),
        "ece": expected_calibration_error(probabilities, labels),
        "ece_luck": _luck(expected_calibration_error, probabilities),
        "ace": adaptive_calibration_error(probabilities, labels),
        "ace_luck": _luck(adaptive_calibration_error, probabilities),
        "aurc": aurc(probabilities, labels),
    }


def aurc(probabilities: Floats, labels: Indices) -> float:
    """Compute the area under the risk-coverage curve, ranked by the largest probability."""
    wrong = probabilities.argmax(axis=1) != labels
    return area_under_risk(probabilities.max(axis=1), wrong)


def row_losses(probabilities: Floats, labels: Indices) -> dict[str, Floats]:
    """Return each row's loss `(N,)` by metric that is a mean over rows; for accuracy, its error."""
    right = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    hot = np.eye(probabilities.shape[1])[labels]
    return {
        "accuracy": (probabilities.argmax(axis=1) != labels).astype(np.float64),
        "nll": -np.log(np.maximum(right, TINY)),
        "brier": ((probabilities - hot) ** 2).sum(axis=1),
    }


def _luck(error: Callable[[Floats, Indices], float], probabilities: Floats) -> float:
    """Compute the 95% quantile of an error for perfectly calibrated models with these outputs."""
    random = np.random.default_rng(0)
    ladder = probabilities.cumsum(axis=1)
    ladder[:, -1] = 1.0
    found = [
        error(probabilities, (random.random((len(ladder), 1)) > ladder).sum(axis=1))
        for _ in range(SIMULATIONS)
    ]
    return float(np.quantile(found, 0.95))


def differences(
    ours: Sequence[Floats], theirs: Sequence[Floats], labels: Indices
) -> dict[str, tuple[float, float, float]]:
    """Compute ours − theirs and the ends of its 95% interval, paired over test rows.

    Each resample of the rows is the same for every model; losses are averaged over the seeds.
    """
    random = np.random.default_rng(0)
    samples = random.integers(len(labels), size=(RESAMPLES, len(labels)))
    found = {}
    for name in COMPARED[:-1]:
        apart = _seed_mean(ours, labels, name) - _seed_mean(theirs, labels, name)
        apart = -apart if name == "accuracy" else apart
        found[name] = _interval(float(apart.mean()), apart[samples].mean(axis=1))
    everyone = np.arange(len(labels))
    own, other = ([_areas(one, labels) for one in part] for part in (ours, theirs))
    areas = [_apart(own, other, rows) for rows in samples]
    found[COMPARED[-1]] = _interval(_apart(own, other, everyone), np.array(areas))
    return found


def _interval(value: float, resampled: Floats) -> tuple[float, float, float]:
    low, high = np.percentile(resampled, INTERVAL)
    return value, float(low), float(high)


def _seed_mean(runs: Sequence[Floats], labels: Indices, name: str) -> Floats:
    mean: Floats = np.mean([row_losses(run, labels)[name] for run in runs], axis=0)
    return mean


def _areas(probabilities: Floats, labels: Indices) -> Callable[[Indices], float]:
    confidence = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != labels
    return lambda rows: area_under_risk(confidence[rows], wrong[rows])


def _apart(
    own: Sequence[Callable[[Indices], float]],
    other: Sequence[Callable[[Indices], float]],
    rows: Indices,
) -> float:
    return float(np.mean([area(rows) for area in own]) - np.mean([area(rows) for area in other]))
