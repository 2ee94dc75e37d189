"""Compares the network of `loan-application` with LightGBM and CatBoost on the same columns.

`make bench ONLY=applications` prints a table: five training seeds on the shipped split. All models
are fitted on the same rows, stop early and are temperature-scaled on the same validation part; the
test part is predicted once, at the end. Ours is also held to its sets, calibrated as the shipped
ones. Seven minutes on two cores.
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev

from benchmarks import trees
from benchmarks.measures import differences, measure
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.training.calibrate import calibrate, temperature_of
from dubito.training.data import Table
from dubito.training.described import described_domain
from dubito.training.evaluation.sets import all_sets
from dubito.training.preparation import Prepared, prepare
from dubito.training.publication import PUBLICATION_SEED
from dubito.training.recipe import TABLE_RECIPE
from dubito.training.rows import read_layout
from dubito.training.temperature import fold
from dubito.types import Floats, Query

COLUMNS = Path("models/loan-application/columns.toml")
SEEDS = range(5)
SHOWN = ("accuracy", "nll", "brier", "ece", "ece_luck", "aurc")
ASKED_COVERAGE = 0.95
METHODS = ("lac", "aps", "raps")


def main() -> None:
    """Train the models, predict the test part, and print the figures."""
    pin_arithmetic()
    layout = described_domain(COLUMNS).layout
    table = read_layout(None, layout)
    assert isinstance(table, Table)  # noqa: S101 - the description is of classes
    prepared = prepare(table, layout, 0, calibrated=True)
    labels = table.labels[prepared.split.test]
    parts, classes = _parts(prepared, table), len(layout.classes)
    ours, coverages = zip(*(_ours(prepared, table, seed) for seed in SEEDS), strict=True)
    peers = {
        "LightGBM": [trees.boosted(parts, seed, classes) for seed in SEEDS],
        "CatBoost": [trees.ordered(parts, seed, classes) for seed in SEEDS],
    }
    print(f"| model | {' | '.join(SHOWN)} |")
    for model, runs in {"Dubito, mean of 100 passes": list(ours), **peers}.items():
        print(f"| {model} | {' | '.join(_cells([measure(run, labels) for run in runs]))} |")
    for model, runs in peers.items():
        value, low, high = differences(list(ours), runs, labels)["nll"]
        print(f"NLL, ours less {model}: {value:+.4f} [{low:+.4f}, {high:+.4f}]")
    for method in METHODS:
        found = [each[method] for each in coverages]
        print(f"sets asked for {ASKED_COVERAGE:.0%}, {method}: {fmean(found):.4f} of the rows")


def _cells(runs: list[dict[str, float]]) -> Iterator[str]:
    for name in SHOWN:
        values = [run[name] for run in runs]
        yield f"{fmean(values):.4f} ± {stdev(values):.4f}"


def _ours(prepared: Prepared, table: Table, seed: int) -> tuple[Floats, dict[str, float]]:
    """Train the recipe as for a bundle; returns test probabilities and coverages by method."""
    recipe, split, signature = TABLE_RECIPE, prepared.split, prepared.signature
    model = prepared.fit(recipe, seed, verbose=0)
    watched, held = table.where(split.validation), table.where(split.calibration)
    fold(model, temperature_of(engine_of(model), watched, recipe.passes))
    engine, test = engine_of(model), table.where(split.test)
    calibration = calibrate(engine, watched, held, signature, (), recipe.passes)
    (summary,) = engine.summarise([Query(test.features, recipe.passes, PUBLICATION_SEED)])
    coverages = {
        found.method: found.coverage
        for found in all_sets(calibration, summary.mean, test.labels)
        if found.asked == ASKED_COVERAGE
    }
    return summary.mean, coverages


def _parts(prepared: Prepared, table: Table) -> trees.Parts:
    fitted, watched = table.where(prepared.split.fit), table.where(prepared.split.validation)
    features = prepared.signature.features
    listed = [at for at, feature in enumerate(features) if feature.kind == "category"]
    return trees.Parts(
        fitted.features,
        fitted.labels,
        watched.features,
        watched.labels,
        table.features[prepared.split.test],
        tuple(listed),
    )


if __name__ == "__main__":
    main()
