"""Search for a better recipe and write the bundle of the best."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dubito.cli.train import command_of, print_bundle, stdout_for_result
from dubito.cli.training_flags import add_data, positive, seed
from dubito.domains import STUDY, chosen_domain
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
        default=10,
        help="largest number of epochs of a trial (default: 10)",
    )
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder of the bundles")
    parser.add_argument("--name", help="name of the bundle")
    parser.add_argument(
        "--seed", type=seed, default=0, help="seed of the search and of every training"
    )
    parser.add_argument("--split-seed", type=seed, default=0, help="seed of the 80/20 split")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.epilog = (
        "Searched: layers, width, activation, dropout rate and placement, batch normalisation, L1, "
        "learning rate, weight decay and batch, for the least validation NLL of the mean of passes."
    )


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Search, publish the bundle of the best recipe, and print the held-out metrics."""
    if rest:
        raise UsageError(f"tune does not know {rest[0]}")
    with stdout_for_result(arguments.json):
        number, best, folder, manifest = _tuned(arguments)
    command = manifest.trained.command
    if arguments.json:
        trial = {"number": number, "val_nll": best.val_nll, "choices": dict(best.choices)}
        metrics = manifest.metrics["mc"]
        told = {"bundle": str(folder), "metrics": metrics, "trial": trial, "command": command}
        print(json.dumps(told))
    else:
        print(f"best: trial {number} of {arguments.trials}, validation NLL {best.val_nll:.4f}")
        print(command)
        print_bundle(folder, manifest)
    return 0


def _tuned(arguments: argparse.Namespace) -> tuple[int, Any, Path, Any]:
    """Return the best trial's number, from 1, the trial, and its bundle's folder and manifest."""
    domain = chosen_domain(arguments.domain)
    from dubito.training.data import read_table
    from dubito.training.pipeline import TrainingOptions, publish
    from dubito.training.search_space import flags_of, recipe_of
    from dubito.training.trials import SearchTerms
    from dubito.training.tune import search

    table = read_table(arguments.data, domain.layout)
    terms = SearchTerms(table.digest, arguments.seed, arguments.split_seed, arguments.epochs)
    at, best = search(table, domain.layout, terms, arguments.trials, arguments.directory, _say)
    given = {name: getattr(arguments, name) for name in ("domain", "data", "seed", "split_seed")}
    job = TrainingOptions(
        recipe=recipe_of(best.choices, arguments.epochs),
        layout=domain.layout,
        out=arguments.out,
        name=arguments.name or domain.bundle_name,
        version=None,
        seed=arguments.seed,
        split_seed=arguments.split_seed,
        command=command_of(
            {**given, "architecture": STUDY, **flags_of(best.choices, arguments.epochs)}
        ),
        verbose=0,
    )
    folder, manifest = publish(job, table)
    return at + 1, best, folder, manifest


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
