"""The folder of bundles, `models/<name>/<version>/`: lists, finds and writes versions."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dubito.bundles.manifest import (
    CARD_FILE,
    KOREAN_CARD_FILE,
    MANIFEST_FILE,
    SUMS_FILE,
    Manifest,
    network_files,
)
from dubito.bundles.manifest_parser import parse_manifest
from dubito.errors import BundleError
from dubito.types import Cards

LONGEST = 15
"""Most digits of a version, so that it is exact in JSON."""


def versions(models: Path, name: str) -> list[int]:
    """List the versions of a bundle in ascending order; an unknown bundle has none.

    Raises:
        BundleError: the folder cannot be read.
    """
    folder = models / name
    try:
        entries = folder.iterdir() if folder.is_dir() else ()
        found = [int(entry.name) for entry in entries if is_version(entry.name) and entry.is_dir()]
    except OSError as error:
        raise BundleError(f"{folder} cannot be read: {error.strerror}") from error
    return sorted(found)


def find_version(models: Path, name: str, version: int | None = None) -> Path:
    """Return the folder of a version, by default of the highest.

    Raises:
        BundleError: there is no such bundle or version.
    """
    available = versions(models, name)
    if not available:
        raise BundleError(f"{models / name} holds no bundle")
    if version is not None and version not in available:
        raise BundleError(f"{models / name} has no version {version}, it has {available}")
    return models / name / str(version or available[-1])


def is_version(text: str) -> bool:
    """Return whether a text is a version as folders are named: a positive integer in digits."""
    return len(text) <= LONGEST and text.isascii() and text.isdigit() and not text.startswith("0")


def check_free(models: Path, name: str, version: int) -> Path:
    """Return the folder for a new version, after creating its parent.

    Raises:
        BundleError: this version exists, and a published version never changes; or the parent
            cannot be created.
    """
    folder = models / name / str(version)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{folder.parent} cannot be created: {error.strerror}") from error
    if folder.exists():
        raise BundleError(f"{folder} is already there, and a published version never changes")
    return folder


def write_bundle(
    models: Path, manifest: Manifest, networks: Sequence[bytes], cards: Cards
) -> tuple[Path, Manifest]:
    """Write `models/<name>/<version>/` atomically.

    Args:
        models: folder of all bundles.
        manifest: complete except for `network_digests`, which are computed here.
        networks: bytes of `model.keras`, the network with its Monte-Carlo layers, and of the other
            members of an ensemble.
        cards: texts of the model card; `{digest}` in them is replaced by the digest.

    Returns:
        The bundle's folder and its complete manifest.

    Raises:
        BundleError: this version exists, and a published version never changes; or the manifest
            is invalid, so that the bundle could not be loaded.
    """
    digests = (hashlib.sha256(network).hexdigest() for network in networks)
    manifest = replace(manifest, network_digests=tuple(digests))
    parse_manifest(manifest.to_bytes())
    files = {
        **dict(zip(network_files(len(networks)), networks, strict=True)),
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
    """Write files to a hidden sibling folder, then rename it, so that readers see all or none."""
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        for name, data in files.items():
            (draft / name).write_bytes(data)
        draft.chmod(0o755)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
