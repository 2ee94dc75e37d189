"""Grade one row, or rows from a file, with error bars."""

import argparse
import asyncio
import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.api.answers import Answers
from app.api.problems import Refusal, field_of
from app.api.rows import RowReader
from app.commands.reference import add_bundle
from app.commands.serve import add_settings, settings_of
from app.errors import DataError, InvalidInput, SettingsError
from app.network.catalog import find
from app.network.inspection.archive import inspect
from app.serving.predictor import Predictor
from app.values import MAX_SEED, Query, Signature

BAR = 32
"""Letters of a bar for a probability of 1."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The row comes from flags named after the bundle's features, a file, or stdin."""
    parser.usage = "dubito predict [bundle] (--FEATURE VALUE … | --file FILE) [options]"
    add_bundle(parser)
    parser.add_argument("--file", help='JSON: a row or {"instances": [row, …]}; - for stdin')
    parser.add_argument("--passes", type=int, help="stochastic passes (default: the bundle's)")
    parser.add_argument("--seed", type=int, help="repeats an answer (default: a fresh one)")
    parser.add_argument("--json", action="store_true", help="answer as the service does")
    parser.epilog = "Features are flags: --loan-amount 12000; `dubito inspect` lists them."
    add_settings(parser, ["models", "digest", "max_passes", "max_rows"])


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Read rows, grade them, print a table or JSON."""
    settings = settings_of(arguments)
    folder = find(settings.models, settings.model, settings.version)
    manifest = inspect(folder, pinned=settings.digest).manifest
    passes = _within("passes", arguments.passes, manifest.passes, 1, settings.max_passes)
    seed = _within("seed", arguments.seed, secrets.randbelow(MAX_SEED + 1), 0, MAX_SEED)
    body = _body(arguments.file, rest, manifest.signature)
    try:
        rows, many = RowReader(manifest.signature, settings.max_rows).read(body)
    except InvalidInput as error:
        first = error.faults[0]
        raise DataError(f"{field_of(first)} {first.message}") from error
    except Refusal as error:
        raise DataError("what was given is not JSON") from error

    from app.network.bundle import load

    engine = load(folder, pinned=settings.digest).engine
    predictor = Predictor(engine, manifest.signature, queue=settings.max_queue)
    doubted = asyncio.run(predictor.doubt(Query(rows, passes, seed)))
    predictor.close()
    answers = Answers(manifest.identity, manifest.classes).of_doubted(doubted)
    if arguments.json:
        print(json.dumps({"predictions": answers} if many else answers[0], ensure_ascii=False))
    else:
        print("\n\n".join("\n".join(_lines(answer)) for answer in answers))
    return 0


def _within(name: str, given: int | None, default: int, least: int, most: int) -> int:
    value = default if given is None else given
    if not least <= value <= most:
        raise SettingsError(f"--{name} must be from {least} to {most}")
    return value


def _body(file: str | None, rest: Sequence[str], signature: Signature) -> bytes:
    """The rows as JSON, whichever way they were given."""
    if rest:
        if file is not None:
            raise SettingsError("give a row by flags or by --file, not both")
        return json.dumps(_from_flags(rest, signature)).encode()
    if file is None:
        raise SettingsError(
            f"give a row: by flags such as --{_flag(signature.names[0])} or by --file"
        )
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError("that file name cannot be read") from error


def _from_flags(rest: Sequence[str], signature: Signature) -> dict[str, Any]:
    """`--loan-amount 12000 --debt-to-income null` as a row; names and aliases both do."""
    names = {
        _flag(name): name
        for feature in signature.features
        for name in (feature.name, *feature.aliases)
    }
    row: dict[str, Any] = {}
    for flag, text in _pairs(rest):
        name = names.get(_flag(flag))
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


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    """A small table with a bar and ± for each class."""
    model, doubt = answer["model"], answer["uncertainty"]
    yield (
        f"grade {answer['grade']}   {model['name']}/{model['version']}, {answer['passes']} "
        f"passes, seed {answer['seed']}"
    )
    width = max(map(len, answer["mean"]))
    for label, mean in answer["mean"].items():
        std = answer["std"][label]
        yield f"  {label:<{width}}  {mean:6.1%} ± {std:5.1%}  {_bar(mean, std)}"
    yield (
        f"predictive entropy {doubt['predictive_entropy']:.3f} nats, of which epistemic "
        f"{doubt['mutual_information']:.3f}; variation ratio {doubt['variation_ratio']:.2f}"
    )
    for warning in answer["warnings"]:
        yield f"warning: {_warning(warning)}"


def _bar(mean: float, std: float) -> str:
    """The mean as full blocks, one standard deviation above it as light ones."""
    full = round(mean * BAR)
    return "█" * full + "░" * (round(min(mean + std, 1.0) * BAR) - full)


def _warning(warning: dict[str, Any]) -> str:
    if warning["kind"] == "missing":
        return f"{warning['feature']} is missing"
    return (
        f"{warning['feature']} is outside what training saw, "
        f"{warning['seen_minimum']:,.12g} to {warning['seen_maximum']:,.12g}"
    )
