"""Predict one row, or rows from a file, with uncertainty."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, structs
from pydantic import ValidationError

from dubito.answer import AnyMonteCarloAnswer, to_builtins
from dubito.bundles.manifest import Manifest
from dubito.bundles.validation.inspection import inspect
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
from dubito.inputs.faults import message_of
from dubito.inputs.json_members import composed
from dubito.inputs.options import MonteCarloOptions, monte_carlo_options
from dubito.inputs.rows import RowReader
from dubito.notation import TableNotation
from dubito.prediction import answer_builder
from dubito.targets import NumberTarget
from dubito.text import utf8
from dubito.training.tables.kinds import FORMATS
from dubito.types import Floats, Signature
from dubito.uncertainty.intervals import SCORES
from dubito.uncertainty.scores import METHODS

if TYPE_CHECKING:
    from dubito.bundle import Bundle

OPTIONS = {
    "passes": "stochastic passes, or auto: as many as the tolerance needs (default: the bundle's)",
    "tolerance": "with --passes auto: the half-width to reach (default 0.01; of a number 5%% of "
    "the deviation of its values)",
    "seed": "reproduces a prediction (default: drawn at random)",
    "coverage": "share of many rows whose prediction sets contain the right grade, or whose "
    "intervals contain the right number",
    "method": f"how prediction sets are scored: {', '.join(METHODS)}; intervals: "
    f"{', '.join(SCORES)}",
    "class-conditional": "true: the coverage holds among the many rows of each grade",
    "target": "largest share of wrong answers promised among many automated rows",
}
"""Help texts of the flags that mirror the query parameters of `POST /predict/mc`."""
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
    for name, text in OPTIONS.items():
        parser.add_argument(f"--{name}", metavar="VALUE", help=text)
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
    options = _options(arguments, manifest, most["max_passes"])
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


def _options(
    arguments: argparse.Namespace, manifest: Manifest, most_passes: int
) -> MonteCarloOptions:
    """Validate the flags as the service validates its query parameters.

    Raises:
        UsageError: a value is invalid; names the flag.
    """
    names = (name.replace("-", "_") for name in OPTIONS)
    given = {name: text for name in names if (text := getattr(arguments, name)) is not None}
    model = monte_carlo_options(
        manifest.target,
        manifest.passes,
        most_passes,
        manifest.calibration,
        members=manifest.members,
    )
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise UsageError(f"--{_flag(str(first['loc'][0]))} {message_of(first)}") from None


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
