"""Trains and publishes a bundle: split, fit, calibrate, evaluate, write."""

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from dubito.bundles.manifest import Manifest, Provenance, format_of
from dubito.bundles.repository import check_free, write_bundle
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.engine import Engine
from dubito.features import Feature
from dubito.layers.archive import to_bytes
from dubito.layout import Layout
from dubito.printable import printable
from dubito.targets import ClassTarget
from dubito.training.calibrate import calibrate, temperature_of
from dubito.training.curves import curves
from dubito.training.data import Table, select_rows
from dubito.training.evaluation.metrics import assess, held_out_figures
from dubito.training.evaluation.predictions import evidence_of
from dubito.training.feature_stats import imputed_number, seen
from dubito.training.fit import fit
from dubito.training.model_card import training_cards
from dubito.training.publication import (
    card_metrics,
    choose_golden_rows,
    next_version,
    versions_used,
)
from dubito.training.recipe import Recipe
from dubito.training.split import Split, split_rows
from dubito.training.temperature import fold
from dubito.types import Backend, Calibration, DomainRule, Signature


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


def publish(job: TrainingOptions, table: Table) -> tuple[Path, Manifest]:
    """Train a network and write its bundle; returns the bundle's folder and its manifest.

    Raises:
        BundleError: this version exists already.
        DataError: there are too few rows to split.
    """
    number = next_version(job.out, job.name, job.version)
    check_free(job.out, job.name, number)
    pin_arithmetic()
    split = split_rows(table.labels, job.split_seed, calibrated=job.recipe.calibrated)
    features = _features(job.layout, table, split)
    job, model = _fitted(job, table, split, features)
    engine = engine_of(model, backend=job.backend)
    watched, held_out = select_rows(table, split.validation), select_rows(table, split.test)
    target = ClassTarget(job.layout.classes)
    calibration = _calibration(job, table, split, engine, Signature(features, target))
    manifest = Manifest(
        format=format_of(features, target),
        name=job.name,
        version=number,
        features=features,
        target=target,
        passes=job.recipe.passes,
        calibration=calibration,
        rules=_rules(job.layout),
        golden=choose_golden_rows(engine, watched.features, job.recipe.passes),
        metrics=card_metrics(engine, held_out, job.recipe.passes, job.layout.classes)
        | _judged(engine, held_out, calibration, features, job),
        trained=_provenance(job, table),
        network_sha256="",
    )
    return _write(job, manifest, model, table, split)


def _fitted(
    job: TrainingOptions, table: Table, split: Split, features: tuple[Feature, ...]
) -> tuple[TrainingOptions, keras.Model]:
    """Fit the network and fold in its temperature.

    Returns:
        The job with the recipe that was used (the job's own, fitted to the fit part, or its
        fallback), and the network.
    """
    fitted, watched = select_rows(table, split.fit), select_rows(table, split.validation)
    classes = len(job.layout.classes)
    job = replace(job, recipe=job.recipe.learn(fitted.features, fitted.labels, classes))
    model = fit(
        job.recipe,
        fitted,
        watched,
        [feature.imputed for feature in features],
        classes,
        job.seed,
        verbose=job.verbose,
        callbacks=curves(job.logs, job.seed),
    )
    if job.recipe.calibrated:
        fold(
            model, temperature_of(engine_of(model, backend=job.backend), watched, job.recipe.passes)
        )
    return job, model


def _calibration(
    job: TrainingOptions, table: Table, split: Split, engine: Engine, signature: Signature
) -> Calibration | None:
    if not job.recipe.calibrated:
        return None
    watched, held = select_rows(table, split.validation), select_rows(table, split.calibration)
    return calibrate(engine, watched, held, signature, _rules(job.layout), job.recipe.passes)


def _rules(layout: Layout) -> tuple[DomainRule, ...]:
    return tuple(DomainRule(reason, when) for reason, when in layout.rules.items())


def _write(
    job: TrainingOptions, manifest: Manifest, model: keras.Model, table: Table, split: Split
) -> tuple[Path, Manifest]:
    told = training_cards(manifest, job.layout, job.recipe, table, split, model.count_params())
    return write_bundle(job.out, manifest, to_bytes(model), told)


def _features(layout: Layout, table: Table, split: Split) -> tuple[Feature, ...]:
    """Combine the layout's columns with the statistics of the fit and validation parts."""
    learnt = table.features[np.sort(np.concatenate([split.fit, split.validation]))]
    fitted = table.features[split.fit]
    return tuple(
        column.feature(
            seen(learnt[:, at], column),
            imputed_number(column, fitted[:, at]),
        )
        for at, column in enumerate(layout.features)
    )


def _judged(
    engine: Engine,
    held_out: Table,
    calibration: Calibration | None,
    features: tuple[Feature, ...],
    job: TrainingOptions,
) -> dict[str, dict[str, float]]:
    """Compute held-out metrics of sets, decisions and uncertainty; empty without a calibration."""
    if calibration is None:
        return {}
    signature = Signature(features, ClassTarget(job.layout.classes))
    passes = job.recipe.passes
    evidence = evidence_of(engine, held_out, signature, _rules(job.layout), passes)
    return {"held_out": held_out_figures(assess(evidence, calibration, signature.classes))}


def _provenance(job: TrainingOptions, table: Table) -> Provenance:
    return Provenance(
        command=printable(job.command),
        data=printable(table.source),
        data_digest=table.digest,
        rows=len(table.labels),
        seed=job.seed,
        split_seed=job.split_seed,
        versions=versions_used("scikit-learn"),
    )
