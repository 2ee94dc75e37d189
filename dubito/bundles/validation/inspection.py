"""What files alone can show about a bundle, before Keras is imported.

Nothing in a bundle is believed before it is checked, and no check costs more than the bundle's
files are allowed to be large.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dubito.bundles.files import Files, read_files
from dubito.bundles.manifest import (
    CARD_FILE,
    KOREAN_CARD_FILE,
    MANIFEST_FILE,
    NETWORK_FILE,
    SUMS_FILE,
    Manifest,
    parse_manifest,
)
from dubito.bundles.validation.objects import quoted
from dubito.bundles.validation.soundness import check_network
from dubito.errors import BundleError
from dubito.printable import printable
from dubito.types import Cards

MOST_GOLDEN_WORK = 10**12
"""Passes of all golden rows times weights of the network: about half a minute."""
LINES = "\n\r\t"
"""What a card may have besides what is shown."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was read, so that what is loaded and shown is what was checked."""

    manifest: Manifest
    network: bytes
    """The bytes of `model.keras`."""
    cards: Cards
    """Their control characters written out."""


def inspect(folder: Path, *, pinned: str | None = None) -> Inspected:
    """Check a bundle's folder; `pinned` is the digest it must have.

    Raises:
        BundleError: the first fault, in a sentence that names the file.
    """
    files = read_files(folder)
    manifest = parse_manifest(files.manifest)
    _check_identity(manifest, folder, pinned)
    _check_sums(files)
    if _sha256(files.network) != manifest.network_sha256:
        raise BundleError(f"{NETWORK_FILE} is not the network {MANIFEST_FILE} was written for")
    weights = check_network(files.network, len(manifest.features), len(manifest.classes))
    _check_golden(manifest, weights)
    return Inspected(manifest, files.network, _cards(files))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_identity(manifest: Manifest, folder: Path, pinned: str | None) -> None:
    digest = manifest.identity.digest
    if pinned is not None and digest != pinned:
        raise BundleError(f"{MANIFEST_FILE} has the digest {digest}, not the pinned {pinned}")
    # A version's folder may be a link to a folder of another name, or the other way round.
    places = [place.parts[-2:] for place in (folder.absolute(), folder.resolve())]
    if (manifest.name, str(manifest.version)) not in places:
        raise BundleError(
            f"{MANIFEST_FILE} is of {quoted(manifest.name)} version {manifest.version}, "
            f"but lies in {'/'.join(places[-1])}"
        )


def _check_golden(manifest: Manifest, weights: int) -> None:
    """The golden rows are run at the start, which must not take long."""
    passes = sum(row.passes for row in manifest.golden)
    if passes * weights > MOST_GOLDEN_WORK:
        raise BundleError(
            f"{MANIFEST_FILE} has golden rows of {passes} passes of a network of {weights} "
            f"weights, a product of more than the {MOST_GOLDEN_WORK} that a start may take"
        )


def _check_sums(files: Files) -> None:
    """Check `SHA256SUMS`, which is optional."""
    contents = {
        MANIFEST_FILE: files.manifest,
        NETWORK_FILE: files.network,
        CARD_FILE: files.card,
        KOREAN_CARD_FILE: files.korean_card,
    }
    for line in (files.sums or b"").decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition(" ")
        name = name[1:]
        if name not in contents:
            raise BundleError(f"{SUMS_FILE} has the line {quoted(line)}, which is not known")
        if (content := contents[name]) is None:
            raise BundleError(f"{name} is missing, though {SUMS_FILE} lists it")
        if _sha256(content) != digest:
            raise BundleError(f"{name} does not have the digest that {SUMS_FILE} gives")


def _cards(files: Files) -> Cards:
    korean = files.korean_card
    return Cards(
        _card(CARD_FILE, files.card),
        None if korean is None else _card(KOREAN_CARD_FILE, korean),
    )


def _card(name: str, content: bytes) -> str:
    try:
        return printable(content.decode("utf-8-sig"), LINES)
    except UnicodeDecodeError as error:
        raise BundleError(f"{name} is not UTF-8") from error
