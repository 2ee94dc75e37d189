"""Calibration: what held-out rows say about a network's probabilities, sets and decisions.

Three parts take turns, so that each promise is made on rows that nothing before it was chosen on:
the fit part trains, the validation part fixes the temperature, the epistemic threshold, the path of
thresholds with its bands and the default target, and the calibration part gives the scores of sets
and the policy.
"""

from collections.abc import Sequence

import numpy as np

from dubito.engine.engine import Engine
from dubito.errors import DataError
from dubito.training.data import Table
from dubito.training.evaluation.probability_metrics import check_finite
from dubito.types import Booleans, Calibration, Floats, Query, Rule, Signature, Summary
from dubito.uncertainty import selection
from dubito.uncertainty.calibration import cautious_temperature
from dubito.uncertainty.decision import fixed_reasons
from dubito.uncertainty.guard import Guard
from dubito.uncertainty.rules import rule_reasons
from dubito.uncertainty.scores import label_scores

COVERAGE = 0.99
"""Default coverage of prediction sets."""
METHODS = ("lac", "aps", "raps", "adjacent")
PENALTY, FREE = 0.01, 2
"""RAPS' λ and k."""
EPISTEMIC_SHARE = 0.99
"""Share of the validation rows that the epistemic threshold lets through."""
CALIBRATING = "the rows to calibrate on"
VALIDATION_SEED, CALIBRATION_SEED = 1 << 40, 1 << 41
"""Where the seeds of a part's rows begin: every row has one of its own, as requests have."""


def temperature_of(engine: Engine, watched: Table, passes: int) -> float:
    """The one that the validation part wants, by the NLL of the mean of `passes` passes."""
    queries = _queries(watched.features, passes, VALIDATION_SEED)
    draws = np.concatenate([engine.draws(query) for query in queries], axis=1)
    check_finite(draws, CALIBRATING)
    return cautious_temperature(draws, watched.labels)


def calibrate(
    engine: Engine,
    watched: Table,
    held: Table,
    signature: Signature,
    rules: Sequence[Rule],
    passes: int,
) -> Calibration:
    """Scores and a policy for the mean of `passes` passes.

    Args:
        engine: of the network as it will be served, its temperature folded in.
        watched: the validation part.
        held: the calibration part, which nothing was chosen on.
        signature: what the guard compares rows with.
        rules: the bundle's.
        passes: how many are promised for; fewer get no promise.

    Raises:
        DataError: fixed rules refer every row of the validation part.
    """
    before = _part(engine, watched, signature, rules, passes, VALIDATION_SEED)
    passed = ~before.fixed
    if not passed.any():
        raise DataError("every row to choose thresholds on is out of range or refused by a rule")
    epistemic = float(
        np.quantile(before.mutual_information[passed], EPISTEMIC_SHARE, method="higher")
    )
    found = _part(engine, held, signature, rules, passes, CALIBRATION_SEED)
    return Calibration(
        passes=passes,
        coverage=COVERAGE,
        labels=tuple(held.labels.tolist()),
        accuracy=float(np.mean(~found.wrong)),
        scores={
            method: tuple(label_scores(method, found.mean, held.labels, PENALTY, FREE).tolist())
            for method in METHODS
        },
        penalty=PENALTY,
        free=FREE,
        policy=selection.select(before, found, epistemic),
        mutual_information=tuple(found.mutual_information.tolist()),
    )


def _queries(rows: Floats, passes: int, first: int) -> list[Query]:
    return [Query(rows[at : at + 1], passes, first + at) for at in range(len(rows))]


def _part(
    engine: Engine,
    table: Table,
    signature: Signature,
    rules: Sequence[Rule],
    passes: int,
    first: int,
) -> selection.Part:
    """What the network answers to a part of the rows, each with a seed of its own."""
    summary = Summary.joined(engine.summarise(_queries(table.features, passes, first)))
    check_finite(summary.mean, CALIBRATING)
    fixed = _fixed(table.features, signature, rules)
    return selection.Part(summary.mean, table.labels, summary.mutual_information, fixed)


def _fixed(rows: Floats, signature: Signature, rules: Sequence[Rule]) -> Booleans:
    """Which rows `(N,)` are referred whatever the network says."""
    reasons = fixed_reasons(Guard(signature).notices(rows), rule_reasons(rows, signature, rules))
    return np.array([bool(found) for found in reasons])
