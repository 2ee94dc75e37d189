"""Entry point of `dubito`: finds the command's module, parses its arguments, reports errors.

Installed packages add commands in the entry-point group `dubito.commands`; the service adds
`serve`, `records` and `replay`. Exit codes: 0 success, 1 failure, 2 wrong use. An error is one
sentence on stderr.
"""

import argparse
import gc
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
    for name in (
        "columns",
        "train",
        "tune",
        "convert",
        "evaluate",
        "predict",
        "score",
        "inspect",
        "conformance",
    )
}
"""Modules of the library's commands, by name; only the module of the command that runs is
imported."""
GROUP = "dubito.commands"
"""Entry-point group of further commands; each entry names a module like those of `OWN`."""
OF_SERVICE = ("serve", "records", "replay")
"""Names of the commands that the distribution `dubito-service` adds."""
TENSORFLOW = {
    # TensorFlow's log lines would bury the command's one sentence of error.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # A user's keras.json could choose another backend or dtype, and Keras writes one if missing.
    "KERAS_HOME": os.devnull,
}
"""Environment variables that TensorFlow and Keras read on import, so they are set before that."""
GARBAGE_THRESHOLD = 10_000
"""New objects after which a command's process searches for garbage. What Keras' import makes stays,
and with Python's 700 a fifth of the import's time is spent on searching it."""


class Command(Protocol):
    """Interface of a command's module, whose docstring's first line is the summary in `--help`."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command to its parser."""

    def run(self, arguments: argparse.Namespace, rest: Sequence[str]) -> int:
        """Run with parsed arguments and the words unknown to the parser; return the exit code."""


class Parser(argparse.ArgumentParser):
    """Argument parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def separate(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """Split words into those for this parser, and unknown flags with their values."""
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
    """Return the modules of all installed commands, by name, the library's own first."""
    # Imported here: a service must handle signals before anything that takes a moment.
    from importlib.metadata import entry_points

    added = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    return OWN | {name: added[name] for name in sorted(added) if name not in OWN}


def parsers(modules: Mapping[str, str]) -> tuple[Parser, dict[str, Parser], dict[str, Command]]:
    """Build the parser of `dubito` for some commands; also returns their parsers and modules."""
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


def script() -> NoReturn:
    """Run a command in a process of its own, and end the process with its exit code."""
    if sys.argv[1:2] != ["serve"]:
        # A service searches as often as Python does by itself: each search holds up its answers.
        gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        _drop_output()
        print("dubito: interrupted", file=sys.stderr, flush=True)
        # Without Python's own end, in which threads that TensorFlow had begun to start may abort.
        os._exit(1)
    finally:
        # Python would search all modules once more before it ends, 0.7 s with Keras.
        gc.freeze()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Raises:
        KeyboardInterrupt: the command was interrupted, and has put away what it had begun.
    """
    adapt_streams()
    for name, value in TENSORFLOW.items():
        os.environ.setdefault(name, value)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["serve"]:
        # Before the slow imports, so that a signal during them ends the service too.
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
        # The reader, such as `head`, closed the pipe, which is no error to report.
        _drop_output()
        return 1
    except OSError as error:
        _drop_output()
        print(f"dubito: {_sentence(error)}", file=sys.stderr)
        return 1
    return code


def _drop_output() -> None:
    """Write what is left of the output; what cannot be written goes to the null device."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: OSError) -> str:
    """Format an error of the operating system, with the name of its file if there is one."""
    cause = error.strerror or str(error)
    return f"{error.filename}: {cause}" if error.filename else cause
