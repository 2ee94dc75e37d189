"""Compares the answers of two bundles to the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dubito.prediction import JudgedRows, MonteCarloPrediction
from dubito.targets import NumberTarget
from dubito.types import Booleans, Floats
from dubito.uncertainty.policy import Judgement

Place = tuple[MonteCarloPrediction, slice]
"""Rows of a prediction, among those that were judged with it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the answers to `N` rows differ; flags are None where one of both has no such thing."""

    differences: Floats
    """`(N,)` largest difference of a class's mean probability; of a number that of the means over
    the passes, relative to the deviation of the values in training."""
    classes: Booleans | None
    """`(N,)` whether the predicted classes differ; None for a number."""
    decisions: Booleans | None
    """`(N,)` whether one is automated and the other referred."""
    sets: Booleans | None
    """`(N,)` whether the prediction sets differ; of a number, whether the intervals do not
    overlap."""

    def differing(self) -> list[int]:
        """Return the places of the rows of which anything but the difference is noted."""
        flags = [one for one in (self.classes, self.decisions, self.sets) if one is not None]
        found = np.logical_or.reduce(flags) if flags else np.zeros(len(self.differences), bool)
        places: list[int] = np.flatnonzero(found).tolist()
        return places


def compare(served: Sequence[Place], candidate: JudgedRows) -> Comparison:
    """Compare the answers to rows with those of a candidate, in the order of the places."""
    target, summary = candidate.target, candidate.estimate.summary
    means = np.concatenate([one.judged.estimate.summary.mean[rows] for one, rows in served])
    if isinstance(target, NumberTarget):
        column = target.value_column
        differences = np.abs(means[:, column] - summary.mean[:, column]) / target.std
        classes = None
    else:
        differences = np.abs(means - summary.mean).max(axis=1)
        classes = means.argmax(axis=1) != summary.mean.argmax(axis=1)
    other, first = candidate.judgement, served[0][0].judged.judgement
    if other is None or first is None:
        return Comparison(differences, classes, None, None)
    return Comparison(differences, classes, _decisions(served, other), _sets(served, other))


def _judgements(served: Sequence[Place]) -> list[tuple[Judgement, slice]]:
    found = [(one.judged.judgement, rows) for one, rows in served]
    return [(judgement, rows) for judgement, rows in found if judgement is not None]


def _decisions(served: Sequence[Place], other: Judgement) -> Booleans:
    several = _judgements(served)
    actions = [one.action for judgement, rows in several for one in judgement.decisions[rows]]
    pairs = zip(actions, other.decisions, strict=True)
    return np.array([action != decision.action for action, decision in pairs])


def _sets(served: Sequence[Place], other: Judgement) -> Booleans:
    several = _judgements(served)
    if hasattr(other.found, "sets"):
        sets = np.concatenate([judgement.sets.sets[rows] for judgement, rows in several])
        differ: Booleans = (sets != other.sets.sets).any(axis=1)
        return differ
    lower = np.concatenate([judgement.intervals.lower[rows] for judgement, rows in several])
    upper = np.concatenate([judgement.intervals.upper[rows] for judgement, rows in several])
    apart: Booleans = (lower > other.intervals.upper) | (other.intervals.lower > upper)
    return apart
