"""Trains and publishes a bundle: split, fit, calibrate, evaluate, write."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from dubito.bundles.golden import golden_faults
from dubito.bundles.manifest import Manifest, Provenance, format_of
from dubito.bundles.repository import check_free, write_bundle
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.engine import Engine
from dubito.errors import NetworkError
from dubito.features import Feature
from dubito.layers.archive import to_bytes
from dubito.layout import Column, Layout
from dubito.printable import printable
from dubito.targets import ClassTarget
from dubito.training.calibrate import calibrate, temperature_of
from dubito.training.calibrate_number import calibrate_number
from dubito.training.curves import curves
from dubito.training.data import NumberRows, Rows, Table
from dubito.training.encoding import encoding_of
from dubito.training.evaluation.metrics import assess, held_out_figures
from dubito.training.evaluation.predictions import evidence_of
from dubito.training.feature_stats import imputed_number, seen, target_of
from dubito.training.fit import fit
from dubito.training.heads import ClassHead, Head, RegressionHead
from dubito.training.model_card import training_cards
from dubito.training.publication import (
    SEARCHED_ROWS,
    card_metrics,
    choose_golden_rows,
    next_version,
    number_card_metrics,
    versions_used,
)
from dubito.training.recipe import Recipe
from dubito.training.split import Split, split_of
from dubito.training.temperature import fold
from dubito.types import AnyCalibration, Backend, Calibration, DomainRule, Floats, Signature


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Options of one training."""

    recipe: Recipe
    layout: Layout
    out: Path
    name: str
    version: int | None
    """Version of the bundle; the next free version if None."""
    seed: int
    split_seed: int
    command: str
    """Command line that repeats this training."""
    verbose: str | int = "auto"
    """Setting of Keras' progress bar."""
    logs: Path | None = None
    """Folder of the logs for TensorBoard; None for no logs."""
    backend: Backend = "auto"
    """Backend of the calibration; the shipped versions have NumPy's."""


@dataclass(frozen=True, slots=True)
class _Trained:
    """A trained network, and what was measured of it."""

    recipe: Recipe
    """The recipe that was used: the job's own, fitted to the fit part, or its fallback."""
    model: keras.Model
    engine: Engine
    signature: Signature
    calibration: AnyCalibration | None
    metrics: dict[str, dict[str, float]]


def publish(job: TrainingOptions, rows: Rows) -> tuple[Path, Manifest]:
    """Train a network and write its bundle; returns the bundle's folder and its manifest.

    Raises:
        BundleError: this version exists already.
        DataError: there are too few rows to split.
        NetworkError: the service would reject the trained network.
    """
    version = next_version(job.out, job.name, job.version)
    check_free(job.out, job.name, version)
    pin_arithmetic()
    split = split_of(rows, job.split_seed, calibrated=job.recipe.calibrated)
    features = features_of(job.layout.features, rows.features, split)
    if isinstance(rows, NumberRows):
        made = _of_number(job, rows, split, features)
    else:
        made = _of_classes(job, rows, split, features)
    golden = choose_golden_rows(made.engine, _searched(rows.features, split), made.recipe.passes)
    fault = next(golden_faults(made.engine, golden, made.signature.target), None)
    if fault is not None:
        raise NetworkError(f"the trained network {fault}; train it with more dropout (--rate)")
    manifest = Manifest(
        format=format_of(features, made.signature.target),
        name=job.name,
        version=version,
        features=features,
        target=made.signature.target,
        passes=made.recipe.passes,
        calibration=made.calibration,
        rules=_rules(job.layout),
        golden=golden,
        metrics=made.metrics,
        trained=_provenance(job, rows),
        network_sha256="",
    )
    weights = made.model.count_params()
    told = training_cards(manifest, job.layout, made.recipe, rows, split, weights)
    return write_bundle(job.out, manifest, to_bytes(made.model), told)


def _searched(rows: Floats, split: Split) -> Floats:
    """Return rows to choose golden ones from: the validation part, and the fit part if it is small.

    All of a few validation rows may be so certain that dropout changes nothing that can be seen.
    """
    watched = rows[split.validation]
    return watched if len(watched) >= SEARCHED_ROWS else np.concatenate([watched, rows[split.fit]])


def features_of(columns: Sequence[Column], rows: Floats, split: Split) -> tuple[Feature, ...]:
    """Combine columns with the statistics of the fit and validation parts of rows `(N, F)`."""
    learnt = rows[np.sort(np.concatenate([split.fit, split.validation]))]
    fitted = rows[split.fit]
    return tuple(
        column.feature(
            seen(learnt[:, at], column),
            imputed_number(column, fitted[:, at]),
        )
        for at, column in enumerate(columns)
    )


def _of_classes(
    job: TrainingOptions, table: Table, split: Split, features: tuple[Feature, ...]
) -> _Trained:
    """Fit a classifier, fold in its temperature, calibrate and measure it."""
    fitted, watched = table.where(split.fit), table.where(split.validation)
    target = ClassTarget(job.layout.classes, is_ordered=job.layout.is_ordered)
    classes = len(target.classes)
    recipe = job.recipe.learn(fitted.features, fitted.labels, classes)
    model = _fitted(replace(job, recipe=recipe), fitted, watched, features, ClassHead(classes))
    if recipe.calibrated:
        fold(model, temperature_of(engine_of(model, backend=job.backend), watched, recipe.passes))
    engine, signature = engine_of(model, backend=job.backend), Signature(features, target)
    held, held_out = table.where(split.calibration), table.where(split.test)
    rules, passes = _rules(job.layout), recipe.passes
    calibration = None
    if recipe.calibrated:
        calibration = calibrate(engine, watched, held, signature, rules, passes)
    metrics = card_metrics(engine, held_out, passes, target.classes)
    if calibration is not None:
        metrics |= _judged(engine, held_out, calibration, signature, job.layout, passes)
    return _Trained(recipe, model, engine, signature, calibration, metrics)


def _of_number(
    job: TrainingOptions, rows: NumberRows, split: Split, features: tuple[Feature, ...]
) -> _Trained:
    """Fit a network that predicts a number, calibrate and measure it."""
    assert job.layout.number is not None  # noqa: S101 - such a layout has read the rows
    fitted, watched = rows.where(split.fit), rows.where(split.validation)
    learnt = rows.values[np.sort(np.concatenate([split.fit, split.validation]))]
    target, recipe = target_of(job.layout.number, learnt), job.recipe
    head = RegressionHead.of(target, fitted.values, recipe.beta)
    model = _fitted(job, fitted, watched, features, head)
    engine, signature = engine_of(model, backend=job.backend), Signature(features, target)
    held, rules = rows.where(split.calibration), _rules(job.layout)
    calibration = None
    if recipe.calibrated:
        calibration = calibrate_number(engine, watched, held, signature, rules, recipe.passes)
    metrics = number_card_metrics(engine, rows.where(split.test), target, recipe.passes)
    return _Trained(recipe, model, engine, signature, calibration, metrics)


def _fitted(
    job: TrainingOptions, fitted: Rows, watched: Rows, features: tuple[Feature, ...], head: Head
) -> keras.Model:
    recipe = job.recipe
    return fit(
        recipe,
        fitted,
        watched,
        [feature.imputed for feature in features],
        head,
        job.seed,
        encode=encoding_of(features, fitted.features) if recipe.encoded else None,
        verbose=job.verbose,
        callbacks=curves(job.logs, job.seed),
    )


def _rules(layout: Layout) -> tuple[DomainRule, ...]:
    return tuple(DomainRule(reason, when) for reason, when in layout.rules.items())


def _judged(
    engine: Engine,
    held_out: Table,
    calibration: Calibration,
    signature: Signature,
    layout: Layout,
    passes: int,
) -> dict[str, dict[str, float]]:
    """Compute held-out metrics of sets, decisions and uncertainty."""
    evidence = evidence_of(engine, held_out, signature, _rules(layout), passes)
    return {"held_out": held_out_figures(assess(evidence, calibration, signature.classes))}


def _provenance(job: TrainingOptions, rows: Rows) -> Provenance:
    return Provenance(
        command=printable(job.command),
        data=printable(rows.source),
        data_digest=rows.digest,
        rows=len(rows),
        seed=job.seed,
        split_seed=job.split_seed,
        versions=versions_used("scikit-learn"),
    )
