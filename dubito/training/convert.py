"""Converts a trained Keras file to a published bundle: import, calibrate, evaluate, write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dubito.bundles.golden import golden_faults
from dubito.bundles.manifest import GoldenRow, Manifest, Provenance, format_of
from dubito.bundles.repository import write_bundle
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.compiler.flattening import flatten
from dubito.engine.engine import Engine
from dubito.errors import DataError, NetworkError
from dubito.features import Feature
from dubito.layers.archive import to_bytes
from dubito.layout import Column
from dubito.printable import printable
from dubito.training.calibrate import calibrate, temperature_of
from dubito.training.converted_card import conversion_cards
from dubito.training.data import Table, select_rows
from dubito.training.evaluation.probability_metrics import check_overflow
from dubito.training.feature_stats import seen
from dubito.training.import_keras import adopt
from dubito.training.publication import (
    PUBLICATION_SEED,
    SEARCHED_ROWS,
    card_metrics,
    choose_golden_rows,
    next_version,
    versions_used,
)
from dubito.training.rows import read_rows
from dubito.training.tables.sheet import say
from dubito.training.temperature import fold
from dubito.types import Floats, Query, Signature

FEWEST_LABELLED = 30
"""Least number of rows to calibrate on; fewer cannot support a promise."""

LEAST_SUM = 1 - 1e-4
"""Least sum of a row of probabilities, and 2 minus the greatest; the tolerance is for the rounding
of a float32 softmax."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """Options of one conversion."""

    network: Path
    """Path of the `.keras` file."""
    features: tuple[Column, ...]
    classes: tuple[str, ...]
    data: Path
    """Path of rows like those the network was trained on."""
    target: str | None
    """Name of the column of `data` that has the classes; None for a bundle without metrics."""
    out: Path
    name: str
    version: int | None
    """Version of the bundle; the next free version if None."""
    passes: int
    """Default number of passes of the bundle; sets and decisions are calibrated with it too."""
    calibrate: Path | None
    """Path of labelled rows to calibrate sets and decisions on; None for a bundle without them."""
    temperature: bool
    """Whether the last layer's logits are divided by a temperature, fitted to the third of the
    rows of `calibrate` that chooses thresholds."""
    command: str
    """Command line that repeats this conversion."""


def convert(job: Conversion) -> tuple[Path, Manifest]:
    """Convert a network and write its bundle; returns the bundle's folder and its manifest.

    Raises:
        NetworkError: the network cannot be served.
        DataError: the rows cannot be used.
        BundleError: this version exists already.
    """
    number = next_version(job.out, job.name, job.version)
    pin_arithmetic()
    table = read_rows(job.data, job.features, job.classes, job.target)
    imputed = [feature.imputed for feature in job.features]
    model, notes = adopt(job.network, imputed, job.classes)
    for note in notes:
        say(f"{job.network.name}: {note}")
    features = _features(job.features, table.features)
    labelled = _labelled(job)
    if labelled is not None and job.temperature:
        fold(model, temperature_of(engine_of(model), labelled[0], job.passes))
    engine = engine_of(model)
    _check_answers(engine, table.features, flatten(model).outlet.name)
    signature = Signature(features, job.classes)
    manifest = Manifest(
        format=format_of(features),
        name=job.name,
        version=number,
        features=features,
        classes=job.classes,
        passes=job.passes,
        calibration=labelled and calibrate(engine, *labelled, signature, (), job.passes),
        rules=(),
        golden=_golden(engine, table.features, job),
        metrics=card_metrics(engine, table, job.passes, job.classes) if len(table.labels) else {},
        trained=_provenance(job, table),
        network_sha256="",
    )
    told = conversion_cards(
        manifest, job.network.name, model.count_params(), tempered=job.temperature
    )
    return write_bundle(job.out, manifest, to_bytes(model), told)


def _labelled(job: Conversion) -> tuple[Table, Table] | None:
    """Read the rows to calibrate on: a third to choose thresholds on, the rest to test them on.

    Raises:
        DataError: too few rows.
    """
    if job.calibrate is None:
        return None
    table = read_rows(job.calibrate, job.features, job.classes, job.target)
    if len(table.labels) < FEWEST_LABELLED:
        raise DataError(f"--calibrate needs at least {FEWEST_LABELLED} rows")
    order = np.random.default_rng(PUBLICATION_SEED).permutation(len(table.labels))
    third = len(order) // 3
    return select_rows(table, order[:third]), select_rows(table, order[third:])


def _features(columns: Sequence[Column], rows: Floats) -> tuple[Feature, ...]:
    """Combine the columns with the statistics of the rows `(N, F)`."""
    return tuple(
        column.feature(seen(rows[:, at], column), column.imputed)
        for at, column in enumerate(columns)
    )


def _check_answers(engine: Engine, rows: Floats, outlet: str) -> None:
    """Check that the outputs for rows `(N, F)` are probabilities, without dropout and with it.

    Args:
        engine: engine of the network.
        rows: rows to run the network on.
        outlet: name of the output layer.

    Raises:
        NetworkError: the outputs are not probabilities.
        DataError: the network's numbers overflow on a row.
    """
    plain, drawn = (
        engine.predict(rows),
        engine.draws(Query(rows[:SEARCHED_ROWS], 2, PUBLICATION_SEED)),
    )
    for answers in (plain, drawn):
        check_overflow(answers, "the rows of --data")
    answers = np.concatenate([plain, *drawn])
    sums = answers.sum(axis=1)
    if answers.min() < 0 or sums.min() < LEAST_SUM or sums.max() > 2 - LEAST_SUM:
        raise NetworkError(
            f"layer {outlet} does not give probabilities: a row's classes must sum to 1, "
            "as those of a softmax do; if these are logits, add keras.layers.Softmax() to it"
        )


def _golden(engine: Engine, rows: Floats, job: Conversion) -> tuple[GoldenRow, ...]:
    """Compute golden rows: the most uncertain row, one with a missing value, and the first few.

    Raises:
        NetworkError: the service would reject a bundle with these golden rows.
    """
    golden = choose_golden_rows(engine, rows, job.passes)
    fault = next(golden_faults(engine, golden), None)
    if fault is not None:
        raise NetworkError(f"{job.network.name}: the network {fault}")
    return golden


def _provenance(job: Conversion, table: Table) -> Provenance:
    """Describe the conversion, because how the network was trained is unknown here."""
    return Provenance(
        command=printable(job.command),
        data=printable(table.source),
        data_digest=table.digest,
        rows=len(table.features),
        seed=PUBLICATION_SEED,
        split_seed=0,
        versions=versions_used(),
    )
