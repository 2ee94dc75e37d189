"""Calibrates a network: temperature, conformal scores and decision policy from held-out rows.

Each step uses rows on which no earlier step chose anything: the fit part trains, the validation
part fixes the temperature, the epistemic threshold, the path of thresholds with its bands and the
default target, and the calibration part gives the scores of prediction sets and the policy.
"""

from collections.abc import Sequence

import numpy as np

from dubito.engine.engine import Engine
from dubito.errors import DataError
from dubito.targets import class_target
from dubito.training.data import Table
from dubito.training.evaluation.probability_metrics import check_overflow
from dubito.types import Booleans, Calibration, DomainRule, Floats, Query, Signature, Summary
from dubito.uncertainty import selection
from dubito.uncertainty.calibration import cautious_temperature
from dubito.uncertainty.decision import fixed_reasons
from dubito.uncertainty.guard import RangeGuard
from dubito.uncertainty.rules import rule_reasons
from dubito.uncertainty.scores import label_scores, offered

COVERAGE = 0.99
"""Default coverage of prediction sets: a marginal rate over many rows and over the draw of the
calibration rows, not the probability of one row."""
PENALTY, FREE = 0.01, 2
"""Parameters λ and k of RAPS."""
EPISTEMIC_SHARE = 0.99
"""Least share of the validation rows, not counting rows that the guard or a rule refers, whose
mutual information is at or below the epistemic threshold."""
CALIBRATING = "the rows to calibrate on"
VALIDATION_SEED, CALIBRATION_SEED = 1 << 40, 1 << 41
"""First seeds of the two parts: row i uses seed first + i, because in service every request has
its own seed too."""


def temperature_of(engine: Engine, watched: Table, passes: int) -> float:
    """Fit the temperature to the validation part, by the NLL of the mean of `passes` passes."""
    queries = _queries(watched.features, passes, VALIDATION_SEED)
    draws = np.concatenate([engine.draws(query) for query in queries], axis=1)
    check_overflow(draws, CALIBRATING)
    return cautious_temperature(draws, watched.labels)


def calibrate(
    engine: Engine,
    watched: Table,
    held: Table,
    signature: Signature,
    rules: Sequence[DomainRule],
    passes: int,
) -> Calibration:
    """Compute conformal scores and a decision policy for the mean of `passes` passes.

    Args:
        engine: engine of the network as it will be served, with its temperature folded in.
        watched: the validation part.
        held: the calibration part, on which nothing was chosen.
        signature: the features' ranges, with which the guard compares rows.
        rules: the bundle's referral rules.
        passes: number of passes for which the promises hold; fewer passes have no promise.

    Raises:
        DataError: the guard or the rules refer every row of the validation part.
    """
    before = _part(engine, watched, signature, rules, passes, VALIDATION_SEED)
    epistemic = epistemic_limit(before.mutual_information, before.fixed)
    found = _part(engine, held, signature, rules, passes, CALIBRATION_SEED)
    return Calibration(
        passes=passes,
        coverage=COVERAGE,
        labels=tuple(held.labels.tolist()),
        accuracy=float(np.mean(~found.wrong)),
        scores={
            method: tuple(label_scores(method, found.mean, held.labels, PENALTY, FREE).tolist())
            for method in offered(ordered=class_target(signature.target).is_ordered)
        },
        penalty=PENALTY,
        free=FREE,
        policy=selection.select_policy(before, found, epistemic),
        mutual_information=tuple(found.mutual_information.tolist()),
    )


def epistemic_limit(doubts: Floats, fixed: Booleans) -> float:
    """Return the largest epistemic uncertainty of an automated row, from the validation part.

    Args:
        doubts: `(N,)` epistemic uncertainty of each row.
        fixed: `(N,)`, whether the guard or a rule refers the row.

    Raises:
        DataError: they refer every row.
    """
    if fixed.all():
        raise DataError("every row to choose thresholds on is out of range or refused by a rule")
    return float(np.quantile(doubts[~fixed], EPISTEMIC_SHARE, method="higher"))


def pass_statistics(engine: Engine, rows: Floats, passes: int, first: int) -> Summary:
    """Run the network on rows `(N, F)`, row i with seed `first` + i.

    Raises:
        DataError: the network's numbers overflow on a row.
    """
    summary = Summary.joined(engine.summarise(_queries(rows, passes, first)))
    check_overflow(summary.mean, CALIBRATING)
    return summary


def fixed_rows(rows: Floats, signature: Signature, rules: Sequence[DomainRule]) -> Booleans:
    """Return a mask `(N,)` of the rows that are referred whatever the network's output is."""
    reasons = fixed_reasons(
        RangeGuard(signature).notices(rows), rule_reasons(rows, signature, rules)
    )
    return np.array([bool(found) for found in reasons])


def _queries(rows: Floats, passes: int, first: int) -> list[Query]:
    return [Query(rows[at : at + 1], passes, first + at) for at in range(len(rows))]


def _part(
    engine: Engine,
    table: Table,
    signature: Signature,
    rules: Sequence[DomainRule],
    passes: int,
    first: int,
) -> selection.Part:
    """Run the network on one part of the rows, row i with seed `first` + i."""
    summary = pass_statistics(engine, table.features, passes, first)
    fixed = fixed_rows(table.features, signature, rules)
    return selection.Part(summary.mean, table.labels, summary.mutual_information, fixed)
