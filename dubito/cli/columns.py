"""Write a first description of a table's columns."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from dubito.errors import UsageError
from dubito.notation import FileNotation, Separator, TextEncoding
from dubito.training.tables.kinds import FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the table and the description."""
    parser.add_argument("data", type=Path, help=f"{FORMATS}, also in a zip or gzip")
    parser.add_argument("--target", required=True, metavar="NAME", help="column to predict")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="TOML file to write (default: to stdout)"
    )
    parser.add_argument(
        "--encoding", choices=get_args(TextEncoding), help="of a CSV (default: detected)"
    )
    parser.add_argument(
        "--separator", choices=get_args(Separator), help="of a CSV (default: detected)"
    )


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Guess what the columns are and write that down."""
    if rest:
        raise UsageError(f"columns does not know {rest[0]}")
    out = arguments.out
    if out is not None and out.exists():
        raise UsageError(f"{out} is there already, perhaps with your changes: name another --out")
    from dubito.training.first_description import first_description

    declared = FileNotation(arguments.encoding, arguments.separator)
    text = first_description(arguments.data, arguments.target, declared)
    if out is None:
        sys.stdout.write(text)
        return 0
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from error
    print(f"wrote {out}: check it, then dubito train --columns {out} --data {arguments.data}")
    return 0
