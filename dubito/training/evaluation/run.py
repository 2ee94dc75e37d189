"""Evaluates a bundle on labelled rows: reads the rows, runs the network, computes the metrics."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from dubito.bundle import Bundle
from dubito.bundles.manifest import Manifest
from dubito.domains import domain_of, domains
from dubito.errors import DataError, UsageError
from dubito.layout import NumberColumn
from dubito.targets import NumberTarget
from dubito.training.data import NumberRows, Table, read_table
from dubito.training.description import Description
from dubito.training.evaluation.metrics import EvaluationMetrics, assess
from dubito.training.evaluation.number_evaluation import (
    NumberEvaluationMetrics,
    NumberEvidence,
    assess_number,
)
from dubito.training.evaluation.predictions import (
    SAMPLED_ROWS,
    Shifted,
    answers_of,
    evidence_of,
    precision_of,
    shifted_rows,
)
from dubito.training.evaluation.shifts import shifts_of
from dubito.training.rows import columns_of, read_number_rows, read_rows
from dubito.training.split import split_of
from dubito.types import Calibration, Floats, NumberCalibration

AnyRows = TypeVar("AnyRows", Table, NumberRows)
UNDESCRIBED = Description(features=())
UNKNOWN = "some of which it may have been fitted or calibrated on"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of a bundle, and the rows they were computed on."""

    rows: str
    """Description of the rows, as a part of a sentence."""
    figures: EvaluationMetrics | NumberEvaluationMetrics


def evaluate(
    bundle: Bundle,
    path: Path | None,
    target: str | None,
    passes: int | None,
    described: Description = UNDESCRIBED,
) -> Evaluation:
    """Evaluate a bundle on the rows of a file, or of the data set of its domain or description.

    If the rows are those the bundle was trained on, only the held-out part is used.

    Args:
        bundle: the bundle.
        path: file of labelled rows; None for the data set of the description, or else of the
            bundle's domain.
        target: name of the column of classes or of the number, for rows that no domain's layout
            describes; that of the description, or a number's own name, if None.
        passes: stochastic passes per row; the bundle's default if None.
        described: how the file writes its cells, and what its target is called.

    Raises:
        DataError: the rows cannot be read or do not fit the bundle.
        UsageError: the networks of an ensemble would not have equally many passes.
    """
    manifest = bundle.manifest
    number = manifest.passes if passes is None else passes
    if number % manifest.members:
        raise UsageError(f"--passes must be a multiple of the {manifest.members} networks")
    if isinstance(manifest.target, NumberTarget):
        return _evaluate_number(bundle, manifest.target, path, target, number, described)
    told, table = _labelled(manifest, path, target, described)
    evidence = evidence_of(bundle.engine, table, manifest.signature, manifest.rules, number)
    evidence = replace(
        evidence,
        shifts=_shifts(bundle, table.features, number),
        precision=precision_of(bundle.engine, table.features[:SAMPLED_ROWS], manifest.target),
    )
    calibration = manifest.calibration
    assert not isinstance(calibration, NumberCalibration)  # noqa: S101 - as the manifest's parser has it
    return Evaluation(told, assess(evidence, calibration, manifest.classes))


def _evaluate_number(
    bundle: Bundle,
    number: NumberTarget,
    path: Path | None,
    target: str | None,
    passes: int,
    described: Description,
) -> Evaluation:
    manifest, engine = bundle.manifest, bundle.engine
    written, dataset = described.notation, described.dataset
    if path is None and dataset is None:
        raise DataError(
            f"rows with the true {number.name} (--data), or the description of a data set of them "
            "(--columns), must be named"
        )
    name, *aliases = (number.name, *number.aliases) if target is None else (target,)
    truth = NumberColumn(name=name, aliases=tuple(aliases), notation=written.of(name))
    columns = columns_of(manifest.features, written)
    rows = read_number_rows(path, columns, truth, written.file, dataset)
    told, rows = _unseen(manifest, rows)
    plain, answered = answers_of(engine, rows, manifest.signature, manifest.rules, passes)
    evidence = NumberEvidence(
        values=rows.values,
        plain=plain[:, number.value_column],
        answered=answered,
        passes=passes,
        shifts=_shifts(bundle, rows.features, passes),
        precision=precision_of(engine, rows.features[:SAMPLED_ROWS], number),
    )
    calibration = manifest.calibration
    assert not isinstance(calibration, Calibration)  # noqa: S101 - as the manifest's parser has it
    return Evaluation(told, assess_number(evidence, number, calibration))


def _shifts(bundle: Bundle, rows: Floats, passes: int) -> tuple[Shifted, ...]:
    manifest, engine = bundle.manifest, bundle.engine
    about = manifest.signature, manifest.rules, passes
    return tuple(
        shifted_rows(engine, rows, *about, shift) for shift in shifts_of(manifest.signature)
    )


def _labelled(
    manifest: Manifest, path: Path | None, target: str | None, described: Description
) -> tuple[str, Table]:
    """Read the rows to evaluate on; returns a description of them, and the rows."""
    if target is None and described.classes is not None:
        target = described.classes.name
    domain = domain_of(manifest.signature)
    if domain is not None and target is None:
        table = read_table(path, domain.layout)
    elif target is None or (path is None and described.dataset is None):
        about = " or ".join(domain.name for domain in domains())
        raise DataError(
            f"this bundle is not about {about}: labelled rows (--data) and the column of their "
            "classes (--target) must be named"
        )
    else:
        columns = columns_of(manifest.features, described.notation)
        written = described.file, described.dataset
        table = read_rows(path, columns, manifest.classes, target, *written)
    return _unseen(manifest, table)


def _unseen(manifest: Manifest, rows: AnyRows) -> tuple[str, AnyRows]:
    """Leave out the rows that a training of these rows saw; returns a description of the rest."""
    trained = manifest.trained
    if trained.is_conversion or rows.digest != trained.data_digest:
        return f"all {len(rows):,} rows of {rows.source}, {UNKNOWN}", rows
    held_out = rows.where(split_of(rows, trained.split_seed).test)
    return f"the {len(held_out):,} rows of {rows.source} that were held out", held_out
