"""The flag that names the description of how a table is written."""

import argparse
from pathlib import Path

from dubito.notation import UNDECLARED, TableNotation


def add_columns(parser: argparse.ArgumentParser, table: str) -> None:
    """Add the flag; `table` is the flag of the table."""
    parser.add_argument(
        "--columns",
        type=Path,
        metavar="FILE",
        help=f"description whose encoding, separator and notations {table} is read with",
    )


def written_of(arguments: argparse.Namespace) -> TableNotation:
    """Return how the description says that the table is written.

    Raises:
        DataError: the file cannot be read or is invalid.
    """
    if arguments.columns is None:
        return UNDECLARED
    from dubito.training.description import read_description

    return read_description(arguments.columns).notation
