"""Writes a first description of a table's columns in TOML, with the reason of each guess."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from dubito.errors import DataError
from dubito.inputs.json_members import composed
from dubito.notation import PLAIN, FileNotation, Notation
from dubito.training.guesses import Guess, guess
from dubito.training.tables.content import name_of
from dubito.training.tables.sheet import Sheet, read_sheet
from dubito.training.tables.wanted import Wanted

FEWEST_MISSING, LEAST_MISSING = 20, 0.01
"""Least number and share of the rows without a value with which missing is usual."""

HEAD = """\
# Columns of {file}, {rows:,} rows, as they seem to be. Check each before you train:
# what is written here is what training does, and nothing is guessed again.
"""


def first_description(path: Path, target: str, declared: FileNotation) -> str:
    """Guess what a table's columns are; returns a description in TOML.

    Args:
        path: the table.
        target: name of the column to predict.
        declared: encoding and separator of the table, as far as they are known.

    Raises:
        DataError: the file cannot be read, or has no such column, or the target lacks values.
    """
    header = read_sheet(path, [Wanted((target,), is_numeric=False)], declared).header
    names = [composed(name.strip()) for name in header if name.strip()]
    sheet = read_sheet(path, [Wanted((name,), is_numeric=False) for name in names], declared)
    guesses = {name: guess(name, cells) for name, cells in zip(names, _cells(sheet), strict=True)}
    predicted = guesses.pop(composed(target.strip()))
    if predicted.is_nullable:
        raise DataError(f"{target} lacks values in some rows: leave those rows out")
    parts = [
        HEAD.format(file=name_of(path), rows=sheet.rows),
        *_file(declared),
        _target(predicted),
        *(_feature(found, sheet.rows) for found in guesses.values()),
    ]
    return "\n".join(parts)


def _cells(sheet: Sheet) -> list[list[object]]:
    columns: list[list[object]] = []
    for block in sheet.blocks():
        columns = columns or [[] for _ in block]
        for column, cells in zip(columns, block, strict=True):
            column.extend(cells)
    return columns


def _file(declared: FileNotation) -> Iterator[str]:
    named = {"encoding": declared.encoding, "separator": declared.separator}
    lines = [f"{name} = {_quoted(value)}" for name, value in named.items() if value is not None]
    if lines:
        yield "\n".join(["[file]", *lines, ""])


def _target(found: Guess) -> str:
    name = f"name = {_quoted(found.name)}"
    if len(found.values) and not found.texts:
        lines = [
            f"# A number: {found.reason}. Heads: point, normal, quantiles (with levels).",
            "[target]",
            'kind = "number"',
            name,
            'head = "normal"',
            *_notation(found.notation),
        ]
        return "\n".join([*lines, ""])
    if found.kind is None:
        raise DataError(f"{found.name} cannot be predicted: {found.reason}")
    lines = [
        f"# Classes: {len(found.texts)} values. If they have an order, give it, and say so.",
        "[target]",
        'kind = "classes"',
        name,
        f"classes = {_list(found.texts)}",
        "ordered = false",
    ]
    return "\n".join([*lines, ""])


def _feature(found: Guess, rows: int) -> str:
    if found.kind is None:
        return f"# {_quoted(found.name)} is left out: {found.reason}.\n"
    lines = [
        f"# {found.reason}{_gaps(found, rows)}",
        "[[features]]",
        f"name = {_quoted(found.name)}",
        f'kind = "{found.kind}"',
    ]
    if found.kind == "category":
        lines += [f"categories = {_list(found.texts)}", "takes_unknown = true"]
    elif found.kind != "boolean" and found.values.min() >= 0:
        lines.append("minimum = 0")
    if found.is_nullable:
        lines.append("nullable = true")
        if _is_usual(found, rows):
            lines.append("missing_refers = false")
    return "\n".join([*lines, *_notation(found.notation), ""])


def _gaps(found: Guess, rows: int) -> str:
    if not found.is_nullable:
        return ""
    share = f"; {found.missing:,} rows lack it ({found.missing / rows:.2%})"
    asked = "no person is asked for that" if _is_usual(found, rows) else "a person is asked"
    return f"{share}: {asked}"


def _is_usual(found: Guess, rows: int) -> bool:
    """Whether so many rows lack a value that training and calibration know such rows."""
    return found.missing >= max(FEWEST_MISSING, LEAST_MISSING * rows)


def _notation(notation: Notation) -> Iterator[str]:
    for name in ("decimal", "thousands", "prefix", "suffix"):
        value = getattr(notation, name)
        if value != getattr(PLAIN, name):
            yield f"{name} = {_quoted(value)}"
    if notation.missing:
        yield f"missing = {_list(notation.missing)}"


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _quoted(text: str) -> str:
    """Return a text as TOML writes it: as JSON does, but for one character that JSON leaves."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
