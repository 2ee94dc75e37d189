"""Runs every static check of a bundle's folder, before Keras is imported.

Nothing in a bundle is trusted before it is checked, and the size limits of its files bound the cost
of every check.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dubito.bundles.files import MOST_BYTES, Files, read_files
from dubito.bundles.manifest import (
    CARD_FILE,
    KOREAN_CARD_FILE,
    MANIFEST_FILE,
    NETWORK_FILE,
    SUMS_FILE,
    Manifest,
    network_files,
)
from dubito.bundles.manifest_parser import parse_manifest
from dubito.bundles.validation.index_bounds import Bounds
from dubito.bundles.validation.objects import quoted
from dubito.bundles.validation.soundness import CheckedNetwork, check_network
from dubito.errors import BundleError
from dubito.printable import printable
from dubito.types import Cards

MOST_GOLDEN_WORK = 10**12
"""Most work of the golden rows, passes × uses of a weight in a pass: about half a minute."""
LINES = "\n\r\t"
"""Control characters that a model card may contain."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """The checked contents of a bundle; exactly these bytes are loaded and shown."""

    manifest: Manifest
    networks: tuple[bytes, ...]
    """Contents of the networks' files, as bytes."""
    checked: tuple[CheckedNetwork, ...]
    """The same networks, as the checks parsed them."""
    cards: Cards
    """Model cards, with control characters escaped."""


def inspect(folder: Path, *, pinned: str | None = None) -> Inspected:
    """Check a bundle's folder.

    Args:
        folder: folder of the bundle.
        pinned: digest that the bundle must have, `sha256:…`; any if None.

    Raises:
        BundleError: a check fails; the message names the file and the first fault.
    """
    files = read_files(folder)
    manifest = parse_manifest(files.manifest)
    _check_identity(manifest, folder, pinned)
    _check_sums(files)
    checked = tuple(_checked(files, manifest))
    _check_golden(manifest, max(one.work for one in checked))
    return Inspected(manifest, tuple(files.networks.values()), checked, _cards(files))


def _checked(files: Files, manifest: Manifest) -> Iterator[CheckedNetwork]:
    """Check every network's file.

    Raises:
        BundleError: a network is not the manifest's, or must not be used.
    """
    expected = dict(zip(network_files(manifest.members), manifest.network_digests, strict=True))
    if missing := [name for name in expected if name not in files.networks]:
        raise BundleError(f"{missing[0]} is missing")
    bounds = [Bounds(one.minimum, one.maximum, one.nullable) for one in manifest.features]
    bounds *= manifest.signature.width // len(bounds)
    held = 0
    for name, network in files.networks.items():
        if _sha256(network) != expected.get(name):
            raise BundleError(f"{name} is not the network {MANIFEST_FILE} was written for")
        try:
            checked = check_network(network, bounds, manifest.target)
        except BundleError as error:
            # The checks know one network, whose file is the first.
            raise BundleError(str(error).replace(NETWORK_FILE, name)) from error
        # Packed, many large ones fit into small files.
        held += len(checked.weights)
        if held > MOST_BYTES[NETWORK_FILE]:
            raise BundleError(
                f"{name}: the weights of all networks are larger than the "
                f"{MOST_BYTES[NETWORK_FILE]} bytes allowed together"
            )
        yield checked


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_identity(manifest: Manifest, folder: Path, pinned: str | None) -> None:
    digest = manifest.identity.digest
    if pinned is not None and digest != pinned:
        raise BundleError(f"{MANIFEST_FILE} has the digest {digest}, not the pinned {pinned}")
    # Either path may carry the name and version: deployments link in both directions.
    places = [place.parts[-2:] for place in (folder.absolute(), folder.resolve())]
    if (manifest.name, str(manifest.version)) not in places:
        raise BundleError(
            f"{MANIFEST_FILE} is for {quoted(manifest.name)} version {manifest.version}, "
            f"but is in {'/'.join(places[-1])}"
        )


def _check_golden(manifest: Manifest, work: int) -> None:
    """Check the work of the golden rows, which are predicted at every start."""
    passes = sum(row.passes for row in manifest.golden)
    if passes * work > MOST_GOLDEN_WORK:
        raise BundleError(
            f"{MANIFEST_FILE} has golden rows of {passes} passes of a network that uses weights "
            f"{work} times a pass, a product of more than the {MOST_GOLDEN_WORK} that a start may "
            "take"
        )


def _check_sums(files: Files) -> None:
    """Check the digests in `SHA256SUMS`, which is optional."""
    contents = {
        MANIFEST_FILE: files.manifest,
        **files.networks,
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
