"""The files of a bundle: plain files inside its folder, read once, each within a stated size.

What is read here is what is checked and served: no file is opened again by its name. The folder
itself may be reached through links, as deployments switch `models` or `current` that way; a file in
it may not be one, since it would show whatever the service may read.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dubito.bundles.manifest import (
    CARD_FILE,
    KOREAN_CARD_FILE,
    MANIFEST_FILE,
    NETWORK_FILE,
    SUMS_FILE,
)
from dubito.errors import BundleError

MIB = 2**20
MOST_BYTES = {
    MANIFEST_FILE: 16 * MIB,
    NETWORK_FILE: 256 * MIB,
    CARD_FILE: MIB,
    KOREAN_CARD_FILE: MIB,
    SUMS_FILE: MIB // 16,
}
"""The largest size of each file, in bytes."""

PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Follows no link, and does not wait for the other end of a pipe."""


@dataclass(frozen=True, slots=True)
class Files:
    """The bytes of a bundle's files."""

    manifest: bytes
    network: bytes
    card: bytes
    korean_card: bytes | None
    """None where there is none, as in bundles of before."""
    sums: bytes | None
    """None where there is no `SHA256SUMS`, which is optional."""


def read_files(folder: Path) -> Files:
    """Read all files of a bundle's folder.

    Raises:
        BundleError: the folder or a file is missing, is not what it should be, or is too large.
    """
    try:
        # By one descriptor they are of one folder, though a link to it is switched meanwhile.
        with _opened(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as place:
            manifest = _needed(place, MANIFEST_FILE)
            network, card = _needed(place, NETWORK_FILE), _needed(place, CARD_FILE)
            korean, sums = _content(place, KOREAN_CARD_FILE), _content(place, SUMS_FILE)
            return Files(manifest, network, card, korean, sums)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(f"there is no bundle folder {folder}") from error
    except OSError as error:
        raise BundleError(f"{folder} cannot be read: {error.strerror}") from error


@contextmanager
def _opened(path: str | Path, flags: int, place: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, flags, dir_fd=place)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _needed(place: int, name: str) -> bytes:
    content = _content(place, name)
    if content is None:
        raise BundleError(f"{name} is missing")
    return content


def _content(place: int, name: str) -> bytes | None:
    """The bytes of a file; None where there is none."""
    try:
        with _opened(name, PLAIN, place) as descriptor:
            return _bounded(descriptor, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BundleError(f"{name} is a link, not a regular file") from error
        raise BundleError(f"{name} cannot be read: {error.strerror}") from error


def _bounded(descriptor: int, name: str) -> bytes:
    """All bytes of an open file, which may be growing."""
    found, most = os.fstat(descriptor), MOST_BYTES[name]
    if not stat.S_ISREG(found.st_mode):
        raise BundleError(f"{name} is not a regular file")
    parts: list[bytes] = []
    left = most + 1 if found.st_size <= most else 0
    # At once as a rule: large files are not copied to be put together.
    while left and (part := os.read(descriptor, min(left, found.st_size + 1))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise BundleError(f"{name} is larger than the {most} bytes allowed")
    return parts[0] if len(parts) == 1 else b"".join(parts)
