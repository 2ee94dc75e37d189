"""Calibrates a network that predicts a number: scores of intervals, and a policy of decisions.

The validation part fixes the least deviation, the method, the epistemic limit, the thresholds of
widths and the default target. The calibration part is split in two: one half gives the scores of
the intervals, the other tests the policy, because scores and tests of the same rows would not be
independent.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dubito.engine.engine import Engine
from dubito.targets import number_target
from dubito.training.calibrate import (
    CALIBRATION_SEED,
    VALIDATION_SEED,
    epistemic_limit,
    fixed_rows,
    pass_statistics,
)
from dubito.training.data import NumberRows
from dubito.types import Booleans, DomainRule, Floats, NumberCalibration, Policy, Signature
from dubito.uncertainty.intervals import (
    SCORES,
    IntervalTables,
    NumberEstimate,
    methods_of,
)
from dubito.uncertainty.selection import (
    CASE_LIMIT,
    CONFIDENCE,
    NUMBER_BAND_ROWS,
    TARGETS,
    Tested,
    best_target,
    select_promises,
)

OWN_COVERAGE = 0.99
"""Default coverage of intervals, and that of the intervals that decisions are about. With less, the
interval of one automated row in twenty or ten would miss by design, and few rows could show that
the widest of them keep `CASE_LIMIT`."""
LEAST_SHARE = 0.05
"""Share of the validation rows whose deviation is below the least one."""
LEAST_OF_TARGET = 1e-3
"""Least deviation, as a share of that of the target's values."""


class _Part(NamedTuple):
    """A network's predictions for `N` rows of known value."""

    estimate: NumberEstimate
    values: Floats
    """`(N,)` true values."""
    fixed: Booleans
    """`(N,)`, whether a fixed rule refers the row."""

    def where(self, rows: slice) -> "_Part":
        return _Part(self.estimate.where(rows), self.values[rows], self.fixed[rows])


def calibrate_number(
    engine: Engine,
    watched: NumberRows,
    held: NumberRows,
    signature: Signature,
    rules: Sequence[DomainRule],
    passes: int,
    coverage: float = OWN_COVERAGE,
) -> NumberCalibration:
    """Compute scores of intervals and a decision policy for the mean of `passes` passes.

    Args:
        engine: engine of the network as it will be served.
        watched: the validation part.
        held: the calibration part, on which nothing was chosen, in random order.
        signature: the features' ranges, with which the guard compares rows, and the number.
        rules: the bundle's referral rules.
        passes: number of passes for which the promises hold; fewer passes have no promise.
        coverage: default coverage of the intervals.

    Raises:
        DataError: the guard or the rules refer every row of the validation part, or the network's
            numbers overflow on a row.
    """
    target = number_target(signature.target)
    before = _part(engine, watched, signature, rules, passes, VALIDATION_SEED)
    found = _part(engine, held, signature, rules, passes, CALIBRATION_SEED)
    first, second = found.where(slice(0, None, 2)), found.where(slice(1, None, 2))
    least = _least_std(before.estimate, target.std)
    scores = {
        method: tuple(SCORES[method](first.estimate, first.values, least).tolist())
        for method in methods_of(target)
    }
    method = _narrowest(before, methods_of(target), least, coverage)
    epistemic = epistemic_limit(before.estimate.std, before.fixed)
    tables = IntervalTables.of(first.estimate, first.values, least)
    watching, testing = (
        _tested(part, tables, method, coverage, epistemic) for part in (before, second)
    )
    return NumberCalibration(
        passes=passes,
        coverage=coverage,
        method=method,
        least_std=least,
        scores=scores,
        tested=len(second.values),
        policy=Policy(
            confidence=CONFIDENCE,
            target=best_target(watching),
            epistemic=epistemic,
            promises=select_promises(watching.eligible, testing, TARGETS, NUMBER_BAND_ROWS),
            case_limit=CASE_LIMIT,
        ),
        stds=tuple(found.estimate.std.tolist()),
    )


def _part(
    engine: Engine,
    rows: NumberRows,
    signature: Signature,
    rules: Sequence[DomainRule],
    passes: int,
    first: int,
) -> _Part:
    """Run the network on one part of the rows, row i with seed `first` + i."""
    summary = pass_statistics(engine, rows.features, passes, first)
    estimate = NumberEstimate.of(number_target(signature.target), summary)
    return _Part(estimate, rows.values, fixed_rows(rows.features, signature, rules))


def _least_std(estimate: NumberEstimate, target: float) -> float:
    """Return the least deviation to divide by, chosen on the validation part."""
    return max(float(np.quantile(estimate.total_std, LEAST_SHARE)), LEAST_OF_TARGET * target)


def _narrowest(part: _Part, methods: Sequence[str], least: float, coverage: float) -> str:
    """Return the method with the narrowest intervals of the validation part, by its own scores."""
    tables = IntervalTables.of(part.estimate, part.values, least)
    widths = {
        method: tables.intervals(part.estimate, method, coverage).width.mean() for method in methods
    }
    return min(methods, key=lambda method: widths[method])


def _tested(
    part: _Part, tables: IntervalTables, method: str, coverage: float, epistemic: float
) -> Tested:
    """Return the rows by the width of their interval."""
    intervals = tables.intervals(part.estimate, method, coverage)
    return intervals.tested(part.values, part.fixed | ~(part.estimate.std <= epistemic))
