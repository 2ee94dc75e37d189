"""What files alone can show about a bundle, before Keras is imported.

Nothing in a bundle is believed before it is checked, and no check costs more than the bundle's
files are allowed to be large.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from app.errors import BundleError
from app.network.inspection.members import MIB
from app.network.inspection.objects import quoted
from app.network.inspection.soundness import check_network
from app.network.manifest import (
    CARD_FILE,
    MANIFEST_FILE,
    NETWORK_FILE,
    SUMS_FILE,
    Manifest,
    parse_manifest,
)

LIMITS = {
    MANIFEST_FILE: 16 * MIB,
    NETWORK_FILE: 256 * MIB,
    CARD_FILE: MIB,
    SUMS_FILE: MIB // 16,
}
"""The largest size of each file, in bytes."""

MOST_GOLDEN_PASSES = 1_000_000


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was read, so that what is loaded is what was checked."""

    manifest: Manifest
    network: bytes
    """The bytes of `model.keras`."""


def inspect(folder: Path, *, pinned: str | None = None) -> Inspected:
    """Check a bundle's folder; `pinned` is the digest it must have.

    Raises:
        BundleError: the first fault, in a sentence that names the file.
    """
    if not folder.is_dir():
        raise BundleError(f"there is no bundle folder {folder}")
    manifest = parse_manifest(_read(folder, MANIFEST_FILE))
    _check_identity(manifest, folder, pinned)
    _check_golden(manifest)
    _check_sums(folder)
    network = _read(folder, NETWORK_FILE)
    if _sha256(network) != manifest.network_sha256:
        raise BundleError(f"{NETWORK_FILE} is not the network {MANIFEST_FILE} was written for")
    check_network(network, len(manifest.features), len(manifest.classes))
    return Inspected(manifest, network)


def _read(folder: Path, name: str) -> bytes:
    """A file's bytes, if it is a regular file that is not too large."""
    try:
        with open(folder / name, "rb", opener=_at_once) as file:
            found, limit = os.fstat(file.fileno()), LIMITS[name]
            if not stat.S_ISREG(found.st_mode):
                raise BundleError(f"{name} is not a regular file")
            content = file.read(limit + 1) if found.st_size <= limit else None
    except FileNotFoundError as error:
        raise BundleError(f"{name} is missing") from error
    except OSError as error:
        raise BundleError(f"{name} cannot be read: {error.strerror}") from error
    if content is None or len(content) > limit:
        raise BundleError(f"{name} is larger than the {limit} bytes allowed")
    return content


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_identity(manifest: Manifest, folder: Path, pinned: str | None) -> None:
    digest = manifest.identity.digest
    if pinned is not None and digest != pinned:
        raise BundleError(f"{MANIFEST_FILE} has the digest {digest}, not the pinned {pinned}")
    place = folder.resolve()
    if (manifest.name, str(manifest.version)) != (place.parent.name, place.name):
        raise BundleError(
            f"{MANIFEST_FILE} is of {quoted(manifest.name)} version {manifest.version}, "
            f"but lies in {place.parent.name}/{place.name}"
        )


def _check_golden(manifest: Manifest) -> None:
    """The golden rows are run at the start, which must not take long."""
    passes = sum(row.passes for row in manifest.golden)
    if passes > MOST_GOLDEN_PASSES:
        raise BundleError(
            f"{MANIFEST_FILE} has golden rows of {passes} passes, "
            f"more than the {MOST_GOLDEN_PASSES} allowed"
        )


def _check_sums(folder: Path) -> None:
    """Check `SHA256SUMS`, which is optional."""
    if not (folder / SUMS_FILE).exists():
        return
    for line in _read(folder, SUMS_FILE).decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition(" ")
        name = name[1:]
        if name not in (MANIFEST_FILE, NETWORK_FILE, CARD_FILE):
            raise BundleError(f"{SUMS_FILE} has the line {quoted(line)}, which is not known")
        if _sha256(_read(folder, name)) != digest:
            raise BundleError(f"{name} does not have the digest that {SUMS_FILE} gives")
