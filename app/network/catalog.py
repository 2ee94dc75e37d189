"""The bundles there are: `models/<name>/<version>/`, versions being positive integers."""

from pathlib import Path

from app.errors import BundleError

LONGEST = 15
"""Digits of a version, which is exact in JSON."""


def versions(models: Path, name: str) -> list[int]:
    """The versions of a bundle, ascending; empty where there is none.

    Raises:
        BundleError: the folder may not be read.
    """
    folder = models / name
    try:
        entries = folder.iterdir() if folder.is_dir() else ()
        found = [int(entry.name) for entry in entries if is_version(entry.name) and entry.is_dir()]
    except OSError as error:
        raise BundleError(f"{folder} cannot be read: {error.strerror}") from error
    return sorted(found)


def find(models: Path, name: str, version: int | None = None) -> Path:
    """The folder of a version, the highest unless one is named.

    Raises:
        BundleError: there is no such bundle.
    """
    available = versions(models, name)
    if not available:
        raise BundleError(f"{models / name} holds no bundle")
    if version is not None and version not in available:
        raise BundleError(f"{models / name} has no version {version}, it has {available}")
    return models / name / str(version or available[-1])


def is_version(text: str) -> bool:
    """Whether a text is a version as folders are named: a positive integer in plain digits."""
    return len(text) <= LONGEST and text.isascii() and text.isdigit() and not text.startswith("0")
