"""Reads the files of a bundle: regular files, each read once and within a size limit.

The bytes read here are those that are checked and served: no file is opened a second time. The
folder may be reached through symbolic links, because deployments switch `models` or `current` that
way. A file in it must not be a link, which would expose any file that the service can read.
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
    MOST_MEMBERS,
    NETWORK_FILE,
    SUMS_FILE,
    network_files,
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
"""Largest size of each file, in bytes; of all networks of an ensemble together."""

PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Flags for opening a file that follow no link and do not block on a named pipe."""


@dataclass(frozen=True, slots=True)
class Files:
    """The contents of a bundle's files, as bytes."""

    manifest: bytes
    networks: dict[str, bytes]
    """Contents of the networks' files, by name, in their order."""
    card: bytes
    korean_card: bytes | None
    """Content of `MODEL_CARD.ko.md`; None if absent, as in older bundles."""
    sums: bytes | None
    """Content of `SHA256SUMS`, which is optional; None if absent."""


def read_files(folder: Path) -> Files:
    """Read all files of a bundle's folder.

    Raises:
        BundleError: the folder or a file is missing, not a folder or regular file, unreadable, or
            too large.
    """
    try:
        # Opened relative to one descriptor: by path, the files could come from two folders when a
        # link to the folder is switched in between.
        with _opened(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as place:
            manifest = _needed(place, MANIFEST_FILE)
            networks, card = _networks(place), _needed(place, CARD_FILE)
            korean, sums = (
                _content(place, name, MOST_BYTES[name]) for name in (KOREAN_CARD_FILE, SUMS_FILE)
            )
            return Files(manifest, networks, card, korean, sums)
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


def _networks(place: int) -> dict[str, bytes]:
    """Read the network's file and those of an ensemble's other members, up to the first gap.

    Raises:
        BundleError: the first is missing, or all are too large together.
    """
    left, found = MOST_BYTES[NETWORK_FILE], dict[str, bytes]()
    for name in network_files(MOST_MEMBERS):
        content = _content(place, name, left)
        if content is None:
            break
        found[name] = content
        left -= len(content)
    if not found:
        raise BundleError(f"{NETWORK_FILE} is missing")
    return found


def _needed(place: int, name: str) -> bytes:
    content = _content(place, name, MOST_BYTES[name])
    if content is None:
        raise BundleError(f"{name} is missing")
    return content


def _content(place: int, name: str, most: int) -> bytes | None:
    """Return the bytes of a file, at most `most`, or None if it does not exist."""
    try:
        with _opened(name, PLAIN, place) as descriptor:
            return _bounded(descriptor, name, most)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BundleError(f"{name} is a link, not a regular file") from error
        raise BundleError(f"{name} cannot be read: {error.strerror}") from error


def _bounded(descriptor: int, name: str, most: int) -> bytes:
    """Read an open file within its size limit, even if the file grows meanwhile."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise BundleError(f"{name} is not a regular file")
    parts: list[bytes] = []
    left = most + 1 if found.st_size <= most else 0
    # Usually one read of the whole file: joining parts would copy a large one.
    while left and (part := os.read(descriptor, min(left, found.st_size + 1))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise BundleError(f"{name} is larger than the {most} bytes allowed")
    return parts[0] if len(parts) == 1 else b"".join(parts)
