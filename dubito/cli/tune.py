"""Search for a better recipe and write the bundle of the best."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dubito.cli.train import command_of, print_bundle, stdout_for_result
from dubito.cli.training_flags import add_data, domain_for, positive, seed
from dubito.domains import STUDY, TABLE
from dubito.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the data, the search and the bundle."""
    add_data(parser)
    parser.add_argument(
        "--directory",
        type=Path,
        required=True,
        help="folder of the search; the same command resumes it",
    )
    parser.add_argument(
        "--trials",
        type=positive,
        default=20,
        help="total trials, with those finished earlier (default: 20)",
    )
    parser.add_argument(
        "--epochs",
        type=positive,
        help="largest number of epochs of a trial (default: 10; 60 with --columns)",
    )
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder of the bundles")
    parser.add_argument("--name", help="name of the bundle")
    parser.add_argument(
        "--seed", type=seed, default=0, help="seed of the search and of every training"
    )
    parser.add_argument("--split-seed", type=seed, default=0, help="seed of the 80/20 split")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.epilog = (
        "Searched: layers, width, activation, dropout rate and placement, learning rate, weight "
        "decay and batch, of the study's recipe also batch normalisation and L1, for the least "
        "validation loss of the mean of passes: NLL, RMSE of a number alone, or pinball loss."
    )


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Search, publish the bundle of the best recipe, and print the held-out metrics."""
    if rest:
        raise UsageError(f"tune does not know {rest[0]}")
    with stdout_for_result(arguments.json):
        terms, number, best, folder, manifest = _tuned(arguments)
    command = manifest.trained.command
    if arguments.json:
        trial = {"number": number, "loss": terms.loss, **asdict(best)}
        metrics = manifest.metrics["mc"]
        told = {"bundle": str(folder), "metrics": metrics, "trial": trial, "command": command}
        print(json.dumps(told))
    else:
        reached = f"validation {terms.loss} {best.val_loss:.4f}"
        print(f"best: trial {number} of {arguments.trials}, {reached}")
        print(command)
        print_bundle(folder, manifest)
    return 0


def _tuned(arguments: argparse.Namespace) -> tuple[Any, int, Any, Path, Any]:
    """Search, and publish the best trial's recipe.

    Returns:
        The terms, the best trial's number, from 1, the trial, and its bundle's folder and manifest.
    """
    given = {name: getattr(arguments, name) for name in ("domain", "columns", "data")}
    domain = domain_for(**given)
    from dubito.training.pipeline import TrainingOptions, publish
    from dubito.training.rows import read_layout
    from dubito.training.search_space import SPACES, flags_of, recipe_of
    from dubito.training.trials import SearchTerms
    from dubito.training.tune import search
    from dubito.training.validation_loss import loss_name

    architecture = STUDY if arguments.columns is None else TABLE
    space = SPACES[architecture]
    rows, epochs = read_layout(arguments.data, domain.layout), arguments.epochs or space.epochs
    seeds = {"seed": arguments.seed, "split_seed": arguments.split_seed}
    terms = SearchTerms(
        rows.digest,
        **seeds,
        epochs=epochs,
        architecture=architecture,
        loss=loss_name(domain.layout),
    )
    at, best = search(rows, domain.layout, terms, arguments.trials, arguments.directory, _say)
    flags = {**given, **seeds, "architecture": architecture, **flags_of(best.choices, epochs)}
    job = TrainingOptions(
        recipe=recipe_of(best.choices, epochs, space.base),
        layout=domain.layout,
        out=arguments.out,
        name=arguments.name or domain.bundle_name,
        version=None,
        **seeds,
        command=command_of(flags),
        verbose=0,
    )
    folder, manifest = publish(job, rows)
    return terms, at + 1, best, folder, manifest


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
