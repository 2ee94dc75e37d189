"""Flags that mirror the query parameters of `POST /predict/mc`."""

import argparse

from pydantic import ValidationError

from dubito.bundles.manifest import Manifest
from dubito.errors import UsageError
from dubito.inputs.faults import message_of
from dubito.inputs.options import MonteCarloOptions, monte_carlo_options
from dubito.uncertainty.intervals import SCORES
from dubito.uncertainty.scores import METHODS

SEED = "seed"
FLAGS = {
    "passes": "stochastic passes, or auto: as many as the tolerance needs (default: the bundle's)",
    "tolerance": "with --passes auto: the half-width to reach (default 0.01; of a number 5%% of "
    "the deviation of its values)",
    SEED: "reproduces a prediction (default: drawn at random)",
    "coverage": "share of many rows whose prediction sets contain the right grade, or whose "
    "intervals contain the right number",
    "method": f"how prediction sets are scored: {', '.join(METHODS)}; intervals: "
    f"{', '.join(SCORES)}",
    "class-conditional": "true: the coverage holds among the many rows of each grade",
    "target": "largest share of wrong answers promised among many automated rows",
}
"""Help texts of the flags, by name."""


def add_answer_flags(parser: argparse.ArgumentParser, *, takes_seed: bool = True) -> None:
    """Add the flags."""
    for name, text in FLAGS.items():
        if takes_seed or name != SEED:
            parser.add_argument(f"--{name}", metavar="VALUE", help=text)


def answer_options(
    arguments: argparse.Namespace, manifest: Manifest, most_passes: int
) -> MonteCarloOptions:
    """Validate the flags as the service validates its query parameters.

    Raises:
        UsageError: a value is invalid; names the flag.
    """
    names = (name.replace("-", "_") for name in FLAGS)
    given = {name: text for name in names if (text := getattr(arguments, name, None)) is not None}
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
        flag = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{flag} {message_of(first)}") from None
