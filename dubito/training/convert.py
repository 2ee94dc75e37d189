"""Converts a trained Keras file to a published bundle: import, calibrate, evaluate, write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from dubito.bundles.golden import golden_faults
from dubito.bundles.manifest import GoldenRow, Manifest, Provenance, format_of
from dubito.bundles.repository import write_bundle
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.compiler.flattening import flatten
from dubito.engine.engine import Engine
from dubito.errors import DataError, NetworkError
from dubito.features import Feature, norms
from dubito.layers.archive import to_bytes
from dubito.layout import Column, NumberColumn
from dubito.notation import DETECTED, FileNotation
from dubito.printable import printable
from dubito.targets import ClassTarget, NumberTarget, Target
from dubito.training.calibrate import calibrate, temperature_of
from dubito.training.calibrate_number import OWN_COVERAGE, calibrate_number
from dubito.training.converted_card import conversion_cards
from dubito.training.data import NumberRows, Table
from dubito.training.evaluation.probability_metrics import check_overflow
from dubito.training.feature_stats import seen, target_of
from dubito.training.import_keras import adopt
from dubito.training.joined_inputs import Inputs
from dubito.training.publication import (
    PUBLICATION_SEED,
    SEARCHED_ROWS,
    card_metrics,
    choose_golden_rows,
    next_version,
    number_card_metrics,
    versions_used,
)
from dubito.training.rows import read_number_rows, read_rows
from dubito.training.tables.sheet import say
from dubito.training.temperature import fold
from dubito.training.tensors import tensor_column
from dubito.types import AnyCalibration, Floats, Indices, Query, Signature

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
    """Names of the classes, in the network's order; empty for a number."""
    data: Path
    """Path of rows like those the network was trained on."""
    target: str | None
    """Name of the column of `data` that has the classes; None for a bundle without metrics, or for
    a number, which names its column itself."""
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
    number: NumberColumn | None = None
    """The number that the network predicts; None for classes."""
    coverage: float | None = None
    """Coverage of a number's intervals, and of those that decisions are about; the default of
    `dubito.training.calibrate_number` if None."""
    is_ordered: bool = True
    """Whether the order of the classes means something, as that of grades does."""
    logits: bool = False
    """Whether the network answers logits of the classes."""
    dropouts: Mapping[str, str] = field(default_factory=dict)
    """Keras' class of dropout that stands for a class of the user's own, by its name."""
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of the features that an input of the network takes, by the input's name; other inputs
    take the feature of their name."""
    file: FileNotation = DETECTED
    """Encoding and separator of `data` and `calibrate`, as far as they are declared."""


def convert(job: Conversion) -> tuple[Path, Manifest]:
    """Convert a network and write its bundle; returns the bundle's folder and its manifest.

    Raises:
        NetworkError: the network cannot be served.
        DataError: the rows cannot be used.
        BundleError: this version exists already.
    """
    version = next_version(job.out, job.name, job.version)
    pin_arithmetic()
    if job.number is not None:
        return _convert_number(job, job.number, version)
    return _convert_classes(job, version)


def _convert_classes(job: Conversion, version: int) -> tuple[Path, Manifest]:
    table = read_rows(job.data, job.features, job.classes, job.target, job.file)
    target = ClassTarget(job.classes, is_ordered=job.is_ordered)
    model = _adopted(job, target)
    features = _features(job.features, table.features)
    labelled = _labelled(job)
    if labelled is not None and job.temperature:
        fold(model, temperature_of(engine_of(model), labelled[0], job.passes))
    engine, signature = engine_of(model), Signature(features, target)
    _check_answers(engine, table.features, flatten(model).outlet.name)
    made = _Made(
        job=job,
        version=version,
        signature=signature,
        calibration=labelled and calibrate(engine, *labelled, signature, (), job.passes),
        golden=_golden(engine, table.features, job, target),
        metrics=card_metrics(engine, table, job.passes, job.classes) if len(table.labels) else {},
        rows=table,
    )
    return made.write(model)


def _convert_number(job: Conversion, number: NumberColumn, version: int) -> tuple[Path, Manifest]:
    table = read_number_rows(job.data, job.features, number, job.file)
    target = target_of(number, table.values)
    model = _adopted(job, target)
    signature = Signature(_features(job.features, table.features), target)
    engine = engine_of(model)
    _check_numbers(engine, table.features, target, flatten(model).outlet.name)
    known = _valued(job, number)
    coverage = OWN_COVERAGE if job.coverage is None else job.coverage
    made = _Made(
        job=job,
        version=version,
        signature=signature,
        calibration=known and calibrate_number(engine, *known, signature, (), job.passes, coverage),
        golden=_golden(engine, table.features, job, target),
        metrics=number_card_metrics(engine, table, target, job.passes),
        rows=table,
    )
    return made.write(model)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What a conversion has made of a network."""

    job: Conversion
    version: int
    signature: Signature
    calibration: AnyCalibration | None
    golden: tuple[GoldenRow, ...]
    metrics: dict[str, dict[str, float]]
    rows: Table | NumberRows

    def write(self, model: keras.Model) -> tuple[Path, Manifest]:
        """Write the bundle of a network; returns its folder and its manifest."""
        job, signature = self.job, self.signature
        manifest = Manifest(
            format=format_of(signature.features, signature.target),
            name=job.name,
            version=self.version,
            features=signature.features,
            target=signature.target,
            passes=job.passes,
            calibration=self.calibration,
            rules=(),
            golden=self.golden,
            metrics=self.metrics,
            trained=_provenance(job, self.rows),
            # Written with the network.
            network_digests=("",),
        )
        told = conversion_cards(
            manifest, job.network.name, model.count_params(), tempered=job.temperature
        )
        return write_bundle(job.out, manifest, [to_bytes(model)], told)


def _adopted(job: Conversion, target: Target) -> keras.Model:
    """Read the network and replace its dropout, and say what else was changed."""
    inputs = Inputs(job.features, job.inputs)
    model, notes = adopt(job.network, inputs, target, logits=job.logits, dropouts=job.dropouts)
    for note in notes:
        say(f"{job.network.name}: {note}")
    return model


def _labelled(job: Conversion) -> tuple[Table, Table] | None:
    """Read the rows to calibrate on: a third to choose thresholds on, the rest to test them on.

    Raises:
        DataError: too few rows.
    """
    if job.calibrate is None:
        return None
    table = read_rows(job.calibrate, job.features, job.classes, job.target, job.file)
    watched, held = _thirds(len(table.labels))
    return table.where(watched), table.where(held)


def _valued(job: Conversion, number: NumberColumn) -> tuple[NumberRows, NumberRows] | None:
    """Read the same of a number."""
    if job.calibrate is None:
        return None
    rows = read_number_rows(job.calibrate, job.features, number, job.file)
    watched, held = _thirds(len(rows.values))
    return rows.where(watched), rows.where(held)


def _thirds(rows: int) -> tuple[Indices, Indices]:
    """Draw a third of the rows, and the rest.

    Raises:
        DataError: too few rows.
    """
    if rows < FEWEST_LABELLED:
        raise DataError(f"--calibrate needs at least {FEWEST_LABELLED} rows")
    order = np.random.default_rng(PUBLICATION_SEED).permutation(rows)
    return order[: rows // 3], order[rows // 3 :]


def _features(columns: Sequence[Column], rows: Floats) -> tuple[Feature, ...]:
    """Combine the columns with the statistics of the rows `(N, F)`.

    Raises:
        DataError: it is not said what the network gets for a missing value.
    """
    for column in columns:
        if column.nullable and column.imputed is None:
            raise DataError(f"{column.name} is nullable: describe its imputed value too")
    watched = rows if tensor_column(columns) is None else norms(rows)[:, None]
    return tuple(
        column.feature(seen(watched[:, at], column), column.imputed)
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
    answers = _outputs(engine, rows)
    sums = answers.sum(axis=1)
    if answers.min() < 0 or sums.min() < LEAST_SUM or sums.max() > 2 - LEAST_SUM:
        raise NetworkError(
            f"layer {outlet} does not give probabilities: a row's classes must sum to 1, "
            "as those of a softmax do; if these are logits, say so by --logits"
        )


def _check_numbers(engine: Engine, rows: Floats, target: NumberTarget, outlet: str) -> None:
    """Check that the outputs for rows `(N, F)` can be those of the target's head.

    Raises:
        NetworkError: a variance is below 0.
        DataError: the network's numbers overflow on a row.
    """
    answers = dict(zip(target.outputs, _outputs(engine, rows).T, strict=True))
    if "variance" in answers and answers["variance"].min() < 0:
        raise NetworkError(
            f"layer {outlet} gives a variance below 0; if it is the logarithm of one, or before a "
            "softplus, add that function to the network"
        )


def _outputs(engine: Engine, rows: Floats) -> Floats:
    """Run the network on rows `(N, F)` without dropout, and on some with it; `(M, C)`.

    Raises:
        DataError: the network's numbers overflow on a row.
    """
    plain = engine.predict(rows)
    drawn = engine.draws(Query(rows[:SEARCHED_ROWS], 2, PUBLICATION_SEED))
    for answers in (plain, drawn):
        check_overflow(answers, "the rows of --data")
    return np.concatenate([plain, *drawn])


def _golden(engine: Engine, rows: Floats, job: Conversion, target: Target) -> tuple[GoldenRow, ...]:
    """Compute golden rows: the most uncertain row, one with a missing value, and the first few.

    Raises:
        NetworkError: the service would reject a bundle with these golden rows.
    """
    golden = choose_golden_rows(engine, rows, job.passes)
    fault = next(golden_faults(engine, golden, target), None)
    if fault is not None:
        raise NetworkError(f"{job.network.name}: the network {fault}")
    return golden


def _provenance(job: Conversion, table: Table | NumberRows) -> Provenance:
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
