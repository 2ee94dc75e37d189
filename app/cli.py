"""The command line: `dubito serve | train | predict | inspect`.

Exit codes: 0 done, 1 it failed, 2 wrong use. What fails says so in one sentence on stderr.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from app import __version__
from app.commands import inspect, predict, serve, train
from app.errors import DubitoError, SettingsError

COMMANDS = {"serve": serve, "train": train, "predict": predict, "inspect": inspect}


TENSORFLOW = {
    # Its own chatter would bury the one sentence that matters.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # oneDNN picks its arithmetic by processor and shape, and says so at every start.
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
"""Variables that TensorFlow reads when it is imported, which no command has done yet."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    """The parser of all commands."""
    whole = Parser(prog="dubito", description="Predictions that say how far they can be trusted.")
    whole.add_argument("--version", action="version", version=f"dubito {__version__}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="command")
    for name, command in COMMANDS.items():
        summary = (command.__doc__ or "").partition("\n")[0]
        described = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.add_arguments(described)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    for name, value in TENSORFLOW.items():
        os.environ.setdefault(name, value)
    whole = parser()
    known, rest = whole.parse_known_args(arguments)
    command = COMMANDS[known.command]
    try:
        return command.run(known, rest)
    except SettingsError as error:
        print(f"dubito: {error}", file=sys.stderr)
        return 2
    except DubitoError as error:
        print(f"dubito: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dubito: interrupted, nothing was written", file=sys.stderr)
        return 1
