"""Grade one row, or rows from a file, with error bars."""

import argparse
import asyncio
import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.api.answers import Answers
from app.api.options import MonteCarloOptions, monte_carlo_options
from app.api.problems import Refusal, field_of, message_of
from app.api.rows import RowReader
from app.commands.reference import add_bundle
from app.commands.serve import add_settings, settings_of
from app.commands.table import lines
from app.commands.terminal import to_json
from app.errors import DataError, InvalidInput, SettingsError, Ungradable
from app.network.catalog import find
from app.network.inspection.archive import inspect
from app.network.manifest import Manifest
from app.serving.compute import Thread
from app.serving.jobs import Engine
from app.serving.judge import Judge
from app.serving.predictor import Predictor
from app.text import utf8
from app.training.tables.wanted import composed
from app.values import MAX_SEED, Floats, Query, Signature

OPTIONS = {
    "passes": "stochastic passes, or auto: as many as are enough (default: the bundle's)",
    "tolerance": "with --passes auto: the half-width to reach (default 0.01)",
    "seed": "repeats an answer (default: a fresh one)",
    "coverage": "share of rows whose prediction set holds the right grade",
    "method": "how prediction sets are scored: lac, aps, raps, adjacent",
    "class-conditional": "true: the coverage holds for every grade by itself",
    "target": "the error rate promised of automated grades",
}
"""Flags for the query parameters of `POST /predict/mc`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The row comes from flags named after the bundle's features, a file, or stdin."""
    parser.usage = "dubito predict [bundle] (--FEATURE VALUE … | --file FILE) [options]"
    add_bundle(parser)
    parser.add_argument(
        "--file",
        help='JSON, a row or {"instances": [row, …]}, or a table as CSV or Parquet; - for stdin',
    )
    for name, text in OPTIONS.items():
        parser.add_argument(f"--{name}", metavar="VALUE", help=text)
    parser.add_argument("--json", action="store_true", help="answer as the service does")
    parser.epilog = "Features are flags: --loan-amount 12000; `dubito inspect` lists them."
    add_settings(parser, ["models", "digest", "max_passes", "max_rows"])


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Read rows, grade them, print a table or JSON."""
    settings = settings_of(arguments)
    folder = find(settings.models, settings.model, settings.version)
    manifest = inspect(folder, pinned=settings.digest).manifest
    options = _options(arguments, manifest, settings.max_passes)
    rows, many = _rows(arguments.file, rest, manifest.signature, settings.max_rows)

    from app.network.bundle import load

    engine = load(folder, pinned=manifest.identity.digest).engine
    try:
        answers = _answers(engine, manifest, rows, options)
    except Ungradable as error:
        which = f"row {error.rows[0] + 1}" if many else "the row"
        raise DataError(f"{which} {error.sentence}") from error
    if arguments.json:
        print(to_json({"predictions": answers} if many else answers[0]))
    else:
        print("\n\n".join("\n".join(lines(answer)) for answer in answers))
    return 0


def _options(
    arguments: argparse.Namespace, manifest: Manifest, most_passes: int
) -> MonteCarloOptions:
    """The flags as the service reads its query parameters.

    Raises:
        SettingsError: names the flag.
    """
    names = (name.replace("-", "_") for name in OPTIONS)
    given = {name: text for name in names if (text := getattr(arguments, name)) is not None}
    model = monte_carlo_options(manifest.passes, most_passes, manifest.calibration)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise SettingsError(f"--{_flag(str(first['loc'][0]))} {message_of(first)}") from None


def _answers(
    engine: Engine, manifest: Manifest, rows: Floats, options: MonteCarloOptions
) -> list[dict[str, Any]]:
    """What the service would answer."""
    calibration, signature = manifest.calibration, manifest.signature
    judge = None if calibration is None else Judge(calibration, manifest.rules, signature)
    queue = len(rows) * options.most_passes
    predictor = Predictor(Thread(engine), signature, queue=queue, judge=judge)
    seed = secrets.randbelow(MAX_SEED + 1) if options.seed is None else options.seed
    query = Query(rows, options.most_passes, seed)
    doubting = predictor.doubt(query, tolerance=options.reached, asked=options.asked)
    doubted = asyncio.run(doubting)
    predictor.close()
    return Answers(manifest.identity, manifest.classes, calibration).of_doubted(
        doubted, range(len(doubted.query.features))
    )


def _rows(
    file: str | None, rest: Sequence[str], signature: Signature, most: int
) -> tuple[Floats, bool]:
    """Rows `(N, F)`, whichever way they were given, and whether they came as a list.

    Raises:
        SettingsError: no rows, or rows in two ways.
        DataError: rows that cannot be graded; names the feature.
    """
    if rest:
        if file is not None:
            raise SettingsError("give a row by flags or by --file, not both")
        return _from_json(json.dumps(_from_flags(rest, signature)).encode(), signature, most)
    if file is None:
        raise SettingsError(
            f"give a row: by flags such as --{_flag(signature.names[0])} or by --file"
        )
    return _from_file(file, signature, most)


def _from_file(file: str, signature: Signature, most: int) -> tuple[Floats, bool]:
    """The rows of a file or of stdin: JSON, or a table with a column for each feature."""
    from app.training.rows import read_questions
    from app.training.tables.content import bounded, name_of, read_content

    name = "stdin" if file == "-" else name_of(Path(file))
    data = bounded(sys.stdin.buffer, name) if file == "-" else read_content(Path(file))
    try:
        text = utf8(data)
    except UnicodeDecodeError:
        # Not UTF-16 after all, which the table's reader says with a reason.
        text = data
    if text.lstrip().startswith((b"{", b"[")):
        return _from_json(text, signature, most)
    if not text.strip():
        raise DataError(f"{name} is empty: give JSON, or a table as CSV or Parquet")
    return read_questions(data, name, signature.features, most), True


def _from_json(body: bytes, signature: Signature, most: int) -> tuple[Floats, bool]:
    """The rows of a body as the service reads it."""
    try:
        return RowReader(signature, most).read(body)
    except InvalidInput as error:
        first = error.faults[0]
        raise DataError(f"{field_of(first)} {first.message}") from error
    except Refusal as error:
        raise DataError("what was given is not JSON") from error


def _from_flags(rest: Sequence[str], signature: Signature) -> dict[str, Any]:
    """`--loan-amount 12000 --debt-to-income null` as a row; names and aliases both do."""
    names = {
        composed(_flag(name)): name
        for feature in signature.features
        for name in (feature.name, *feature.aliases)
    }
    row: dict[str, Any] = {}
    for flag, text in _pairs(rest):
        name = names.get(composed(_flag(flag)))
        if name is None:
            raise SettingsError(f"predict does not know --{flag}")
        if name in row:
            raise SettingsError(f"--{flag} is given more than once")
        row[name] = _value(text)
    return row


def _pairs(rest: Sequence[str]) -> Iterator[tuple[str, str]]:
    words = iter(rest)
    for word in words:
        flag, given, text = word[2:].partition("=")
        text = text if given else next(words, "")
        if not text:
            raise SettingsError(f"predict needs a value for --{flag}")
        yield flag, text


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _value(text: str) -> Any:
    """A number or null where the text is one; else the text, which the reader refuses."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.encode(errors="replace").decode()
