"""Runs a network on labelled rows, as they are and shifted, for the metrics to be computed from.

Every row has its own seed, as every request has: rows with one seed share their dropout masks and
are not exchangeable with rows that do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dubito.engine.engine import Engine
from dubito.targets import NumberTarget, Target
from dubito.training.data import NumberRows, Table
from dubito.training.evaluation.probability_metrics import check_overflow
from dubito.training.evaluation.shifts import Shift, acceptable_rows, changed
from dubito.types import Booleans, DomainRule, Floats, Indices, Query, Signature, Summary
from dubito.uncertainty.decision import fixed_reasons
from dubito.uncertainty.guard import RangeGuard
from dubito.uncertainty.passes import balanced
from dubito.uncertainty.rules import rule_reasons

EVALUATION_SEED = 1 << 42
"""Seed of the first row; above the seeds used in calibration."""
LOOKS = (64, 128, 256, 512, 1024, 2048, 4096, 10_000)
"""Numbers of passes at which the error of the mean is measured."""
SAMPLED_ROWS = 200
"""Number of rows on which the error of the mean is measured."""
REPEATS = 4
"""Least number of batches of passes for the deviation between their means."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Predictions for `N` rows, and the verdicts of guard and rules."""

    summary: Summary
    alarmed: Booleans
    """Mask `(N,)` of rows in which the guard found a value out of range."""
    fixed: Booleans
    """Mask `(N,)` of rows that guard or rules refer whatever the network's output is."""


@dataclass(frozen=True, slots=True)
class Shifted:
    """Predictions for the rows that a shift changed."""

    name: str
    rows: Indices
    """Indices `(M,)` of the rows that were changed and have finite predictions."""
    unchanged: int
    """Number of rows that the shift leaves as they were."""
    refused: int
    """Number of changed rows that the service would reject or could not predict."""
    answered: Answered


@dataclass(frozen=True, slots=True)
class MeanError:
    """Error of the mean over `T` passes, for each of `L` values of `T`; all `(L,)`."""

    passes: Indices
    """Those of an ensemble are multiples of its members."""
    median: Floats
    """Standard error estimated from `T` passes, for the output where it is largest; median over
    rows."""
    upper: Floats
    """Standard error, as in `median`; 95% quantile over rows."""
    observed: Floats
    """Standard deviation between the means of separate batches of `T` passes, for the output
    where it is largest; median over rows, NaN if there are too few batches."""
    rows: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Predictions of a network and the labels, from which all metrics are computed."""

    labels: Indices
    """Class indices `(N,)`."""
    plain: Floats
    """Probabilities `(N, C)` of the deterministic pass."""
    answered: Answered
    passes: int
    shifts: tuple[Shifted, ...] = ()
    precision: MeanError | None = None


def evidence_of(
    engine: Engine, table: Table, signature: Signature, rules: Sequence[DomainRule], passes: int
) -> Evidence:
    """Predict the unchanged rows, with dropout and without.

    Raises:
        DataError: the network's numbers overflow on a row.
    """
    plain, answered = answers_of(engine, table, signature, rules, passes)
    return Evidence(table.labels, plain, answered, passes)


def answers_of(
    engine: Engine,
    table: Table | NumberRows,
    signature: Signature,
    rules: Sequence[DomainRule],
    passes: int,
) -> tuple[Floats, Answered]:
    """Predict rows without dropout, `(N, C)`, and with it.

    Raises:
        DataError: the network's numbers overflow on a row.
    """
    summary, plain = _summary(engine, table.features, passes), engine.predict(table.features)
    for outputs in (summary.mean, plain):
        check_overflow(outputs, f"the rows of {table.source}")
    return plain, _answered(summary, table.features, signature, rules)


def shifted_rows(
    engine: Engine,
    rows: Floats,
    signature: Signature,
    rules: Sequence[DomainRule],
    passes: int,
    shift: Shift,
) -> Shifted:
    """Predict those of the rows `(N, F)` that a shift changes."""
    wrong = shift.apply(rows, signature)
    moved, taken = changed(rows, wrong), acceptable_rows(wrong, signature)
    asked = np.flatnonzero(moved & taken)
    summary = _summary(engine, wrong[asked], passes)
    finite = np.flatnonzero(np.isfinite(summary.mean).all(axis=1))
    kept = asked[finite]
    return Shifted(
        name=shift.name,
        rows=kept,
        unchanged=int((~moved).sum()),
        refused=int(moved.sum()) - len(kept),
        answered=_answered(summary.where(finite), wrong[kept], signature, rules),
    )


def precision_of(
    engine: Engine, rows: Floats, target: Target, looks: Sequence[int] = LOOKS
) -> MeanError:
    """Measure how the error of the mean falls with the number of passes, on rows `(N, F)`."""
    # A slice for classes, because a list of all columns would copy them in another order, and sums
    # would round differently.
    columns = list(target.unit_columns) if isinstance(target, NumberTarget) else slice(None)
    members = engine.members
    looked = [balanced(passes, members) for passes in looks]
    queries = [
        Query(rows[at : at + 1], max(looked), EVALUATION_SEED + at) for at in range(len(rows))
    ]
    stated, seen = zip(
        *(_errors(engine.draws(query)[:, 0, columns], looked, members) for query in queries),
        strict=True,
    )
    return MeanError(
        passes=np.array(looked),
        median=np.median(stated, axis=0),
        upper=np.quantile(stated, 0.95, axis=0),
        observed=np.median(seen, axis=0),
        rows=len(rows),
    )


def _errors(draws: Floats, looks: Sequence[int], members: int) -> tuple[list[float], list[float]]:
    """Compute stated and observed errors `(L,)` of a row's draws `(T, C)`, maximal over classes."""
    stated = [float(_std(draws[:passes], members).max()) / passes**0.5 for passes in looks]
    return stated, [_spread(draws, passes) for passes in looks]


def _std(draws: Floats, members: int) -> Floats:
    """Compute the standard deviation `(C,)` of a pass, within the members of an ensemble."""
    if members == 1:
        return draws.std(axis=0, ddof=1)
    apart = draws.reshape(-1, members, draws.shape[1])
    within: Floats = np.sqrt(apart.var(axis=0, ddof=1).mean(axis=0))
    return within


def _spread(draws: Floats, passes: int) -> float:
    batches = len(draws) // passes
    if batches < REPEATS:
        return np.nan
    means = draws[: batches * passes].reshape(batches, passes, -1).mean(axis=1)
    return float(means.std(axis=0, ddof=1).max())


def _answered(
    summary: Summary, rows: Floats, signature: Signature, rules: Sequence[DomainRule]
) -> Answered:
    seen = RangeGuard(signature).notices(rows)
    reasons = fixed_reasons(seen, rule_reasons(rows, signature, rules))
    return Answered(
        summary=summary,
        alarmed=np.array(
            [any(n.kind == "out_of_range" for n in found) for found in seen], np.bool_
        ),
        fixed=np.array([bool(found) for found in reasons], np.bool_),
    )


def _summary(engine: Engine, rows: Floats, passes: int) -> Summary:
    if not len(rows):
        (whole,) = engine.summarise([Query(np.zeros((1, engine.shape[0])), passes, 0)])
        return whole.where(slice(0))
    seeds = range(EVALUATION_SEED, EVALUATION_SEED + len(rows))
    queries = [Query(rows[at : at + 1], passes, seed) for at, seed in enumerate(seeds)]
    return Summary.joined(engine.summarise(queries))
