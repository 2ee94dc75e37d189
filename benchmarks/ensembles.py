"""Compares an ensemble of five networks with its members alone, on held-out rows.

`make bench ONLY=ensembles` prints a table for the loan grades, the applications and `concrete` (a
number): the members are what `dubito train --members 5` trains on the shipped split. The ensemble
has as many passes as each member alone, and five times as many. Differences are the ensemble's less
the mean of its members', with 95% intervals from paired resamples of the test rows. A quarter of an
hour on two cores; `ARGS=concrete` runs one of them.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.measures import aurc, row_losses
from dubito.domains import chosen_domain
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.engine import Engine
from dubito.engine.ensemble import combined
from dubito.layout import Column, Dataset, Layout, NumberColumn
from dubito.targets import NumberTarget
from dubito.training.calibrate import temperature_of
from dubito.training.data import NumberRows, Rows, Table
from dubito.training.described import described_domain
from dubito.training.evaluation.shifts import acceptable_rows, changed, shifts_of
from dubito.training.preparation import Prepared, prepare
from dubito.training.publication import PUBLICATION_SEED
from dubito.training.recipe import TABLE_RECIPE, Recipe, find_recipe
from dubito.training.rows import read_layout
from dubito.training.temperature import fold
from dubito.types import Floats, Indices, Query, Summary
from dubito.uncertainty.intervals import NumberEstimate, log_densities

MEMBERS, PASSES = 5, 100
RESAMPLES = 500
INTERVAL = (2.5, 97.5)
APPLICATIONS = Path("models/loan-application/columns.toml")
CONCRETE = (
    *("cement", "blast_furnace_slag", "fly_ash", "water", "superplasticizer"),
    *("coarse_aggregate", "fine_aggregate", "age"),
)
STRENGTH = Layout(
    features=tuple(Column(name=name) for name in CONCRETE),
    target=("compressive_strength",),
    classes=(),
    number=NumberColumn(name="compressive_strength", unit="MPa", head="normal"),
    dataset=Dataset("modeldata", "concrete", "1,030 mixtures of concrete"),
)

Metric = Callable[[Summary, Indices], float]
"""Function from the statistics of all test rows, and the indices of some, to a figure."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A table with the recipe of its bundle."""

    name: str
    layout: Layout
    recipe: Recipe


def main() -> None:
    """Train the members, predict the test part, and print the figures."""
    pin_arithmetic()
    grades = chosen_domain(None)
    subjects = (
        Subject("loan-grade", grades.layout, find_recipe(grades, grades.default_recipe)),
        Subject("loan-application", described_domain(APPLICATIONS).layout, TABLE_RECIPE),
        Subject("concrete", STRENGTH, TABLE_RECIPE),
    )
    for subject in subjects:
        if not sys.argv[1:] or subject.name in sys.argv[1:]:
            _report(subject)


def _report(subject: Subject) -> None:
    """Train one table's members and print its figures."""
    rows = read_layout(None, subject.layout)
    prepared = prepare(rows, subject.layout, 0, calibrated=subject.recipe.calibrated)
    members = _members(subject.recipe, prepared, rows)
    ensemble = combined(members)
    print(f"\n## {subject.name}, {MEMBERS} members, {len(prepared.split.test):,} rows\n")
    print("| metric | members | ensemble | less the mean | ensemble, 5 × the passes |")
    print("| --- | --- | --- | --- | --- |")
    tested = rows.where(prepared.split.test)
    alone = [_predicted(one, tested.features, PASSES) for one in members]
    joined = [_predicted(ensemble, tested.features, PASSES * times) for times in (1, MEMBERS)]
    for name, metric in _metrics(tested, prepared).items():
        print(_line(name, metric, alone, joined, len(tested)))
    if isinstance(tested, Table):
        print(_strange(members, ensemble, tested.features, prepared))
    _tell_precision(joined[0], alone)


def _members(recipe: Recipe, prepared: Prepared, rows: Rows) -> list[Engine]:
    """Train the members as a bundle's are trained; those of classes are temperature-scaled."""
    engines, learnt = [], prepared.learnt(recipe)
    for seed in range(MEMBERS):
        model = prepared.fit(learnt, seed, verbose=0)
        if isinstance(rows, Table):
            watched = rows.where(prepared.split.validation)
            fold(model, temperature_of(engine_of(model), watched, recipe.passes))
        engines.append(engine_of(model))
    return engines


def _predicted(engine: Engine, rows: Floats, passes: int) -> Summary:
    (summary,) = engine.summarise([Query(rows, passes, PUBLICATION_SEED)])
    return summary


def _metrics(rows: Rows, prepared: Prepared) -> dict[str, Metric]:
    """Return the metrics of test rows, each as a function of the rows that count."""
    if isinstance(rows, NumberRows):
        target = prepared.signature.target
        assert isinstance(target, NumberTarget)  # noqa: S101 - as the rows are of a number
        return _number_metrics(rows.values, target)
    labels = rows.labels
    return {
        "NLL": lambda found, at: float(row_losses(found.mean[at], labels[at])["nll"].mean()),
        "Brier": lambda found, at: float(row_losses(found.mean[at], labels[at])["brier"].mean()),
        "AURC": lambda found, at: aurc(found.mean[at], labels[at]),
    }


def _number_metrics(values: Floats, target: NumberTarget) -> dict[str, Metric]:
    def error(found: Summary, at: Indices) -> float:
        mean = NumberEstimate.of(target, found).mean
        return float(np.sqrt(np.square(mean[at] - values[at]).mean()))

    def loss(found: Summary, at: Indices) -> float:
        return -float(log_densities(NumberEstimate.of(target, found), values)[at].mean())

    return {"RMSE": error, "NLL": loss}


def _line(
    name: str, metric: Metric, alone: Sequence[Summary], joined: Sequence[Summary], rows: int
) -> str:
    """Return a metric of the members, the ensemble, and their difference with its interval."""
    every = np.arange(rows)
    own = [metric(one, every) for one in alone]
    once, more = (metric(one, every) for one in joined)

    def apart(at: Indices) -> float:
        return metric(joined[0], at) - float(np.mean([metric(one, at) for one in alone]))

    told = f"{np.mean(own):.4f} ({min(own):.4f} to {max(own):.4f})"
    return f"| {name} | {told} | {once:.4f} | {_told(apart, rows)} | {more:.4f} |"


def _told(apart: Callable[[Indices], float], rows: int) -> str:
    """Return a difference, and its interval over resamples of the rows."""
    random = np.random.default_rng(0)
    found = [apart(random.integers(rows, size=rows)) for _ in range(RESAMPLES)]
    low, high = np.percentile(found, INTERVAL)
    return f"{apart(np.arange(rows)):+.5f} [{low:+.5f}, {high:+.5f}]"


def _strange(members: Sequence[Engine], ensemble: Engine, rows: Floats, prepared: Prepared) -> str:
    """Return how well the mutual information tells wrong inputs, as the mean over all mistakes."""
    engines = [*members, ensemble]
    doubts = [_doubts(engine, rows, prepared) for engine in engines]

    def area(doubt: list[tuple[Floats, Floats]], at: Indices) -> float:
        # A few rows that a mistake changes may be in no resample.
        return float(np.nanmean([_separation(before[at], after[at]) for before, after in doubt]))

    def apart(at: Indices) -> float:
        return area(doubts[-1], at) - float(np.mean([area(one, at) for one in doubts[:-1]]))

    own = [area(one, np.arange(len(rows))) for one in doubts]
    told = f"{np.mean(own[:-1]):.4f} ({min(own[:-1]):.4f} to {max(own[:-1]):.4f})"
    return f"| AUROC of wrong inputs | {told} | {own[-1]:.4f} | {_told(apart, len(rows))} | |"


def _doubts(engine: Engine, rows: Floats, prepared: Prepared) -> list[tuple[Floats, Floats]]:
    """Compute mutual information before and after each mistake, NaN for rows it cannot change."""
    found, signature = [], prepared.signature
    before = _predicted(engine, rows, PASSES).mutual_information
    for shift in shifts_of(signature):
        wrong = shift.apply(rows, signature)
        counted = changed(rows, wrong) & acceptable_rows(wrong, signature)
        if not counted.any():
            continue
        after = np.full(len(rows), np.nan)
        after[counted] = _predicted(engine, wrong[counted], PASSES).mutual_information
        found.append((before, after))
    return found


def _separation(before: Floats, after: Floats) -> float:
    known = np.isfinite(after)
    if not known.any():
        return np.nan
    doubt = np.concatenate([before[known], after[known]])
    return float(roc_auc_score(np.repeat([0, 1], known.sum()), doubt))


def _tell_precision(joined: Summary, alone: Sequence[Summary]) -> None:
    """Print what the passes vary by, within the members and between them."""
    assert joined.within_std is not None  # noqa: S101 - an ensemble has it
    assert joined.between_std is not None  # noqa: S101 - an ensemble has it
    column = joined.std.mean(axis=0).argmax()
    own = np.mean([one.std[:, column].mean() for one in alone])
    print(
        f"\nMean std over the passes of the output where it is largest: a member's {own:.4g}; of "
        f"the ensemble within its members {joined.within_std[:, column].mean():.4g}, between them "
        f"{joined.between_std[:, column].mean():.4g}, all {joined.std[:, column].mean():.4g}."
    )


if __name__ == "__main__":
    main()
