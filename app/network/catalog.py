"""The bundles there are: `models/<name>/<version>/`, versions being positive integers."""

from pathlib import Path

from app.errors import BundleError
from app.network.manifest import CARD_FILE
from app.values import Identity


def versions(models: Path, name: str) -> list[int]:
    """The versions of a bundle, ascending; empty where there is none."""
    folder = models / name
    entries = folder.iterdir() if folder.is_dir() else ()
    return sorted(int(entry.name) for entry in entries if _is_version(entry))


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


def card_of(models: Path, identity: Identity) -> str:
    """The card of a bundle that is there, Markdown."""
    file = models / identity.name / str(identity.version) / CARD_FILE
    return file.read_text(encoding="utf-8")


def _is_version(entry: Path) -> bool:
    name = entry.name
    return entry.is_dir() and name.isascii() and name.isdigit() and not name.startswith("0")
