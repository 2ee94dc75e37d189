"""Exports predictions as a CSV or Parquet table, one row for each prediction, oldest first.

Every column has one type, whatever the records hold:

- text: `id`, `time` (ISO 8601, UTC), `reference`, `endpoint`, `environment`, `model.name`,
  `model.digest`, `asked.passes` (a number or `auto`), `outcome` and `review` (the latest recorded
  grade or number of each), `warnings` and all other lists (as JSON), and every column not named
  here;
- 64-bit integers: `model.version`, `answer.passes`, `answer.seed`;
- doubles: `answer.probabilities.…`, `answer.mean.…`, `answer.std.…` (one column for each grade),
  `answer.uncertainty.…`, and the requested, promised and reached values of precision, coverage and
  error rate; of a number `answer.value`, `answer.mean`, `answer.std`, `answer.aleatoric_std`,
  `answer.total_std`, `answer.quantiles.…`, `answer.interval.lower` and `answer.interval.upper`;
- booleans: `asked.degrade`, `….class_conditional`, `….guaranteed`, `answer.precision.met`;
- `feature.…`, one column for each feature: doubles, booleans or text, as the feature's values are;
  text where the records hold several kinds.

A cell is empty where a prediction lacks the member, or where it was erased. An unknown category is
an empty text; in CSV, which has none, `warnings` tells it from a missing one. Records of several
bundles have the columns of all of them. CSV is UTF-8 with a byte order mark, by which spreadsheets
recognise it; text that a spreadsheet would run as a formula is prefixed with an apostrophe. A file
appears whole or not at all, and only its owner may read it.
"""

import csv
import json
import os
import re
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal

from sqlalchemy import Connection, ScalarSelect, select

from app.errors import RecordsError
from app.record_events import EventKind, moment
from app.records.tables import events

EXPORTED_ROWS = 1_000
"""Most rows in memory at a time, and in a row group of a Parquet file."""

Type = Literal["text", "integer", "real", "boolean"]
Columns = Mapping[str, Type]
"""Columns of an export, in order, with their types."""
Line = Mapping[str, Any]
Lines = Iterator[Line]

FIRST, LAST = ("id", "time", "reference"), ("outcome", "review")
"""Columns that every export has."""
FEATURE = "feature."
"""Prefix of feature columns, so that no feature's name can collide with another column."""
INTEGERS = {"model.version", "answer.passes", "answer.seed"}
REALS = {
    "asked.tolerance",
    "asked.judged.coverage",
    "asked.judged.target",
    "answer.precision.half_width",
    "answer.precision.tolerance",
    "answer.prediction_set.coverage",
    "answer.decision.target",
    "answer.value",
    "answer.mean",
    "answer.std",
    "answer.aleatoric_std",
    "answer.total_std",
    "answer.interval.coverage",
    "answer.interval.lower",
    "answer.interval.upper",
}
FAMILIES = tuple(
    f"answer.{kind}." for kind in ("probabilities", "mean", "std", "uncertainty", "quantiles")
)
BOOLEANS = {
    "asked.degrade",
    "asked.judged.class_conditional",
    "answer.precision.met",
    "answer.prediction_set.class_conditional",
    "answer.prediction_set.guaranteed",
    "answer.decision.guaranteed",
    "answer.interval.guaranteed",
}
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""Beginning of text that a spreadsheet may run as a formula; the last four are full-width forms."""
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
"""Text that begins like a formula but is a plain number."""


def write_export(connection: Connection, file: Path) -> int:
    """Write all predictions with their latest outcome and review; returns how many there are.

    Raises:
        RecordsError: the file's suffix is neither .csv nor .parquet, or the file cannot be written.
    """
    kinds: dict[str, Callable[[Columns, Lines, Path], int]]
    kinds = {".csv": _write_csv, ".parquet": _write_parquet}
    if file.suffix not in kinds:
        raise RecordsError(f"{file} ends neither in .csv nor in .parquet")
    try:
        with _whole(file) as draft, closing(_lines(connection)) as lines:
            return kinds[file.suffix](_columns(connection), lines, draft)
    except OSError as error:
        raise RecordsError(f"{file}: {error.strerror}") from error


def type_of(name: str) -> Type:
    """Return the type of a column that is not a feature's."""
    if name in INTEGERS:
        return "integer"
    if name in REALS or name.startswith(FAMILIES):
        return "real"
    return "boolean" if name in BOOLEANS else "text"


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """Yield a temporary file that replaces `file` if the block succeeds, else is deleted."""
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}-", delete=False) as opened:
        draft = Path(opened.name)
        try:
            yield draft
            os.fsync(opened.fileno())
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)


def _columns(connection: Connection) -> Columns:
    """Return all columns that at least one prediction has, with their types."""
    features, others = dict[str, set[Type]](), dict[str, Type]()
    for row in _rows(connection, events.c.body, events.c.personal):
        for name, value in _members(row.body, row.personal):
            if name.startswith(FEATURE):
                features.setdefault(name, set()).update(_value_types(value))
            else:
                others[name] = type_of(name)
    typed = {name: _common_type(types) for name, types in features.items()}
    texts: dict[str, Type] = dict.fromkeys(FIRST, "text")
    return texts | typed | others | dict.fromkeys(LAST, "text")


def _value_types(value: Any) -> Iterator[Type]:
    """Yield the type of a feature's value; nothing for null, which every type has."""
    if isinstance(value, bool):
        yield "boolean"
    elif isinstance(value, str):
        yield "text"
    elif value is not None:
        yield "real"


def _common_type(types: Collection[Type]) -> Type:
    """Return the type of a column whose values have some types."""
    only: Type = next(iter(types), "real")
    return "text" if len(types) > 1 else only


def _lines(connection: Connection) -> Generator[Line]:
    said = [_last("outcome").label("outcome"), _last("review").label("review")]
    for row in _rows(connection, events, *said):
        yield {
            "id": row.prediction,
            "time": moment(row.time),
            "reference": row.reference,
            **dict(_members(row.body, row.personal)),
            **{name: _grade(getattr(row, name)) for name in LAST},
        }


def _rows(connection: Connection, *columns: Any) -> Iterator[Any]:
    """Stream predictions in order of time, `EXPORTED_ROWS` rows at a time."""
    asked = select(*columns).where(events.c.kind == "prediction")
    ordered = asked.order_by(events.c.time, events.c.chain, events.c.sequence)
    # Options set on the connection would also apply to its later statements.
    few = ordered.execution_options(yield_per=EXPORTED_ROWS)
    with connection.execute(few) as found:
        yield from found


def _last(kind: EventKind) -> ScalarSelect[bytes]:
    """Return a subquery of the latest event of a kind about the prediction."""
    later = events.alias(kind)
    said = select(later.c.body).where(later.c.prediction == events.c.prediction)
    latest = said.where(later.c.kind == kind).order_by(later.c.time.desc(), later.c.sequence.desc())
    return latest.limit(1).scalar_subquery()


def _grade(body: bytes | None) -> str | None:
    if body is None:
        return None
    said = json.loads(body)
    return said["grade"] if "grade" in said else repr(said["value"])


def _members(body: bytes, personal: bytes | None) -> Iterator[tuple[str, Any]]:
    """Yield column and value of each cell; null is dropped for columns whose type is unknown."""
    for name, value in json.loads(personal or b"{}").get("features", {}).items():
        # A tensor is a list, written as JSON like lists of answers.
        yield FEATURE + name, json.dumps(value) if isinstance(value, list) else value
    for name, value in _flat("", json.loads(body)):
        if value is not None or type_of(name) != "text":
            yield name, value


def _flat(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield nested members with dotted names, and lists as JSON."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(f"{prefix}{name}.", inner)
        elif isinstance(inner, list):
            yield f"{prefix}{name}", json.dumps(inner, ensure_ascii=False)
        else:
            yield f"{prefix}{name}", inner


def _cell(name: str, kind: Type, value: Any) -> Any:
    """Convert a value to its column's type.

    Raises:
        RecordsError: the value cannot be converted.
    """
    if value is None:
        return None
    kinds: dict[Type, Callable[[Any], Any]] = {"text": str, "integer": int, "real": float}
    try:
        return kinds.get(kind, bool)(value)
    except ValueError as error:
        raise RecordsError(f"the records hold a value that is no number in {name}") from error


def _write_csv(columns: Columns, lines: Lines, file: Path) -> int:
    count = 0
    with file.open("w", newline="", encoding="utf-8-sig") as opened:
        table = csv.writer(opened)
        table.writerow(map(_harmless, columns))
        for line in lines:
            cells = (_cell(name, kind, line.get(name)) for name, kind in columns.items())
            table.writerow(map(_harmless, cells))
            count += 1
    return count


def _harmless(cell: Any) -> Any:
    """Prefix a text cell with an apostrophe if a spreadsheet could run it as a formula."""
    is_formula = isinstance(cell, str) and FORMULA.match(cell) and not NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula else cell


def _write_parquet(columns: Columns, lines: Lines, file: Path) -> int:
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError as error:
        raise RecordsError("Parquet needs the extra `train`, which has pyarrow") from error
    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "real": pa.float64(),
        "boolean": pa.bool_(),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    count = 0
    with file.open("wb") as opened, ParquetWriter(opened, schema) as table:
        while part := list(islice(lines, EXPORTED_ROWS)):
            cells = {
                name: [_cell(name, kind, line.get(name)) for line in part]
                for name, kind in columns.items()
            }
            table.write_table(pa.Table.from_pydict(cells, schema=schema))
            count += len(part)
    return count
