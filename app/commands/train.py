"""Train a network and write its bundle."""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from app.errors import SettingsError

MOST_SEED = 2**32 - 1
"""Keras' limit."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is trained, on what, and where it is written."""
    parser.add_argument(
        "--data",
        type=Path,
        help="CSV, Parquet, or zip with a train.csv (default: 10,000 Lending Club loans)",
    )
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder of the bundles")
    parser.add_argument("--name", default="loan-grade", help="name of the bundle")
    parser.add_argument("--version", type=_positive, help="version (default: the next free one)")
    parser.add_argument("--seed", type=_seed, default=0, help="of weights, dropout and shuffling")
    parser.add_argument("--split-seed", type=_seed, default=0, help="of the 80/20 split")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--architecture",
        choices=("study", "residual"),
        default="residual",
        help="the study's network, or the better one with features inside",
    )
    recipe = parser.add_argument_group("changes to the architecture's recipe")
    recipe.add_argument("--epochs", type=_positive)
    recipe.add_argument("--batch", type=_positive, help="rows a step")
    recipe.add_argument(
        "--patience", type=_positive, help="epochs without a better validation loss"
    )
    recipe.add_argument("--optimizer", choices=("adamw", "adam", "sgd"))
    recipe.add_argument("--learning-rate", type=float)
    recipe.add_argument("--weight-decay", type=float, help="of AdamW")
    recipe.add_argument("--passes", type=_positive, help="default passes of the bundle")
    recipe.add_argument("--widths", type=_widths, help="units of the hidden layers, such as 16,16")
    recipe.add_argument("--activation", choices=("relu", "selu", "silu", "elu", "tanh"))
    recipe.add_argument("--rate", type=float, help="probability of dropping a unit")
    recipe.add_argument(
        "--placement",
        choices=("every", "hidden", "output"),
        help="dropout before every layer, every but the first, or the last only",
    )
    recipe.add_argument("--batch-norm", action=argparse.BooleanOptionalAction)
    recipe.add_argument("--l1", type=float, help="penalty on the hidden kernels")
    recipe.add_argument("--l2", type=float, help="penalty on the hidden kernels")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Train, write, and print the held-out metrics."""
    if rest:
        raise SettingsError(f"train does not know {rest[0]}")
    from app.training.data import read_table
    from app.training.layout import LOANS
    from app.training.publication import Job, publish
    from app.training.recipe import RECIPES

    job = Job(
        recipe=_changed(RECIPES[arguments.architecture], arguments),
        layout=LOANS,
        out=arguments.out,
        name=arguments.name,
        version=arguments.version,
        seed=arguments.seed,
        split_seed=arguments.split_seed,
        command=_command(arguments),
    )
    with _stdout_for_result(arguments.json):
        folder, manifest = publish(job, read_table(arguments.data, LOANS))
    metrics = manifest.metrics["mc"]
    if arguments.json:
        print(json.dumps({"bundle": str(folder), "metrics": metrics}))
    else:
        print(f"{folder}  {manifest.identity.digest}")
        print("held out, mean of the passes: " + _listed(metrics))
        print("held out, deterministic pass: " + _listed(manifest.metrics["deterministic"]))
    return 0


def _changed(recipe: Any, arguments: argparse.Namespace) -> Any:
    """A recipe with the flags that were given."""
    try:
        shape = replace(recipe.architecture, **_given(recipe.architecture, arguments))
        return replace(recipe, **_given(recipe, arguments), architecture=shape)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _given(part: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    values = ((known.name, getattr(arguments, known.name, None)) for known in fields(part))
    return {name: value for name, value in values if value is not None and name != "architecture"}


def _command(arguments: argparse.Namespace) -> str:
    """The command that trains the same again; where it writes to does not matter."""
    words = ["dubito train"]
    for name, value in sorted(vars(arguments).items()):
        if value is None or name in {"command", "out", "json", "version", "name"}:
            continue
        text = value.name if isinstance(value, Path) else value
        text = ",".join(map(str, value)) if isinstance(value, tuple) else text
        flag = name.replace("_", "-")
        boolean = f"--{flag}" if value else f"--no-{flag}"
        words.append(boolean if isinstance(value, bool) else f"--{flag} {text}")
    return " ".join(words)


@contextlib.contextmanager
def _stdout_for_result(alone: bool) -> Iterator[None]:
    """Keep stdout for the result, if a program reads it: progress goes to stderr."""
    with contextlib.redirect_stdout(sys.stderr) if alone else contextlib.nullcontext():
        yield


def _listed(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a whole number") from error


def _positive(text: str) -> int:
    value = _whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _seed(text: str) -> int:
    value = _whole(text)
    if not 0 <= value <= MOST_SEED:
        raise argparse.ArgumentTypeError(f"must be from 0 to {MOST_SEED}")
    return value


def _widths(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))
