"""The model card: what a person should know before relying on a bundle (Mitchell et al. 2019)."""

from collections.abc import Iterable, Sequence

import numpy as np

from app.network.manifest import Manifest
from app.training.data import Table
from app.training.layout import Layout
from app.training.recipe import Recipe
from app.training.split import Split
from app.values import Policy, Promise

METRICS = {
    "accuracy": "share of rows whose grade is right",
    "macro_f1": "mean F1 over the classes that occur",
    "nll": "negative log likelihood, nats",
    "brier": "Brier score, 0 to 2",
    "ece": "expected calibration error, 15 bins",
}
"""What each figure means."""

AREAS = {"aurc", "aurc_base"}
HELD_OUT = {
    "aurc": "area under risk and coverage, by predictive entropy",
    "aurc_base": "the same by 1 − max probability of one pass without dropout",
    "error_auroc": "chance that a wrong row has more predictive entropy than a right one",
    "ece_chance": "what the calibration error of 95% of perfectly calibrated models is below",
    "ece_equal_mass": "expected calibration error, 15 bins of equal mass",
    "ece_equal_mass_chance": "what that of 95% of perfectly calibrated models is below",
    "automated": "share of rows that is automated at the default target",
    "wrong_automated": "share of those that is wrong",
}
"""What each figure of sets, decisions and doubt means; those of a method are named for it."""


def told_of(name: str) -> str:
    """The meaning of a held-out figure."""
    kind, _, method = name.partition("_")
    told = {"coverage": "share of sets that hold the right class", "size": "mean size of a set"}
    return HELD_OUT.get(name) or f"{told[kind]}, {method}, at the default coverage"


UNLIKE = "None of the figures below says how it does on rows unlike those it was trained on."


def card(
    manifest: Manifest, layout: Layout, recipe: Recipe, table: Table, split: Split, weights: int
) -> str:
    """The text of `MODEL_CARD.md`; `{digest}` stands where the digest will be."""
    trained = manifest.trained
    sections = [
        f"# {manifest.name}, version {manifest.version}",
        "Digest: `{digest}`",
        summary(manifest, weights),
        "## What it is for",
        " ".join((*layout.notes, UNLIKE)),
        "## Features",
        table_of(("feature", "also", "unit", "training saw", "missing"), feature_cells(manifest)),
        f"## Held-out figures ({len(split.test):,} rows)",
        table_of(("metric", "deterministic", "Monte Carlo", "meaning"), figure_cells(manifest)),
        _evaluation(manifest, table, split),
        *decisions(manifest, layout.rows),
        *_held_out(manifest),
        "## How it was trained",
        _data(manifest, split),
        f"```\n{trained.command}\n```",
        _recipe(recipe),
        "Versions: " + ", ".join(f"{name} {text}" for name, text in trained.versions.items()) + ".",
    ]
    return "\n\n".join(sections) + "\n"


def feature_cells(manifest: Manifest) -> Iterable[Sequence[str]]:
    """The rows of the table of features."""
    for feature in manifest.features:
        seen = feature.seen
        replaced = "" if feature.imputed is None else f"becomes {feature.imputed:g}"
        yield (
            f"`{feature.name}`",
            ", ".join(feature.aliases),
            feature.unit,
            f"{seen.minimum:,.12g} to {seen.maximum:,.12g}",
            replaced if feature.nullable else "not allowed",
        )


def figure_cells(manifest: Manifest) -> Iterable[Sequence[str]]:
    """The rows of the table of held-out figures."""
    plain, monte_carlo = manifest.metrics["deterministic"], manifest.metrics["mc"]
    for name, meaning in METRICS.items():
        yield name, f"{plain[name]:.4f}", f"{monte_carlo[name]:.4f}", meaning


def summary(manifest: Manifest, weights: int) -> str:
    """What the bundle is, in a sentence."""
    return (
        f"Classifies rows of {len(manifest.features)} features into {', '.join(manifest.classes)} "
        f"with Monte-Carlo dropout: {weights:,} weights, {manifest.passes} passes by default."
    )


def _data(manifest: Manifest, split: Split) -> str:
    trained = manifest.trained
    held = f", {len(split.calibration):,} for calibration" if len(split.calibration) else ""
    return (
        f"On {trained.data}: {trained.rows:,} rows ({len(split.fit):,} fitted, "
        f"{len(split.validation):,} for validation{held}), digest `{trained.data_digest}`."
    )


def _evaluation(manifest: Manifest, table: Table, split: Split) -> str:
    counts = np.bincount(table.labels[split.test], minlength=len(manifest.classes))
    listed = ", ".join(
        f"{name} {count}" for name, count in zip(manifest.classes, counts, strict=True)
    )
    return (
        f"Monte Carlo: mean of {manifest.passes} passes, seed 0. The rows were neither fitted nor "
        f"chosen on. Rows by class: {listed}."
    )


def decisions(manifest: Manifest, rows: str) -> Iterable[str]:
    """What the calibration part promises, if there was one, of rows that are called so."""
    calibration = manifest.calibration
    if calibration is None:
        return
    policy = calibration.policy
    yield "## Sets and decisions"
    yield (
        f"Calibrated on {len(calibration.labels):,} rows with {calibration.passes} passes; fewer "
        f"passes promise nothing. Prediction sets: {', '.join(calibration.scores)}; coverage "
        f"{calibration.coverage:g} unless asked otherwise, on average over {rows} exchangeable "
        "with these rows and over their draw."
    )
    yield (
        f"Each line by itself: with {policy.confidence:.0%} confidence over the draw of the "
        f"calibration rows, at most the target of the automated grades is wrong, for {rows} "
        f"exchangeable with them{_of_cases(policy)}"
    )
    yield table_of(
        ("target", "automated", "wrong among them (calibration rows)", *_band_heads(policy)),
        [
            (
                f"{promise.target:.1%}",
                f"{promise.automated:.1%}",
                f"{promise.wrong:.2%}",
                *_band_cells(promise, policy),
            )
            for promise in policy.promises
        ],
    )


def _of_cases(policy: Policy) -> str:
    """What is promised of single cases, as the end of a sentence."""
    if policy.case_limit is None:
        return "."
    return (
        f"; and of the least sure of them, the band, at most {policy.case_limit:.0%}, both at "
        f"once. No grade is automated whose mean probability is below {policy.likelihood:g}. The "
        f"default target is {policy.target:.1%}."
    )


def _band_heads(policy: Policy) -> tuple[str, ...]:
    if policy.case_limit is None:
        return ()
    return ("the band", "wrong in it (calibration rows)", "rows wanting")


def _band_cells(promise: Promise, policy: Policy) -> tuple[str, ...]:
    if policy.case_limit is None:
        return ()
    if promise.band is None:
        return ("–", "–", f"{promise.wanting:,}")
    band = promise.band
    held = f"{band.share:.0%} of them: a second grade of {band.bound:.4f} or more"
    return (held, f"{band.wrong:.2%}", f"{promise.wanting:,}")


def _held_out(manifest: Manifest) -> Iterable[str]:
    """What calibration, sets, decisions and doubt were worth on the held-out rows."""
    found = manifest.metrics.get("held_out")
    if found is None:
        return
    yield (
        "On the held-out rows, each with a seed of its own "
        f"(`dubito evaluate {manifest.name}/{manifest.version}` draws the pictures):"
    )
    yield table_of(
        ("figure", "held out", "meaning"),
        [
            (f"`{name}`", f"{value:.5f}" if name in AREAS else f"{value:.4f}", told_of(name))
            for name, value in found.items()
        ],
    )


def _recipe(recipe: Recipe) -> str:
    fitted = (
        f"{recipe.optimizer}, learning rate {recipe.learning_rate:g}, weight decay "
        f"{recipe.weight_decay:g}, batches of {recipe.batch}, at most {recipe.epochs} epochs"
    )
    if recipe.grader is not None:
        grader = recipe.grader
        return (
            f"The {grader.kept} hypotheses about a loan that fit best, scored by layers of "
            f"{grader.scored} and {grader.judged} units (dropout {grader.judged_rate:g}, one mask "
            f"for a row's hypotheses), and a general view of {grader.general} units (dropout "
            f"{grader.general_rate:g}); {fitted}, weights averaged with momentum {recipe.average}."
        )
    shape = recipe.architecture
    return (
        f"Hidden layers of {', '.join(map(str, shape.widths))} units ({shape.activation}), dropout "
        f"{shape.rate:g}; {fitted}, early stopping after {recipe.patience} without improvement, "
        "best weights kept."
    )


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
