"""Scores of predicted probabilities: accuracy, macro-F1, NLL, Brier score, calibration error."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, log_loss

from dubito.errors import DataError
from dubito.types import Floats, Indices
from dubito.uncertainty.calibration import expected_calibration_error
from dubito.uncertainty.selective import area_under_roc

TOLERANCE = 1e-5


def score(probabilities: Floats, labels: Indices, classes: Sequence[str]) -> dict[str, float]:
    """Score probabilities `(N, C)` of the `C` classes against the labels `(N,)`.

    Returns:
        `accuracy` of the top class (a tie goes to the lower index); `macro_f1`, the mean F1 over
        the classes that occur among the labels or the top classes, 0 for a class never predicted
        right; `nll`, the mean negative log-likelihood in nats; `brier`, summed over classes and
        averaged over rows, 0 to 2; `ece`, the expected calibration error in 15 bins, 0 to 1; and
        of two classes `auroc`, the chance that a row of the second has more of its probability than
        one of the first.

    Raises:
        ValueError: there are no rows, shapes disagree, or a row does not sum to 1.
    """
    rows = _distributions(probabilities)
    known = range(len(classes))
    top = np.argmax(probabilities, axis=1)
    return {
        "accuracy": float(accuracy_score(labels, top)),
        "macro_f1": float(f1_score(labels, top, average="macro", zero_division=0)),
        "nll": float(log_loss(labels, rows, labels=known)),
        "brier": float(brier_score_loss(labels, rows, labels=known, scale_by_half=False)),
        "ece": expected_calibration_error(probabilities, labels),
        **_separation(probabilities, labels, classes),
    }


def _separation(probabilities: Floats, labels: Indices, classes: Sequence[str]) -> dict[str, float]:
    """Return the AUROC of two classes that both occur."""
    if len(classes) != 2 or len(np.unique(labels)) != 2:
        return {}
    return {"auroc": area_under_roc(probabilities[:, 1], labels == 1)}


def check_overflow(probabilities: Floats, rows: str) -> None:
    """Reject rows on which a network's numbers overflow, as the service does.

    Args:
        probabilities: `(N, C)`, or `(T, N, C)` of every pass.
        rows: noun phrase for the rows in the error message.

    Raises:
        DataError: some of the probabilities are not finite.
    """
    finite = np.isfinite(probabilities).all(axis=-1)
    odd = int((~np.atleast_2d(finite).all(axis=0)).sum())
    if odd:
        raise DataError(f"{odd} of {rows} cannot be graded: the network's numbers overflow")


def _distributions(probabilities: Floats) -> Floats:
    """Normalise rows `(N, C)` so that they sum to 1 in float64.

    A softmax in float32 sums to 1 only within 1e-7, and scikit-learn warns from 1e-8 on.
    """
    sums = probabilities.sum(axis=1, keepdims=True)
    if not np.all(np.abs(sums - 1) <= TOLERANCE):
        raise ValueError("probabilities must sum to 1 in every row")
    return probabilities / sums
