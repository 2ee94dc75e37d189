"""Flags for settings, and the settings that a command line asks for."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import fields

from app.settings import Settings, read_settings, variable
from dubito.cli.reference import settings_named_by


def add_settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add flags for some settings, with their meaning and variable."""
    for known in fields(Settings):
        if known.name in names:
            default = "" if known.default is None else f"default {known.default}, "
            text = f"{known.metadata['text']} ({default}{variable(known.name)})"
            flag = f"--{known.name.replace('_', '-')}"
            parser.add_argument(flag, metavar="VALUE", help=text.replace("%", "%%"))


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings from the environment, the flags, and the bundle that is named.

    Raises:
        SettingsError: names the setting that cannot be used.
    """
    given = {known.name: getattr(arguments, known.name, None) for known in fields(Settings)}
    named = settings_named_by(arguments.bundle)
    return read_settings(os.environ, {**given, **named})
