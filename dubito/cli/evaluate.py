"""Evaluate a bundle on labelled rows: metrics as text, and an HTML page with plots."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dubito.cli.reference import add_backend, add_location, backend_given, location_of
from dubito.cli.train import stdout_for_result
from dubito.cli.training_flags import positive
from dubito.cli.written import add_columns
from dubito.errors import UsageError
from dubito.training.tables.kinds import FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name the bundle, the rows and the page."""
    add_location(parser)
    parser.add_argument(
        "--data",
        type=Path,
        help=f"labelled rows: {FORMATS}, also in a zip or gzip (default: the held-out part of "
        "the data set that --columns describes, or of the bundle's domain)",
    )
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help="column of the classes, for bundles of no domain without --columns; of the number, if "
        "it has another name than the bundle's",
    )
    add_columns(parser, "--data")
    parser.add_argument("--passes", type=positive, help="passes a row (default: the bundle's)")
    parser.add_argument(
        "--out", type=Path, metavar="HTML", help="the page (default: build/NAME-VERSION.html)"
    )
    parser.add_argument("--json", action="store_true", help="print all metrics as JSON")
    add_backend(parser)


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Evaluate the bundle, write the page, and print the metrics."""
    if rest:
        raise UsageError(f"evaluate does not know {rest[0]}")
    location = location_of(arguments)
    from dubito.bundle import load
    from dubito.training.description import read_description
    from dubito.training.evaluation.run import UNDESCRIBED, evaluate
    from dubito.training.report.page import render_page

    with stdout_for_result(arguments.json):
        columns, backend = arguments.columns, backend_given(arguments)
        described = UNDESCRIBED if columns is None else read_description(columns)
        bundle = load(location.folder, pinned=location.digest, backend=backend)
        evaluation = evaluate(bundle, arguments.data, arguments.target, arguments.passes, described)
    identity = bundle.manifest.identity
    file = arguments.out or Path("build") / f"{identity.name}-{identity.version}.html"
    _write(file, render_page(identity, evaluation))
    if arguments.json:
        told = {"page": str(file), "rows": evaluation.rows, "figures": asdict(evaluation.figures)}
        print(json.dumps(told, default=_plain))
    else:
        print(f"{identity.name}/{identity.version}: {evaluation.rows}")
        print("\n".join(_lines(evaluation.figures)))
        print(f"pictures: {file}")
    return 0


def _band(band: tuple[int, int] | None) -> str:
    return "" if band is None else f"; of the {band[0]:,} least sure {band[1]:,} wrong"


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out: {file} cannot be written: {error.strerror}") from error


def _plain(values: Any) -> Any:
    """Convert an array to a list for JSON, with NaN as null."""
    return [None if value != value else value for value in values.tolist()]


def _lines(figures: Any) -> Iterator[str]:
    for told, metrics in (
        ("mean of the passes", figures.mc),
        ("deterministic pass", figures.deterministic),
    ):
        yield f"{told}: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    # Imported late, as all of the evaluation is.
    from dubito.training.evaluation.number_evaluation import NumberEvaluationMetrics

    is_number = isinstance(figures, NumberEvaluationMetrics)
    yield from _intervals(figures) if is_number else _classes(figures)
    for shift in figures.shifts:
        if shift.auroc is not None:
            referred = "" if shift.referred is None else f", {shift.referred:.1%} referred"
            yield f"{shift.name}: AUROC {shift.auroc:.3f}{referred}"


def _classes(figures: Any) -> Iterator[str]:
    """Yield the metrics of classes: confidence, risk, sets and decisions."""
    for bins in figures.reliability:
        kind = bins.kind.replace("_", " ")
        yield f"calibration error, {kind}: {bins.ece:.4f} (by chance up to {bins.expected:.4f})"
    for risk in figures.risks:
        yield f"risk by {risk.score}: AURC {risk.aurc:.5f}"
    yield from _decisions(figures)
    for name, (right, count) in figures.rare.items():
        yield f"{name}: {right} of {count} rows right"


def _intervals(figures: Any) -> Iterator[str]:
    """Yield the metrics of a number's intervals and decisions; none for an uncalibrated bundle."""
    yield f"predicted deviation: {figures.std:,.6g}"
    for found in figures.intervals:
        width = "unbounded" if found.width is None else f"{found.width:,.6g}"
        yield (
            f"intervals asked for {found.asked:g}, {found.method}: coverage {found.coverage:.4f}, "
            f"mean width {width}"
        )
    for kept in figures.promises:
        yield (
            f"promised misses {kept.target:.1%}: {kept.automated:.1%} automated, "
            f"{kept.wrong:.2%} of them miss{_wide(kept.band)}"
        )


def _wide(band: tuple[int, int] | None) -> str:
    return "" if band is None else f"; of the {band[0]:,} widest {band[1]:,} miss"


def _decisions(figures: Any) -> Iterator[str]:
    """Yield the metrics of sets and decisions; none for an uncalibrated bundle."""
    for sets in figures.sets:
        if sets.asked == figures.coverage:
            yield (
                f"sets asked for {sets.asked:g}, {sets.method}: coverage {sets.coverage:.4f}, "
                f"mean size {sets.size:.3f}"
            )
    for kept in figures.promises:
        yield (
            f"promised error {kept.target:.1%}: {kept.automated:.1%} automated, "
            f"{kept.wrong:.2%} of them wrong{_band(kept.band)}"
        )
    for likely in figures.likelihoods:
        if likely.rows:
            yield (
                f"automated, {likely.least:.0%} to {likely.most:.0%} likely: {likely.rows:,}, "
                f"{likely.errors:,} of them wrong"
            )
