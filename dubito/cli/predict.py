"""Predict one row, or rows from a file, with uncertainty."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, structs

from dubito.answer import AnyMonteCarloAnswer, to_builtins
from dubito.bundles.validation.inspection import inspect
from dubito.cli.answer_flags import add_answer_flags, answer_options
from dubito.cli.reference import (
    add_backend,
    add_location,
    backend_given,
    flag_variable,
    location_of,
    whole_number,
)
from dubito.cli.table import lines
from dubito.cli.terminal import printable_json
from dubito.cli.written import add_columns, written_of
from dubito.errors import DataError, InvalidInput, NotJson, Ungradable, UsageError
from dubito.features import CategoryFeature, Feature
from dubito.inputs.json_members import composed
from dubito.inputs.options import MonteCarloOptions
from dubito.inputs.rows import RowReader
from dubito.notation import TableNotation
from dubito.prediction import answer_builder
from dubito.targets import NumberTarget
from dubito.text import utf8
from dubito.training.tables.kinds import FORMATS
from dubito.types import Floats, Signature

if TYPE_CHECKING:
    from dubito.bundle import Bundle

NULL = "null"
"""Text of a flag for a missing value, if the feature may be missing."""
LIMITS = {
    "max_passes": (10_000, "most passes of a request"),
    "max_rows": (1_000, "most rows of a request"),
}
"""Default and help text of each limit, by name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; flags of a row's features depend on the bundle, so `run` matches them."""
    parser.usage = "dubito predict [bundle] (--FEATURE VALUE … | --file FILE) [options]"
    add_location(parser)
    parser.add_argument(
        "--file",
        help=f'JSON, a row or {{"instances": [row, …]}}, or a table as {FORMATS}; - for stdin',
    )
    add_columns(parser, "--file")
    add_answer_flags(parser)
    parser.add_argument("--json", action="store_true", help="answer as the service does")
    add_backend(parser)
    parser.epilog = "Features are flags: --loan-amount 12000; `dubito inspect` lists them."
    for name, (default, text) in LIMITS.items():
        flag = f"--{name.replace('_', '-')}"
        meaning = f"{text} (default {default}, {flag_variable(name)})"
        parser.add_argument(flag, metavar="VALUE", help=meaning)


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Read rows, predict them, and print a table or JSON."""
    location = location_of(arguments)
    most = {name: _limit(arguments, name) for name in LIMITS}
    folder = location.folder
    manifest = inspect(folder, pinned=location.digest).manifest
    options = answer_options(arguments, manifest, most["max_passes"])
    rows, many = _rows(arguments, rest, manifest.signature, most["max_rows"])

    from dubito.bundle import load

    bundle = load(folder, pinned=manifest.identity.digest, backend=backend_given(arguments))
    try:
        answers = _answers(bundle, rows, options)
    except Ungradable as error:
        which = f"row {error.rows[0] + 1}" if many else "the row"
        raise DataError(f"{which} {error.sentence}") from error
    if arguments.json:
        told = [to_builtins(answer) for answer in answers]
        print(printable_json({"predictions": told} if many else told[0]))
    else:
        target = manifest.target
        of = (target.title, target.unit) if isinstance(target, NumberTarget) else ("", "")
        print("\n\n".join("\n".join(lines(answer, *of)) for answer in answers))
    return 0


def _limit(arguments: argparse.Namespace, name: str) -> int:
    """Return a limit from its flag, its environment variable or the default, in this order."""
    text = getattr(arguments, name)
    text = os.environ.get(flag_variable(name)) if text is None else text
    return LIMITS[name][0] if text is None else whole_number(name, text, 1)


def _answers(
    bundle: "Bundle", rows: Floats, options: MonteCarloOptions
) -> Sequence[AnyMonteCarloAnswer]:
    """Predict rows `(N, F)`; the answers are those that the service would give."""
    policy = options.policy
    given = {} if policy is None else structs.asdict(policy)
    chosen = {name: value for name, value in given.items() if value is not UNSET}
    prediction = bundle.predict_mc(
        rows,
        options.passes,
        options.seed,
        tolerance=options.tolerance,
        max_passes=options.max_passes,
        **chosen,
    )
    target, calibration = bundle.signature.target, bundle.manifest.calibration
    builder = answer_builder(bundle.identity, target, calibration)
    return builder.monte_carlo(prediction, range(len(rows)))


def _rows(
    arguments: argparse.Namespace, rest: Sequence[str], signature: Signature, most: int
) -> tuple[Floats, bool]:
    """Read rows `(N, F)` from flags or a file; also returns whether the answer is a list.

    Raises:
        UsageError: there are no rows, or rows are given by flags and by a file.
        DataError: a row has an invalid value; names the feature.
    """
    file = arguments.file
    if rest:
        if file is not None:
            raise UsageError("give a row by flags or by --file, not both")
        return _from_json(json.dumps(_from_flags(rest, signature)).encode(), signature, most)
    if file is None:
        raise UsageError(f"give a row: by flags such as --{_flag(signature.names[0])} or by --file")
    return _from_file(file, signature, most, written_of(arguments))


def _from_file(
    file: str, signature: Signature, most: int, written: TableNotation
) -> tuple[Floats, bool]:
    """Read the rows of a file or of stdin: JSON, or a table with a column for each feature."""
    from dubito.training.rows import read_questions
    from dubito.training.tables.content import bounded, name_of, read_content

    name = "stdin" if file == "-" else name_of(Path(file))
    data = bounded(sys.stdin.buffer, name) if file == "-" else read_content(Path(file))
    try:
        text = utf8(data)
    except UnicodeDecodeError:
        # The table's reader below rejects this text, and its message names the reason.
        text = data
    if text.lstrip().startswith((b"{", b"[")):
        return _from_json(text, signature, most)
    if not text.strip():
        raise DataError(f"{name} is empty: give JSON, or a table as {FORMATS}")
    return read_questions(data, name, signature.features, most, written), True


def _from_json(body: bytes, signature: Signature, most: int) -> tuple[Floats, bool]:
    """Read the rows of a JSON text as the service reads a request's body."""
    try:
        return RowReader(signature, most).read(body)
    except InvalidInput as error:
        first = error.faults[0]
        raise DataError(f"{first.field} {first.message}") from error
    except NotJson as error:
        raise DataError("the input is not JSON") from error


def _from_flags(rest: Sequence[str], signature: Signature) -> dict[str, Any]:
    """Convert flags such as `--loan-amount 12000` to a row; a flag is a feature's name or alias."""
    features = {
        composed(_flag(name)): (name, feature)
        for feature in signature.features
        for name in (feature.name, *feature.aliases)
    }
    row: dict[str, Any] = {}
    for flag, text in _pairs(rest):
        name, feature = features.get(composed(_flag(flag)), ("", None))
        if feature is None:
            raise UsageError(f"predict does not know --{flag}")
        if name in row:
            raise UsageError(f"--{flag} is given more than once")
        row[name] = _value(feature, text)
    return row


def _pairs(rest: Sequence[str]) -> Iterator[tuple[str, str]]:
    words = iter(rest)
    for word in words:
        flag, given, text = word[2:].partition("=")
        text = text if given else next(words, "")
        if not text:
            raise UsageError(f"predict needs a value for --{flag}")
        yield flag, text


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _value(feature: Feature, text: str) -> Any:
    """Parse a category, a number, a truth or null; the row reader rejects what is none of these."""
    plain = text.encode(errors="replace").decode()
    if isinstance(feature, CategoryFeature) and (text != NULL or not feature.nullable):
        return plain
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return plain
