"""Trains and publishes a bundle: split, fit, calibrate, evaluate, write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from dubito.bundles.golden import golden_faults
from dubito.bundles.manifest import Manifest, Provenance, format_of
from dubito.bundles.repository import check_free, write_bundle
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.engine import Engine
from dubito.engine.ensemble import combined
from dubito.errors import NetworkError
from dubito.layers.archive import to_bytes
from dubito.layout import Layout
from dubito.printable import printable
from dubito.targets import number_target
from dubito.training.calibrate import calibrate, temperature_of
from dubito.training.calibrate_number import calibrate_number
from dubito.training.curves import curves
from dubito.training.data import NumberRows, Rows, Table
from dubito.training.evaluation.metrics import assess, held_out_figures
from dubito.training.evaluation.predictions import evidence_of
from dubito.training.model_card import training_cards
from dubito.training.preparation import Prepared, prepare
from dubito.training.publication import (
    SEARCHED_ROWS,
    card_metrics,
    choose_golden_rows,
    next_version,
    number_card_metrics,
    versions_used,
)
from dubito.training.recipe import Recipe
from dubito.training.split import Split
from dubito.training.temperature import fold
from dubito.types import AnyCalibration, Backend, Calibration, DomainRule, Floats, Signature
from dubito.uncertainty.passes import balanced


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
    """Seed of the first member; each further one has the next."""
    split_seed: int
    command: str
    """Command line that repeats this training."""
    verbose: str | int = "auto"
    """Setting of Keras' progress bar."""
    logs: Path | None = None
    """Folder of the logs for TensorBoard; None for no logs."""
    backend: Backend = "auto"
    """Backend of the calibration; the shipped versions have NumPy's."""
    members: int = 1
    """Networks of the bundle, whose passes alternate."""

    @property
    def passes(self) -> int:
        """Default passes of the bundle, equally many of each member."""
        return balanced(self.recipe.passes, self.members)


@dataclass(frozen=True, slots=True)
class _Trained:
    """A trained network, and what was measured of it."""

    recipe: Recipe
    """The recipe that was used: the job's own, fitted to the fit part, or its fallback."""
    models: tuple[keras.Model, ...]
    engine: Engine
    calibration: AnyCalibration | None
    metrics: dict[str, dict[str, float]]


def publish(job: TrainingOptions, rows: Rows) -> tuple[Path, Manifest]:
    """Train a network, or the members of an ensemble, and write the bundle.

    Returns:
        The bundle's folder and its manifest.

    Raises:
        BundleError: this version exists already.
        DataError: there are too few rows to split.
        NetworkError: the service would reject the trained network.
    """
    version = next_version(job.out, job.name, job.version)
    check_free(job.out, job.name, version)
    pin_arithmetic()
    prepared = prepare(rows, job.layout, job.split_seed, calibrated=job.recipe.calibrated)
    split, features = prepared.split, prepared.signature.features
    if isinstance(rows, NumberRows):
        made = _of_number(job, rows, prepared)
    else:
        made = _of_classes(job, rows, prepared)
    searched = _searched(rows.features, split)
    if not np.ptp(made.engine.predict(searched), axis=0).any():
        raise NetworkError("the trained network answers all rows alike; try another seed (--seed)")
    golden = choose_golden_rows(made.engine, searched, job.passes)
    fault = next(golden_faults(made.engine, golden, prepared.signature.target), None)
    if fault is not None:
        raise NetworkError(f"the trained network {fault}; train it with more dropout (--rate)")
    manifest = Manifest(
        format=format_of(features, prepared.signature.target, job.members),
        name=job.name,
        version=version,
        features=features,
        target=prepared.signature.target,
        passes=job.passes,
        calibration=made.calibration,
        rules=_rules(job.layout),
        golden=golden,
        metrics=made.metrics,
        trained=_provenance(job, rows),
        # Written with the networks.
        network_digests=("",) * job.members,
    )
    weights = sum(model.count_params() for model in made.models)
    told = training_cards(manifest, job.layout, made.recipe, rows, split, weights)
    return write_bundle(job.out, manifest, [to_bytes(model) for model in made.models], told)


def _searched(rows: Floats, split: Split) -> Floats:
    """Return rows to choose golden ones from: the validation part, and the fit part if it is small.

    All of a few validation rows may be so certain that dropout changes nothing that can be seen.
    """
    watched = rows[split.validation]
    return watched if len(watched) >= SEARCHED_ROWS else np.concatenate([watched, rows[split.fit]])


def _of_classes(job: TrainingOptions, table: Table, prepared: Prepared) -> _Trained:
    """Fit a classifier, fold in its temperature, calibrate and measure it."""
    split, signature = prepared.split, prepared.signature
    watched, held = table.where(split.validation), table.where(split.calibration)
    recipe = prepared.learnt(job.recipe)
    models, passes = _fitted(job, recipe, prepared), job.passes
    for model in models if recipe.calibrated else ():
        fold(model, temperature_of(engine_of(model, backend=job.backend), watched, recipe.passes))
    engine, rules = _engine(job, models), _rules(job.layout)
    calibration, held_out = None, table.where(split.test)
    if recipe.calibrated:
        calibration = calibrate(engine, watched, held, signature, rules, passes)
    metrics = card_metrics(engine, held_out, passes, signature.classes)
    if calibration is not None:
        metrics |= _judged(engine, held_out, calibration, signature, job.layout, passes)
    return _Trained(recipe, models, engine, calibration, metrics)


def _of_number(job: TrainingOptions, rows: NumberRows, prepared: Prepared) -> _Trained:
    """Fit a network that predicts a number, calibrate and measure it."""
    split, signature, recipe = prepared.split, prepared.signature, job.recipe
    watched, held = rows.where(split.validation), rows.where(split.calibration)
    models, passes = _fitted(job, recipe, prepared), job.passes
    engine, rules = _engine(job, models), _rules(job.layout)
    calibration, held_out = None, rows.where(split.test)
    if recipe.calibrated:
        calibration = calibrate_number(engine, watched, held, signature, rules, passes)
    target = number_target(signature.target)
    metrics = number_card_metrics(engine, held_out, target, passes)
    return _Trained(recipe, models, engine, calibration, metrics)


def _fitted(job: TrainingOptions, recipe: Recipe, prepared: Prepared) -> tuple[keras.Model, ...]:
    """Train the members, each as a bundle of its own would be with its seed."""
    seeds = range(job.seed, job.seed + job.members)
    return tuple(prepared.fit(recipe, seed, job.verbose, curves(job.logs, seed)) for seed in seeds)


def _engine(job: TrainingOptions, models: Sequence[keras.Model]) -> Engine:
    return combined([engine_of(model, backend=job.backend) for model in models])


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
