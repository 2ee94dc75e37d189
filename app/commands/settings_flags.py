"""Flags for settings, and the settings that a command line asks for."""

import argparse
import os
from collections.abc import Sequence

from app.settings import Settings, default_of, read_settings, variable
from dubito.cli.reference import settings_named_by


def add_settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add flags for some settings, with their meaning and variable."""
    for name in names:
        default = default_of(name)
        known = f"default {default}, " if default else ""
        text = f"{Settings.model_fields[name].description} ({known}{variable(name)})"
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, metavar="VALUE", help=text.replace("%", "%%"))


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings from the environment, the flags, and the bundle that is named.

    Raises:
        SettingsError: names the setting that cannot be used.
    """
    given = {name: getattr(arguments, name, None) for name in Settings.model_fields}
    named = settings_named_by(arguments.bundle)
    return read_settings(os.environ, {**given, **named})
