"""Flags for settings, and settings read from a command line."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from app.settings import Settings, default_of, read_settings, setting_variable
from dubito.cli.reference import settings_named_by


def add_settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add flags for some settings, with description, default and variable."""
    for name in names:
        default = default_of(name)
        known = f"default {default}, " if default else ""
        text = f"{Settings.model_fields[name].description} ({known}{setting_variable(name)})"
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, metavar="VALUE", help=text.replace("%", "%%"))


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Read the settings from the environment, the flags, and the bundle named on the command line.

    Raises:
        SettingsError: a setting has a value that cannot be used; the sentence names it.
    """
    given = {name: getattr(arguments, name, None) for name in Settings.model_fields}
    named = _named_by(arguments.bundle)
    return read_settings(os.environ, {**given, **named})


def _named_by(bundle: str | None) -> dict[str, str]:
    """Return the settings that a reference implies, or those that a list of references does."""
    if bundle is not None and not {",", "#"}.isdisjoint(bundle) and not Path(bundle).exists():
        return {"model": bundle}
    return settings_named_by(bundle)
