"""Reads the flags of `dubito train` from a TOML file: each key is a flag without its dashes.

```toml
architecture = "study"
widths = [32, 16]
learning-rate = 3e-3
batch-norm = true
```
"""

import argparse
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from dubito.errors import UsageError
from dubito.text import utf8


class Config(argparse.ArgumentParser):
    """Parses a TOML file with the flags, types and choices of the command line."""

    def __init__(self, path: Path) -> None:
        super().__init__(add_help=False, allow_abbrev=False)
        self.path = path

    def read(self) -> dict[str, Any]:
        """Return the values that the file sets, by argument name.

        Raises:
            UsageError: the file is not TOML, or a key or value is invalid; the message names it.
        """
        words = [word for key, value in self._content().items() for word in self._words(key, value)]
        found = vars(self.parse_args(words))
        return {name: value for name, value in found.items() if value is not None}

    def error(self, message: str) -> NoReturn:
        """Raise argparse's error message as a UsageError that names this file."""
        raise UsageError(f"{self.path.name}: {message.removeprefix('argument --')}")

    def _content(self) -> dict[str, Any]:
        try:
            return tomllib.loads(utf8(self.path.read_bytes()).decode())
        except OSError as error:
            raise UsageError(f"{self.path.name} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UsageError(f"{self.path.name} is not TOML: {error}") from error

    def _words(self, key: str, value: object) -> Iterator[str]:
        flag = key.replace("_", "-")
        if f"--{flag}" not in self._option_string_actions:
            self.error(f"there is no flag --{flag}")
        match value:
            case bool():
                yield f"--{flag}" if value else f"--no-{flag}"
            case list():
                yield f"--{flag}={','.join(map(str, value))}"
            case str() | int() | float():
                yield f"--{flag}={value}"
            case _:
                self.error(f"{flag} is neither a number nor text")
