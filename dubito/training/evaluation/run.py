"""Evaluates a bundle on labelled rows: reads the rows, runs the network, computes the metrics."""

from dataclasses import dataclass, replace
from pathlib import Path

from dubito.bundle import Bundle
from dubito.bundles.manifest import Manifest
from dubito.domains import domain_of, domains
from dubito.errors import DataError
from dubito.training.data import Table, read_table, select_rows
from dubito.training.evaluation.metrics import EvaluationMetrics, assess
from dubito.training.evaluation.predictions import (
    SAMPLED_ROWS,
    evidence_of,
    precision_of,
    shifted_rows,
)
from dubito.training.evaluation.shifts import shifts_of
from dubito.training.rows import column_of, read_rows
from dubito.training.split import split_rows

UNKNOWN = "some of which it may have been fitted or calibrated on"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of a bundle, and the rows they were computed on."""

    rows: str
    """Description of the rows, as a part of a sentence."""
    figures: EvaluationMetrics


def evaluate(
    bundle: Bundle, path: Path | None, target: str | None, passes: int | None
) -> Evaluation:
    """Evaluate a bundle on the rows of a file, or of the data set of its domain.

    If the rows are those the bundle was trained on, only the held-out part is used.

    Args:
        bundle: the bundle.
        path: file of labelled rows; None for the data set of the bundle's domain.
        target: name of the column of classes, for rows that no domain's layout describes.
        passes: stochastic passes per row; the bundle's default if None.

    Raises:
        DataError: the rows cannot be read or do not fit the bundle.
    """
    manifest, engine = bundle.manifest, bundle.engine
    told, table = _labelled(manifest, path, target)
    signature, rules = manifest.signature, manifest.rules
    number = manifest.passes if passes is None else passes
    evidence = evidence_of(engine, table, signature, rules, number)
    shifted = tuple(
        shifted_rows(engine, table.features, signature, rules, number, shift)
        for shift in shifts_of(signature)
    )
    precision = precision_of(engine, table.features[:SAMPLED_ROWS])
    evidence = replace(evidence, shifts=shifted, precision=precision)
    return Evaluation(told, assess(evidence, manifest.calibration, manifest.classes))


def _labelled(manifest: Manifest, path: Path | None, target: str | None) -> tuple[str, Table]:
    """Read the rows to evaluate on; returns a description of them, and the rows."""
    domain = domain_of(manifest.signature)
    if domain is not None and target is None:
        table = read_table(path, domain.layout)
    elif path is None or target is None:
        about = " or ".join(domain.name for domain in domains())
        raise DataError(
            f"this bundle is not about {about}: labelled rows (--data) and the column of their "
            "classes (--target) must be named"
        )
    else:
        columns = tuple(column_of(feature) for feature in manifest.features)
        table = read_rows(path, columns, manifest.classes, target)
    trained = manifest.trained
    if trained.is_conversion or table.digest != trained.data_digest:
        return f"all {len(table.labels):,} rows of {table.source}, {UNKNOWN}", table
    held_out = select_rows(table, split_rows(table.labels, manifest.trained.split_seed).test)
    return f"the {len(held_out.labels):,} rows of {table.source} that were held out", held_out
