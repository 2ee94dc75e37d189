"""Scores a table: from a file to a folder of answers, on all processors."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from msgspec import json

from dubito.bundles.manifest import Manifest
from dubito.errors import DataError
from dubito.inputs.options import MonteCarloOptions
from dubito.scoring.chunk import CHUNK_ROWS
from dubito.scoring.counts import added
from dubito.scoring.folder import JobFolder, digest_of, table_digest
from dubito.scoring.job import BundleOpening, ScoringJob
from dubito.scoring.part import AnswerFormat
from dubito.scoring.pool import Scorers, Work, scorers
from dubito.scoring.progress import Progress
from dubito.scoring.summary import Origin, TableSummary, summarise_counts, summary_text
from dubito.scoring.table import StreamedTable, TableColumns, open_table
from dubito.training.tables.content import name_of
from dubito.training.tables.sheet import say
from dubito.types import Backend

LEFT_OUT = {"seed", "draws", "deadline_ms", "degrade"}
"""Options of a request that a table has not."""


@dataclass(frozen=True, slots=True)
class TableScoring:
    """What is scored, with what, and where the answers go."""

    table: Path
    columns: TableColumns
    bundle: Path
    """Folder of the bundle."""
    manifest: Manifest
    options: MonteCarloOptions
    backend: Backend
    out: Path
    answers: AnswerFormat
    processes: int
    cluster: str | None = None
    """Address of a Ray cluster, empty for one that is made here; None without one."""


def score_table(scoring: TableScoring) -> TableSummary:
    """Score all rows of a table, those that are left of it if a run before ended early.

    Raises:
        DataError: the table cannot be read, or has changed since; or a process ended.
        UsageError: the folder holds something else.
        BundleError: the bundle must not be used.
    """
    manifest = scoring.manifest
    table = open_table(scoring.table, manifest.signature, scoring.columns)
    say(f"{name_of(scoring.table)}: {table.told}")
    folder = JobFolder(scoring.out, scoring.answers)
    names = type(scoring.options).model_fields.keys() - LEFT_OUT
    options = {name: getattr(scoring.options, name) for name in sorted(names)}
    digest = manifest.identity.digest
    opening = BundleOpening(scoring.bundle, digest, scoring.backend, options)
    work = Work(opening, table, folder, scoring.answers)
    with _running(work, scoring) as pool:
        fingerprint = pool.fingerprint()
        with folder.held(_job(scoring, table, options, fingerprint)):
            if folder.is_finished:
                return _told_again(table, folder)
            chunks = _scored(table, folder, pool)
            return _finished(scoring, table, folder, options, fingerprint, chunks)


def _running(work: Work, scoring: TableScoring) -> AbstractContextManager[Scorers]:
    """Return what runs processes for the duration of a block, here or on a cluster."""
    if scoring.cluster is None:
        return scorers(work, scoring.processes)
    # Imported here: it is an extra of its own, whose import takes seconds.
    from dubito.scoring.cluster import cluster

    return cluster(work, scoring.cluster)


def _job(
    scoring: TableScoring, table: StreamedTable, options: dict[str, Any], fingerprint: str
) -> ScoringJob:
    identity, truth = scoring.manifest.identity, table.selection.truth
    return ScoringJob(
        table=name_of(scoring.table),
        bytes=scoring.table.stat().st_size,
        told=table.told,
        key=scoring.columns.key,
        truth=() if truth is None else truth.names,
        model=identity.name,
        version=identity.version,
        digest=identity.digest,
        fingerprint=fingerprint,
        options=options,
        answers=scoring.answers,
        rows=CHUNK_ROWS,
        arrow=pa.__version__,
    )


def _scored(table: StreamedTable, folder: JobFolder, pool: Scorers) -> int:
    """Score the chunks that are left; return the number of all."""
    progress, chunks, share = Progress(), 0, 0.0

    def tell(read: float) -> None:
        nonlocal share
        share = read

    for chunk in table.chunks.each(tell):
        chunks += 1
        progress.read(chunk.first + chunk.rows - 1, share)
        if folder.is_done(chunk):
            progress.skipped(chunk.rows)
            continue
        for counts in pool.score(chunk):
            progress.scored(counts.rows + counts.empty)
    for counts in pool.rest():
        progress.scored(counts.rows + counts.empty)
    progress.end()
    return chunks


def _told_again(table: StreamedTable, folder: JobFolder) -> TableSummary:
    """Return the summary of a table that was scored, if it is still the same.

    Raises:
        DataError: it is not.
    """
    summary = json.decode(folder.summary(), type=TableSummary)
    digest = table_digest(digest_of(chunk) for chunk in table.chunks.each(lambda _: None))
    if digest != summary.table_digest:
        raise DataError("the table has changed since it was scored: name a new --out")
    return summary


def _finished(
    scoring: TableScoring,
    table: StreamedTable,
    folder: JobFolder,
    options: dict[str, Any],
    fingerprint: str,
    chunks: int,
) -> TableSummary:
    """Write what is known of the whole table."""
    truth = table.selection.truth
    summary = summarise_counts(
        Origin(
            table=name_of(scoring.table),
            digest=table_digest(done.content for done in folder.each_done(chunks)),
            environment=fingerprint,
            options=options,
            truth=None if truth is None else truth.name,
        ),
        scoring.manifest,
        added(done.counts for done in folder.each_done(chunks)),
    )
    folder.write_rejected(chunks)
    folder.finish(summary_text(summary))
    return summary
