"""Train a network and write its bundle."""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from dubito.cli.reference import add_backend, backend_given
from dubito.cli.training_flags import add_flags, settle
from dubito.errors import UsageError
from dubito.training.tables.content import name_of

ELSEWHERE = {"command", "config", "out", "json", "version", "name", "tensorboard", "seeds"}
"""Arguments left out of the command that repeats a training: the weights do not depend on them, or
the command contains the flags that they stand for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the recipe, the data, the bundle and the output's format."""
    parser.add_argument(
        "--config", type=Path, help="TOML file whose keys are the flags below; flags given here win"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_flags(parser)
    add_backend(parser)


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Train the network, write its bundle, and print the held-out metrics."""
    if rest:
        raise UsageError(f"train does not know {rest[0]}")
    domain = settle(arguments)
    from dubito.training.pipeline import TrainingOptions, publish
    from dubito.training.recipe import find_recipe
    from dubito.training.rows import read_layout
    from dubito.training.seeds import publish_seeds

    job = TrainingOptions(
        recipe=_changed(find_recipe(domain, arguments.architecture), arguments),
        layout=domain.layout,
        out=arguments.out,
        name=arguments.name,
        version=arguments.version,
        seed=arguments.seed,
        split_seed=arguments.split_seed,
        command=command_of(vars(arguments)),
        logs=arguments.tensorboard,
        backend=backend_given(arguments),
        members=arguments.members or 1,
    )
    seeds: Any = None
    with stdout_for_result(arguments.json):
        rows = read_layout(arguments.data, domain.layout)
        if arguments.seeds:
            folder, manifest, seeds = publish_seeds(job, rows, arguments.seeds)
        else:
            folder, manifest = publish(job, rows)
    if arguments.json:
        told = {"bundle": str(folder), "metrics": manifest.metrics["mc"]}
        print(json.dumps(told | ({} if seeds is None else {"seeds": _spreads(seeds)})))
    else:
        print_bundle(folder, manifest)
        print("".join(_sentences(seeds)), end="")
    return 0


def print_bundle(folder: Path, manifest: Any) -> None:
    """Print a bundle's folder, digest and held-out metrics."""
    print(f"{folder}  {manifest.identity.digest}")
    print("held out, mean of the passes: " + _listed(manifest.metrics["mc"]))
    print("held out, deterministic pass: " + _listed(manifest.metrics["deterministic"]))


def _changed(recipe: Any, arguments: argparse.Namespace) -> Any:
    """Return a recipe changed by the flags that are set."""
    try:
        shape = replace(recipe.architecture, **_given(recipe.architecture, arguments))
        return replace(recipe, **_given(recipe, arguments), architecture=shape)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _given(part: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    values = ((known.name, getattr(arguments, known.name, None)) for known in fields(part))
    return {name: value for name, value in values if value is not None and name != "architecture"}


def command_of(arguments: Mapping[str, Any]) -> str:
    """Return the command that repeats the training, without the options of its output."""
    words = ["dubito train"]
    for name, value in sorted(arguments.items()):
        if value is None or name in ELSEWHERE:
            continue
        text = name_of(value) if isinstance(value, Path) else value
        text = ",".join(map(str, value)) if isinstance(value, tuple) else text
        flag = name.replace("_", "-")
        boolean = f"--{flag}" if value else f"--no-{flag}"
        words.append(boolean if isinstance(value, bool) else f"--{flag} {text}")
    return " ".join(words)


@contextlib.contextmanager
def stdout_for_result(alone: bool) -> Iterator[None]:
    """Redirect progress to stderr if stdout must contain the result alone, for a program."""
    with contextlib.redirect_stdout(sys.stderr) if alone else contextlib.nullcontext():
        yield


def _listed(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())


def _spreads(seeds: Any) -> dict[str, Any]:
    """Return the metrics over seeds for JSON, with dropout (`mc`) and without."""
    figures = {
        path: {name: asdict(spread) for name, spread in seeds.spread(path).items()}
        for path in ("mc", "deterministic")
    }
    return {"seeds": list(seeds.seeds), **figures}


def _sentences(seeds: Any) -> Iterator[str]:
    """Yield the metrics over seeds for people; nothing for a training with one seed."""
    if seeds is None:
        return
    first, last = seeds.seeds[0], seeds.seeds[-1]
    yield f"seeds {first} to {last}, mean ± standard deviation; the bundle is seed {first}'s\n"
    for path, means in (("mc", "mean of the passes"), ("deterministic", "deterministic pass")):
        spreads = seeds.spread(path).items()
        listed = ", ".join(f"{name} {of.mean:.4f} ± {of.sd:.4f}" for name, of in spreads)
        yield f"held out, {means}: {listed}\n"
