"""Score a whole table: every answer's members as columns, in bounded memory."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from dubito.bundles.validation.inspection import inspect
from dubito.cli.answer_flags import add_answer_flags, answer_options
from dubito.cli.reference import add_backend, add_places, backend_given, location_of
from dubito.cli.training_flags import positive
from dubito.cli.written import add_columns
from dubito.errors import UsageError
from dubito.notation import UNDECLARED

FORMATS = ("parquet", "csv", "ndjson")
"""Formats of the answers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name the table, the bundle and the folder of the answers."""
    parser.add_argument(
        "table", type=Path, help="CSV or JSON lines, also in a zip or gzip, or Parquet"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the answers"
    )
    parser.add_argument(
        "--key",
        metavar="COLUMN",
        help="column that identifies a row, and from which its seed follows (default: the row's "
        "position)",
    )
    parser.add_argument(
        "--model",
        dest="bundle",
        metavar="BUNDLE",
        help="a bundle's folder or that of its versions, its name, or NAME/VERSION (default: what "
        "DUBITO_* settings say)",
    )
    add_places(parser)
    parser.add_argument(
        "--truth",
        metavar="COLUMN",
        help="column of what the bundle predicts, where the table has it (default: the usual name)",
    )
    add_columns(parser, "TABLE")
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help="format of the answers (%(default)s)"
    )
    parser.add_argument(
        "--processes", type=positive, help="processes that score (default: one for each processor)"
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="score on a Ray cluster, whose nodes have the table, the bundle and DIR at the same "
        "paths (without an address: one of this machine alone)",
    )
    add_answer_flags(parser, takes_seed=False)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    add_backend(parser)


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Score the table, and print the summary."""
    if rest:
        raise UsageError(f"score does not know {rest[0]}")
    location = location_of(arguments)
    folder = location.folder
    manifest = inspect(folder, pinned=location.digest).manifest
    try:
        from dubito.scoring.job import MOST_SCORED_PASSES
        from dubito.scoring.run import TableScoring, score_table
        from dubito.scoring.summary import summary_lines, summary_text
        from dubito.scoring.table import TableColumns
        from dubito.training.description import read_description
    except ModuleNotFoundError as error:
        raise UsageError(f"score needs {error.name}: install dubito[score]") from error
    written, truth = UNDECLARED, arguments.truth
    if arguments.columns is not None:
        described = read_description(arguments.columns)
        written = described.notation
        if truth is None and described.classes is not None:
            truth = described.classes.name
    scoring = TableScoring(
        table=arguments.table.absolute(),
        columns=TableColumns(arguments.key, truth, written),
        bundle=folder.absolute(),
        manifest=manifest,
        options=answer_options(arguments, manifest, MOST_SCORED_PASSES),
        backend=backend_given(arguments),
        out=arguments.out.absolute(),
        answers=arguments.format,
        processes=arguments.processes or len(os.sched_getaffinity(0)),
        cluster=arguments.ray,
    )
    summary = score_table(scoring)
    print(
        summary_text(summary).decode().rstrip()
        if arguments.json
        else "\n".join(summary_lines(summary))
    )
    return 0
