"""Evidence: what a network answered for labelled rows, before any figure is made of it.

Every row has a seed of its own, as requests have: rows of one seed share their masks, and are not
exchangeable with rows that do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dubito.engine.engine import Engine
from dubito.training.data import Table
from dubito.training.evaluation.probability_metrics import check_finite
from dubito.training.evaluation.shifts import Shift, allowed, changed
from dubito.types import Booleans, Floats, Indices, Query, Rule, Signature, Summary
from dubito.uncertainty.decision import fixed_reasons
from dubito.uncertainty.guard import Guard
from dubito.uncertainty.rules import rule_reasons

EVALUATION_SEED = 1 << 42
"""Where the seeds of the rows begin; the calibration's are below."""
LOOKS = (64, 128, 256, 512, 1024, 2048, 4096, 10_000)
"""Numbers of passes at which the error of the mean is looked at."""
LOOKED_AT = 200
"""Rows that are answered with so many passes."""
REPEATS = 4
"""Batches of passes at least, to see how far their means lie apart."""


@dataclass(frozen=True, slots=True)
class Answered:
    """`N` rows and what was said about them."""

    summary: Summary
    alarmed: Booleans
    """`(N,)`: whether the guard found a value out of range."""
    fixed: Booleans
    """`(N,)`: whether guard or rules refer the row whatever the network says."""


@dataclass(frozen=True, slots=True)
class Shifted:
    """Rows that a shift made wrong."""

    name: str
    rows: Indices
    """`(M,)`: which of the rows were changed and could be answered."""
    unchanged: int
    """Rows that the shift leaves as they were."""
    refused: int
    """Rows that the service then does not take, or cannot grade."""
    answered: Answered


@dataclass(frozen=True, slots=True)
class Precision:
    """The error of the mean over `T` passes, for each of several `T`; all `(L,)`."""

    passes: Indices
    median: Floats
    """Standard error as one answer states it: of the class where it is largest, median row."""
    upper: Floats
    """The same, 95% quantile of the rows."""
    observed: Floats
    """Deviation of the means of separate batches of passes, median row; NaN of too few batches."""
    rows: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was asked of a network."""

    labels: Indices
    """`(N,)`"""
    plain: Floats
    """`(N, C)`, of the deterministic pass."""
    answered: Answered
    passes: int
    shifts: tuple[Shifted, ...] = ()
    precision: Precision | None = None


def evidence_of(
    engine: Engine, table: Table, signature: Signature, rules: Sequence[Rule], passes: int
) -> Evidence:
    """Answers for the rows as they are.

    Raises:
        DataError: rows on which the network's numbers overflow.
    """
    summary, plain = _summary(engine, table.features, passes), engine.predict(table.features)
    for answers in (summary.mean, plain):
        check_finite(answers, f"the rows of {table.source}")
    answered = _answered(summary, table.features, signature, rules)
    return Evidence(table.labels, plain, answered, passes)


def shifted_rows(
    engine: Engine,
    rows: Floats,
    signature: Signature,
    rules: Sequence[Rule],
    passes: int,
    shift: Shift,
) -> Shifted:
    """Answers for those of the rows `(N, F)` that a shift changes."""
    wrong = shift.apply(rows, signature)
    moved, taken = changed(rows, wrong), allowed(wrong, signature)
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


def precision_of(engine: Engine, rows: Floats, looks: Sequence[int] = LOOKS) -> Precision:
    """How the error of the mean falls with the number of passes, for some rows `(N, F)`."""
    queries = [
        Query(rows[at : at + 1], max(looks), EVALUATION_SEED + at) for at in range(len(rows))
    ]
    stated, seen = zip(
        *(_errors(engine.draws(query)[:, 0], looks) for query in queries), strict=True
    )
    return Precision(
        passes=np.array(looks),
        median=np.median(stated, axis=0),
        upper=np.quantile(stated, 0.95, axis=0),
        observed=np.median(seen, axis=0),
        rows=len(rows),
    )


def _errors(draws: Floats, looks: Sequence[int]) -> tuple[list[float], list[float]]:
    """Stated and observed errors `(L,)` of a row's draws `(T, C)`, each the largest of a class."""
    stated = [float(draws[:passes].std(axis=0, ddof=1).max()) / passes**0.5 for passes in looks]
    return stated, [_spread(draws, passes) for passes in looks]


def _spread(draws: Floats, passes: int) -> float:
    batches = len(draws) // passes
    if batches < REPEATS:
        return np.nan
    means = draws[: batches * passes].reshape(batches, passes, -1).mean(axis=1)
    return float(means.std(axis=0, ddof=1).max())


def _answered(
    summary: Summary, rows: Floats, signature: Signature, rules: Sequence[Rule]
) -> Answered:
    seen = Guard(signature).notices(rows)
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
        return whole.rows(0, 0)
    seeds = range(EVALUATION_SEED, EVALUATION_SEED + len(rows))
    queries = [Query(rows[at : at + 1], passes, seed) for at, seed in enumerate(seeds)]
    return Summary.joined(engine.summarise(queries))
