"""The command line, from the parsers that read it."""

# argparse tells what a parser takes by members that begin with an underscore alone.
# ruff: noqa: SLF001

import argparse
from collections.abc import Iterator

from dubito.cli.main import command_modules, parsers
from dubito_reference.markdown import code, escape, table


def render() -> str:
    """Write a section for each installed command."""
    _, found, commands = parsers(command_modules())
    return "\n\n".join(
        section
        for name, parser in found.items()
        for section in _sections(parser, commands[name].__doc__ or "", level=2)
    )


def _sections(parser: argparse.ArgumentParser, text: str, level: int) -> Iterator[str]:
    """Yield a command's heading, what it does, usage and arguments; then its own commands."""
    yield f"{'#' * level} {code(parser.prog)}"
    yield "\n\n".join(escape(part) for part in text.strip().split("\n\n"))
    yield f"```text\n{_usage(parser)}\n```"
    nested = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    rows = [
        [_name(action), _default(action), _meaning(parser, action)]
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction) and action not in nested
    ]
    if rows:
        yield _arguments(rows)
    if parser.epilog:
        yield escape(parser.epilog)
    for subparsers in nested:
        for inner in subparsers.choices.values():
            yield from _sections(inner, inner.description or "", level + 1)


def _arguments(rows: list[list[str]]) -> str:
    """Write the table of arguments; most meanings tell the default themselves."""
    head = ["argument", "default", "meaning"]
    if all(row[1] == "–" for row in rows):
        head, rows = [head[0], head[2]], [[row[0], row[2]] for row in rows]
    return table(head, rows)


def _usage(parser: argparse.ArgumentParser) -> str:
    """Write the usage on lines of a width of its own, whatever the terminal's is."""
    formatter = argparse.HelpFormatter(parser.prog, width=88)
    groups = parser._mutually_exclusive_groups
    formatter.add_usage(parser.usage, parser._actions, groups, prefix="")
    return formatter.format_help().strip()


def _name(action: argparse.Action) -> str:
    if not action.option_strings:
        return code(action.metavar or action.dest)
    value = "" if action.nargs == 0 else f" {_metavar(action)}"
    return code(", ".join(action.option_strings) + value)


def _metavar(action: argparse.Action) -> str:
    if action.metavar is not None:
        return str(action.metavar)
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper()


def _default(action: argparse.Action) -> str:
    value = action.default
    if value is None or value is False or value == argparse.SUPPRESS or value == []:
        return "–"
    return code(value)


def _meaning(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if not action.help:
        return ""
    values = {**vars(action), "prog": parser.prog}
    return escape(action.help % values)
