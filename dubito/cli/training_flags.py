"""Flags of `dubito train`, with values from the command line, a file or defaults."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dubito.bundles.manifest import MOST_MEMBERS
from dubito.domains import (
    REGRESSOR,
    REGRESSOR_MEANING,
    STUDY,
    TABLE,
    TABLE_MEANING,
    Domain,
    chosen_domain,
    domains,
)
from dubito.errors import UsageError
from dubito.training.tables.kinds import FORMATS

MOST_SEED = 2**32 - 1
"""Largest seed that Keras accepts."""

DEFAULTS: dict[str, Any] = {
    "out": Path("models"),
    "seed": 0,
    "split_seed": 0,
}
"""Values of flags that neither the command line nor the file sets; other flags default to the
domain's or the recipe's values."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that a file may set too; a flag that is not set is None."""
    add_data(parser)
    parser.add_argument("--out", type=Path, help="folder of the bundles (default: models)")
    names = _either([domain.bundle_name for domain in domains()])
    parser.add_argument("--name", help=f"name of the bundle (default: {names})")
    parser.add_argument("--version", type=positive, help="version (default: the next free one)")
    parser.add_argument(
        "--seed", type=seed, help="seed of weights, dropout and shuffling (default: 0)"
    )
    parser.add_argument("--split-seed", type=seed, help="seed of the 80/20 split (default: 0)")
    parser.add_argument(
        "--seeds",
        type=_several,
        metavar="K",
        help="train K seeds from --seed on and print the spread; only the first is published",
    )
    parser.add_argument(
        "--members",
        type=_members,
        metavar="K",
        help="train K networks, with seeds from --seed on, into one bundle: their passes alternate",
    )
    parser.add_argument(
        "--tensorboard", type=Path, metavar="DIR", help="write curves for TensorBoard there"
    )
    meanings = _architectures()
    parser.add_argument(
        "--architecture", choices=tuple(meanings), help=_either(list(meanings.values()))
    )
    recipe = parser.add_argument_group("changes to the architecture's recipe")
    recipe.add_argument("--epochs", type=positive)
    recipe.add_argument("--batch", type=positive, help="rows a step")
    recipe.add_argument("--patience", type=positive, help="epochs without a better validation loss")
    recipe.add_argument("--optimizer", choices=("adamw", "adam", "sgd"))
    recipe.add_argument("--learning-rate", type=float)
    recipe.add_argument("--weight-decay", type=float, help="of AdamW")
    recipe.add_argument("--passes", type=positive, help="default passes of the bundle")
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
    recipe.add_argument(
        "--beta",
        type=_share,
        help="of a number with a normal head: 0 for the likelihood, up to 1 for the squared error",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name the domain and the rows to train on."""
    names = _either([domain.name for domain in domains()])
    parser.add_argument(
        "--domain", metavar="NAME", help=f"domain of the rows, needed if there are several: {names}"
    )
    datasets = [domain.layout.dataset for domain in domains()]
    titles = _either([dataset.title for dataset in datasets if dataset is not None])
    parser.add_argument(
        "--data",
        type=Path,
        help=f"{FORMATS}, also in a zip or gzip (default: {titles})",
    )
    parser.add_argument(
        "--columns",
        type=Path,
        metavar="FILE",
        help="TOML or JSON that describes the columns of --data and the target, for any table",
    )


def settle(arguments: argparse.Namespace) -> Domain:
    """Fill in flags that are not set, from the file if there is one, then from the defaults.

    Returns:
        The domain to train for.

    Raises:
        UsageError: the file is invalid, a seed is too large, or the domain or architecture does not
            exist; the message names the key.
    """
    written: dict[str, Any] = {}
    if arguments.config is not None:
        from dubito.training.config import Config

        config = Config(arguments.config)
        add_flags(config)
        written = config.read()
    found = {name: _set(name, arguments, written) for name in ("domain", "columns", "data")}
    domain = domain_for(**found)
    own = {"name": domain.bundle_name, "architecture": domain.default_recipe}
    for name, value in (DEFAULTS | own | written).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    if arguments.seed + (arguments.seeds or 1) * (arguments.members or 1) - 1 > MOST_SEED:
        raise UsageError(f"the last of the seeds must be at most {MOST_SEED}")
    names = (STUDY, *domain.recipes)
    if arguments.architecture not in names:
        raise UsageError(f"--architecture of {domain.name} must be {_either(names)}")
    return domain


def _set(name: str, arguments: argparse.Namespace, written: dict[str, Any]) -> Any:
    """Return a flag's value on the command line, or else in the file."""
    given = getattr(arguments, name)
    return written.get(name) if given is None else given


def domain_for(domain: str | None, columns: Path | None, data: Path | None) -> Domain:
    """Return the domain to train for; that of a table if a file describes its columns.

    Raises:
        DataError: the description cannot be read or is invalid.
        UsageError: the flags do not go together, or there is no such domain.
    """
    if columns is None:
        return chosen_domain(domain)
    if domain is not None:
        raise UsageError("--columns describes a table: leave out --domain")
    from dubito.training.described import described_domain

    found = described_domain(columns)
    if data is None and found.layout.dataset is None:
        raise UsageError(f"{columns.name} describes columns of a file: name it by --data")
    return found


def _architectures() -> dict[str, str]:
    """Return the meanings of all domains' recipes, by name."""
    meanings = {STUDY: "the study's network"}
    for domain in domains():
        meanings |= {name: recipe.meaning for name, recipe in domain.recipes.items()}
        meanings[domain.default_recipe] += " (default)"
    described = {TABLE: f"{TABLE_MEANING} (default with --columns)", REGRESSOR: REGRESSOR_MEANING}
    return meanings | described


def _either(words: Sequence[str]) -> str:
    """Join words for the end of a sentence: a, b, or c."""
    *others, last = words or ["none"]
    return f"{', '.join(others)}, or {last}" if others else last


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a whole number") from error


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    value = _whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _several(text: str) -> int:
    value = _whole(text)
    if value < 2:
        raise argparse.ArgumentTypeError("must be at least 2: one seed has no spread")
    return value


def _members(text: str) -> int:
    value = _whole(text)
    if not 2 <= value <= MOST_MEMBERS:
        raise argparse.ArgumentTypeError(f"must be from 2 to {MOST_MEMBERS}")
    return value


def seed(text: str) -> int:
    """Parse a seed that Keras accepts."""
    value = _whole(text)
    if not 0 <= value <= MOST_SEED:
        raise argparse.ArgumentTypeError(f"must be from 0 to {MOST_SEED}")
    return value


def _share(text: str) -> float:
    """Parse a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a number") from error
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be from 0 to 1")
    return value


def _widths(text: str) -> tuple[int, ...]:
    return tuple(positive(part) for part in text.split(","))
