"""The key of the chains: in a file of its own, outside the database.

Its first line is the key that chains what is written now, in hexadecimal digits. Further lines are
earlier keys, by which older chains are verified.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.errors import RecordsError
from app.records.state_files import make_folder, open_or_make, replace, shown, sync_folder

FILE = "records.key"
BYTES = 32


def path_of(file: Path | None, state: Path) -> Path:
    """Where the key is: the file that was given, or one in the service's own folder."""
    return file or state / FILE


def is_there(file: Path) -> bool:
    """Whether there is a file of a key.

    Raises:
        RecordsError: that cannot be seen.
    """
    with _legible(file):
        return file.exists()


def read_or_make(file: Path) -> bytes:
    """The key in a file, which is made where there is none.

    Raises:
        RecordsError: the file cannot be read or made, or holds no key.
    """
    with _legible(file):
        if not file.exists():
            _make(file.resolve())
        return _parsed(file)[0]


def read(file: Path) -> bytes:
    """The key that chains what is written now.

    Raises:
        RecordsError: the file cannot be read, or holds no key.
    """
    return read_all(file)[0]


def read_all(file: Path) -> tuple[bytes, ...]:
    """The key in a file, and the earlier ones.

    Raises:
        RecordsError: the file cannot be read, or holds no key.
    """
    with _legible(file):
        return _parsed(file)


def renew(file: Path) -> tuple[bytes, ...]:
    """Put a fresh key before those in a file, if there are any; returns them all.

    Raises:
        RecordsError: the file cannot be read or written, or holds something else.
    """
    with _legible(file):
        make_folder(file.resolve().parent)
        keys = secrets.token_bytes(BYTES), *(_parsed(file) if file.exists() else ())
        replace(file.resolve(), _text(keys))
    return keys


def _make(file: Path) -> None:
    """Write a fresh key whole or not at all, unless somebody else does so at the same time.

    Whoever holds the draft writes it and gives it its name. A process that ended meanwhile has let
    go of it, and the next one begins it anew. A link would need no lock, but not all storage has
    links.
    """
    make_folder(file.parent)
    draft = file.with_name(f".{file.name}.draft")
    while not file.exists():
        descriptor = open_or_make(draft)
        with os.fdopen(descriptor, "r+b") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            if not _is_at(draft, descriptor):
                # Its maker has given it its name.
                continue
            if file.exists():
                # It was given between our look for the file and the making of this draft.
                draft.unlink()
                break
            opened.write(_text([secrets.token_bytes(BYTES)]))
            opened.truncate()
            opened.flush()
            os.fsync(descriptor)
            draft.replace(file)
    sync_folder(file.parent)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _text(keys: Sequence[bytes]) -> bytes:
    return "".join(f"{key.hex()}\n" for key in keys).encode("ascii")


def _parsed(file: Path) -> tuple[bytes, ...]:
    lines = file.read_text(encoding="ascii", errors="replace").split()
    try:
        keys = tuple(bytes.fromhex(line) for line in lines)
    except ValueError:
        keys = ()
    if not keys or any(len(key) != BYTES for key in keys):
        raise RecordsError(f"{shown(file)} does not hold {2 * BYTES} hexadecimal digits")
    return keys


@contextmanager
def _legible(file: Path) -> Iterator[None]:
    """Say in one sentence why a file cannot be read or made."""
    try:
        yield
    except OSError as error:
        raise RecordsError(f"{shown(file)}: {error.strerror}") from error
