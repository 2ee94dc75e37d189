"""The bundles there are, `models/<name>/<version>/`: found, and written whole or not at all."""

import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from dubito.bundles.manifest import (
    CARD_FILE,
    KOREAN_CARD_FILE,
    MANIFEST_FILE,
    NETWORK_FILE,
    SUMS_FILE,
    Manifest,
    parse_manifest,
)
from dubito.errors import BundleError
from dubito.types import Cards

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


def check_free(models: Path, name: str, version: int) -> Path:
    """The folder where a new version will be.

    Raises:
        BundleError: this version is already there; a published version never changes.
    """
    folder = models / name / str(version)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{folder.parent} cannot be made: {error.strerror}") from error
    if folder.exists():
        raise BundleError(f"{folder} is already there, and a published version never changes")
    return folder


def write(models: Path, manifest: Manifest, network: bytes, cards: Cards) -> tuple[Path, Manifest]:
    """Write `models/<name>/<version>/` whole or not at all; returns the folder and its manifest.

    Args:
        models: the folder of all bundles.
        manifest: complete but for `network_sha256`, which is filled in here.
        network: the bytes of `model.keras`, the network with its Monte-Carlo layers.
        cards: the text of the model card, with `{digest}` where the digest stands.

    Raises:
        BundleError: this version is already there, as a published version never changes; or the
            manifest is one that would not be served.
    """
    manifest = replace(manifest, network_sha256=hashlib.sha256(network).hexdigest())
    parse_manifest(manifest.to_bytes())
    files = {
        NETWORK_FILE: network,
        MANIFEST_FILE: manifest.to_bytes(),
        CARD_FILE: _signed(cards.english, manifest),
    }
    if cards.korean is not None:
        files[KOREAN_CARD_FILE] = _signed(cards.korean, manifest)
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    folder = check_free(models, manifest.name, manifest.version)
    _publish(folder, {**files, SUMS_FILE: "".join(sums).encode()})
    return folder, manifest


def _signed(card: str, manifest: Manifest) -> bytes:
    return card.replace("{digest}", manifest.identity.digest).encode()


def _publish(folder: Path, files: dict[str, bytes]) -> None:
    """Write to a hidden folder beside the final place, then rename."""
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        for name, data in files.items():
            (draft / name).write_bytes(data)
        draft.chmod(0o755)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
