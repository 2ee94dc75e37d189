"""The command line: `dubito serve | train | tune | convert | evaluate | predict | …`.

Exit codes: 0 done, 1 it failed, 2 wrong use. What fails says so in one sentence on stderr.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import islice
from typing import Any, NoReturn

from app import __version__
from app.commands.terminal import adapt_streams
from app.errors import DubitoError, SettingsError
from app.hosting.signals import end_at_once
from app.printable import printable

COMMANDS = (
    "serve",
    "train",
    "tune",
    "convert",
    "evaluate",
    "predict",
    "inspect",
    "records",
    "replay",
)
"""Each a module of `app.commands`, imported where it is asked for."""

TENSORFLOW = {
    # Its own chatter would bury the one sentence that matters.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # oneDNN picks its arithmetic by processor and shape, and says so at every start.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # A user's keras.json would choose another backend or dtype, and is written where there is none.
    "KERAS_HOME": os.devnull,
}
"""Variables that TensorFlow and Keras read when imported, which no command has done yet."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def separate(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """The words that are this parser's own, and flags it does not know with their values."""
        known = {flag for action in self._actions for flag in action.option_strings}
        own, foreign = [], []
        remaining = iter(words)
        for word in remaining:
            if not word.startswith("--") or word.partition("=")[0] in known:
                own.append(word)
            else:
                foreign += [word] if "=" in word else [word, *islice(remaining, 1)]
        return own, foreign


def parsers(names: Sequence[str]) -> tuple[Parser, dict[str, Parser]]:
    """The parser of `dubito`, and those of some of its commands by name."""
    whole = Parser(prog="dubito", description="Predictions that say how far they can be trusted.")
    whole.add_argument("--version", action="version", version=f"dubito {__version__}")
    added = whole.add_subparsers(dest="command", required=True, metavar="command")
    commands = {}
    for name in names:
        command = _command(name)
        summary = (command.__doc__ or "").partition("\n")[0]
        commands[name] = added.add_parser(
            name, help=summary, description=summary, allow_abbrev=False
        )
        command.add_arguments(commands[name])
    return whole, commands


def _command(name: str) -> Any:
    return import_module(f"app.commands.{name}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    adapt_streams()
    for name, value in TENSORFLOW.items():
        os.environ.setdefault(name, value)
    given = list(sys.argv[1:] if arguments is None else arguments)
    is_known = bool(given) and given[0] in COMMANDS
    if given[:1] == ["serve"]:
        # Before anything else is imported, which takes a moment.
        end_at_once()
    whole, commands = parsers(given[:1] if is_known else COMMANDS)
    rest: list[str] = []
    if is_known:
        own, rest = commands[given[0]].separate(given[1:])
        given = [given[0], *own]
    known = whole.parse_args(given)
    command = _command(known.command)
    try:
        code: int = command.run(known, rest)
        if sys.stdout is not None:
            sys.stdout.flush()
    except SettingsError as error:
        print(f"dubito: {printable(str(error))}", file=sys.stderr)
        return 2
    except DubitoError as error:
        print(f"dubito: {printable(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        _drop_output()
        return 1
    except OSError as error:
        _drop_output()
        print(f"dubito: {_sentence(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dubito: interrupted", file=sys.stderr)
        return 1
    return code


def _drop_output() -> None:
    """See to it that what could not be written is not tried again at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: OSError) -> str:
    """What the system says of a file, or of the output where it names none."""
    cause = error.strerror or str(error)
    return f"{error.filename}: {cause}" if error.filename else cause
