"""The loss that a search minimises: how badly the mean of the passes predicts validation rows."""

import math

import numpy as np

from dubito.layout import Layout
from dubito.targets import ClassTarget, NumberTarget, Target
from dubito.training.data import NumberRows, Rows, Table
from dubito.training.evaluation.number_metrics import score_values
from dubito.training.evaluation.probability_metrics import score
from dubito.types import Floats, Summary
from dubito.uncertainty.intervals import NumberEstimate, log_densities

NLL, RMSE, PINBALL = "NLL", "RMSE", "pinball loss"


def loss_name(layout: Layout) -> str:
    """Return the name of the loss of a layout's target, for people.

    It is the negative log-likelihood of classes and of a number with a normal head, the root of the
    mean squared error of a number alone, and the mean pinball loss of quantiles.
    """
    if layout.number is None or layout.number.head == "normal":
        return NLL
    return PINBALL if layout.number.head == "quantiles" else RMSE


def validation_loss(target: Target, summary: Summary, rows: Rows) -> float:
    """Compute the loss of the passes over rows whose truth is known."""
    if isinstance(target, ClassTarget):
        assert isinstance(rows, Table)  # noqa: S101 - a layout of classes has read them
        return score(summary.mean, rows.labels, target.classes)["nll"]
    assert isinstance(rows, NumberRows)  # noqa: S101 - a layout of a number has read them
    return _number_loss(target, NumberEstimate.of(target, summary), rows.values)


def guess_loss(target: Target, fitted: Rows, rows: Rows) -> float:
    """Compute the loss of an answer that is the same for all rows.

    It is a uniform one for classes; for a number, what is known of it in the fitted rows.
    """
    if isinstance(target, ClassTarget):
        return math.log(len(target.classes))
    assert isinstance(fitted, NumberRows)  # noqa: S101 - as the target is a number
    assert isinstance(rows, NumberRows)  # noqa: S101 - as the target is a number
    known = [fitted.values.mean(), 0.0, fitted.values.std()]
    if target.head == "quantiles":
        lower, middle, upper = np.quantile(fitted.values, target.levels)
        known = [middle, 0.0, 0.0, lower, upper]
    guess = NumberEstimate(*(np.full(len(rows), value) for value in known))
    return _number_loss(target, guess, rows.values)


def _number_loss(target: NumberTarget, estimate: NumberEstimate, values: Floats) -> float:
    if target.head == "normal":
        return -float(log_densities(estimate, values).mean())
    if target.head == "point":
        return score_values(estimate.mean, values)["rmse"]
    assert estimate.lower is not None  # noqa: S101 - a head of quantiles has both
    assert estimate.upper is not None  # noqa: S101 - a head of quantiles has both
    quantiles = np.stack([estimate.lower, estimate.mean, estimate.upper], axis=1)
    errors, levels = values[:, None] - quantiles, np.asarray(target.levels)
    return float(np.maximum(levels * errors, (levels - 1) * errors).mean())
