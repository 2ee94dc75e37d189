"""Export: predictions as a table, one line each."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from app.errors import RecordsError
from app.events import moment
from app.records.tables import events

ROWS_AT_A_TIME = 1_000


def write(connection: Connection, file: Path) -> int:
    """Write all predictions, oldest first, with what was said of each; returns how many they are.

    Raises:
        RecordsError: the file's ending is neither .csv nor .parquet, or it cannot be written.
    """
    kinds = {".csv": _write_csv, ".parquet": _write_parquet}
    if file.suffix not in kinds:
        raise RecordsError(f"{file} ends neither in .csv nor in .parquet")
    try:
        return kinds[file.suffix](list(_names(connection)), _lines(connection), file)
    except OSError as error:
        raise RecordsError(f"{file}: {error.strerror}") from error


def _names(connection: Connection) -> Iterator[str]:
    """Every column that some prediction has."""
    known = dict[str, None]()
    for line in _lines(connection):
        known.update(dict.fromkeys(line))
    yield from known


def _lines(connection: Connection) -> Iterator[dict[str, Any]]:
    outcomes, reviews = _grades(connection, "outcome"), _grades(connection, "review")
    asked = select(events).where(events.c.kind == "prediction")
    found = connection.execution_options(yield_per=ROWS_AT_A_TIME).execute(
        asked.order_by(events.c.time, events.c.chain, events.c.sequence)
    )
    for row in found:
        whole = {
            "id": row.prediction,
            "time": moment(row.time),
            "reference": row.reference,
            **json.loads(row.personal or b"{}").get("features", {}),
            **json.loads(row.body),
            "outcome": outcomes.get(row.prediction),
            "review": reviews.get(row.prediction),
        }
        yield dict(_flat("", whole))


def _grades(connection: Connection, kind: str) -> dict[str, str]:
    """What grade was said of predictions, later."""
    said = select(events).where(events.c.kind == kind)
    return {row.prediction: json.loads(row.body)["grade"] for row in connection.execute(said)}


def _flat(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Members of members, named by their way; lists as JSON."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(f"{prefix}{name}.", inner)
        else:
            yield f"{prefix}{name}", json.dumps(inner) if isinstance(inner, list) else inner


def _write_csv(names: list[str], lines: Iterator[dict[str, Any]], file: Path) -> int:
    count = 0
    with file.open("w", newline="", encoding="utf-8") as opened:
        table = csv.DictWriter(opened, names)
        table.writeheader()
        for line in lines:
            table.writerow(line)
            count += 1
    return count


def _write_parquet(names: list[str], lines: Iterator[dict[str, Any]], file: Path) -> int:
    try:
        from pyarrow import Table, parquet
    except ImportError as error:
        raise RecordsError("Parquet needs the extra `train`, which has pyarrow") from error
    whole = list(lines)
    columns = {name: [line.get(name) for line in whole] for name in names}
    parquet.write_table(Table.from_pydict(columns), file)
    return len(whole)
