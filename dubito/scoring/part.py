"""Writes the answers about one chunk as a file of its own, whole or not at all."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from msgspec import json
from pyarrow import csv, parquet

from dubito.answer import to_json
from dubito.prediction import JudgedRows, MonteCarloPrediction, answer_builder
from dubito.scoring.answer_columns import KEY, ROW, answer_table
from dubito.scoring.rows import TableRows
from dubito.scoring.scorer import Scorer
from dubito.types import Query

AnswerFormat = Literal["parquet", "csv", "ndjson"]
TEXTS = frozenset({"grade", KEY, "warnings", "decision.action"})
COMPRESSION = "zstd"


def write_part(
    path: Path,
    form: AnswerFormat,
    scorer: Scorer,
    rows: TableRows,
    seeds: Sequence[int],
    judged: JudgedRows,
) -> None:
    """Write the answers about some rows.

    Args:
        path: the file, which is there only when it is whole.
        form: format of the file.
        scorer: what computed the answers.
        rows: `(n,)` rows.
        seeds: `(n,)` seeds.
        judged: `(n,)` results.
    """
    if form == "ndjson":
        content = b"".join(_lines(scorer, rows, seeds, judged))
    else:
        table = answer_table(scorer, rows, seeds, judged)
        content = _parquet(table) if form == "parquet" else _csv(table)
    write_whole(path, content)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there only when it is whole, and stays when the machine stops."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parquet(table: Any) -> bytes:
    """Encode a table; numbers of full precision repeat too rarely for a dictionary of them."""
    sink = pa.BufferOutputStream()
    repeated = [
        field.name for field in table.schema if field.type not in (pa.float64(), pa.int64())
    ]
    parquet.write_table(table, sink, use_dictionary=repeated, compression=COMPRESSION)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _csv(table: Any) -> bytes:
    """Write a table as CSV, its lists as JSON."""
    for at, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            texts = [json.encode(each).decode() for each in table.column(at).to_pylist()]
            table = table.set_column(at, field.name, pa.array(texts, pa.string()))
    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _lines(
    scorer: Scorer, rows: TableRows, seeds: Sequence[int], judged: JudgedRows
) -> Iterator[bytes]:
    """Yield the answers as a service writes them, without `id`, behind what says of which row."""
    bundle, options = scorer.bundle, scorer.options
    manifest = bundle.manifest
    builder = answer_builder(bundle.identity, manifest.target, manifest.calibration)
    for at, (position, seed) in enumerate(zip(rows.positions, seeds, strict=True)):
        query = Query(rows.features[at : at + 1], options.most_passes, seed)
        prediction = MonteCarloPrediction(
            query, judged, at, options.reached, None, options.most_passes
        )
        (answer,) = builder.monte_carlo(prediction, range(1))
        named = {ROW: position} if rows.keys is None else {ROW: position, KEY: rows.keys[at]}
        # The identifier is the first member.
        _, _, rest = to_json(answer).partition(b",")
        yield b"%b,%b\n" % (json.encode(named)[:-1], rest)
