"""The command line: `dubito train | tune | convert | evaluate | predict | inspect`, and more.

Installed packages add commands in the entry-point group `dubito.commands`; the service adds
`serve`, `records` and `replay`. Exit codes: 0 done, 1 it failed, 2 wrong use. What fails says so
in one sentence on stderr.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import islice
from typing import NoReturn, Protocol

from dubito import __version__
from dubito.cli.signals import end_at_once
from dubito.cli.terminal import adapt_streams
from dubito.errors import DubitoError, UsageError
from dubito.printable import printable

OWN = {
    name: f"dubito.cli.{name}"
    for name in ("train", "tune", "convert", "evaluate", "predict", "inspect")
}
"""Commands of the library by name, each a module that is imported where it is asked for."""
GROUP = "dubito.commands"
"""Entry points of further commands: each names a module like those of `OWN`."""
OF_SERVICE = ("serve", "records", "replay")
"""Commands that the distribution `dubito-service` adds."""
TENSORFLOW = {
    # Its own chatter would bury the one sentence that matters.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # A user's keras.json would choose another backend or dtype, and is written where there is none.
    "KERAS_HOME": os.devnull,
}
"""Variables that TensorFlow and Keras read when imported, which no command has done yet."""


class Command(Protocol):
    """A module that is a command; its docstring's first line is its summary."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command to its parser."""

    def run(self, arguments: argparse.Namespace, rest: Sequence[str]) -> int:
        """Run with parsed arguments and the words that the parser did not know; the exit code."""


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


def command_modules() -> dict[str, str]:
    """All commands that are installed: name to module, the library's own first."""
    # Imported here: a service must handle signals before anything that takes a moment.
    from importlib.metadata import entry_points

    added = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    return OWN | {name: added[name] for name in sorted(added) if name not in OWN}


def parsers(modules: Mapping[str, str]) -> tuple[Parser, dict[str, Parser], dict[str, Command]]:
    """The parser of `dubito`, those of some of its commands, and the commands, by name."""
    whole = Parser(prog="dubito", description="Predictions that say how far they can be trusted.")
    whole.add_argument("--version", action="version", version=f"dubito {__version__}")
    added = whole.add_subparsers(dest="command", required=True, metavar="command")
    found, commands = {}, {}
    for name, module in modules.items():
        command: Command = import_module(module)
        summary = (command.__doc__ or "").partition("\n")[0]
        commands[name] = command
        found[name] = added.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.add_arguments(found[name])
    return whole, found, commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    adapt_streams()
    for name, value in TENSORFLOW.items():
        os.environ.setdefault(name, value)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["serve"]:
        # Before anything else is imported, which takes a moment.
        end_at_once()
    modules = command_modules()
    if given and given[0] in OF_SERVICE and given[0] not in modules:
        print(f"dubito: {given[0]} needs the service: install dubito-service", file=sys.stderr)
        return 2
    is_known = bool(given) and given[0] in modules
    chosen = {given[0]: modules[given[0]]} if is_known else modules
    whole, found, commands = parsers(chosen)
    rest: list[str] = []
    if is_known:
        own, rest = found[given[0]].separate(given[1:])
        given = [given[0], *own]
    known = whole.parse_args(given)
    return _run(commands[known.command], known, rest)


def _run(command: Command, known: argparse.Namespace, rest: Sequence[str]) -> int:
    try:
        code = command.run(known, rest)
        if sys.stdout is not None:
            sys.stdout.flush()
    except UsageError as error:
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
