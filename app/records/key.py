"""The HMAC key of the chains: a file of its own, outside the database.

The first line is the key of chains that are written now, in hexadecimal digits. Further lines are
earlier keys, which verify older chains.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.errors import RecordsError
from app.records.state_files import make_folder, one_line, open_or_make, replace, sync_folder

FILE = "records.key"
BYTES = 32


def path_of(file: Path | None, state: Path) -> Path:
    """Return the path of the key's file: the given path, or a file in the state folder."""
    return file or state / FILE


def is_there(file: Path) -> bool:
    """Whether a key file exists.

    Raises:
        RecordsError: the path cannot be examined.
    """
    with _legible(file):
        return file.exists()


def read_or_make(file: Path) -> bytes:
    """Read the key in a file; create the file with a random key if it does not exist.

    Raises:
        RecordsError: the file cannot be read or created, or contains no valid key.
    """
    with _legible(file):
        if not file.exists():
            _make(file.resolve())
        return _parsed(file)[0]


def read_key(file: Path) -> bytes:
    """Read the key of chains that are written now.

    Raises:
        RecordsError: the file cannot be read, or contains no valid key.
    """
    return read_all(file)[0]


def read_all(file: Path) -> tuple[bytes, ...]:
    """Read the current key, followed by earlier keys.

    Raises:
        RecordsError: the file cannot be read, or contains no valid key.
    """
    with _legible(file):
        return _parsed(file)


def renew(file: Path) -> tuple[bytes, ...]:
    """Put a random key before the keys in a file, if it exists; return all keys, the new one first.

    Raises:
        RecordsError: the file cannot be read or written, or contains something else.
    """
    with _legible(file):
        make_folder(file.resolve().parent)
        keys = secrets.token_bytes(BYTES), *(_parsed(file) if file.exists() else ())
        replace(file.resolve(), _text(keys))
    return keys


def _make(file: Path) -> None:
    """Create a file with a random key atomically, even if another process does so at the same time.

    The process that locks the draft file writes it and renames it. If that process dies, its lock
    is released and the next process starts the draft again. A hard link would need no lock, but not
    every file system supports links.
    """
    make_folder(file.parent)
    draft = file.with_name(f".{file.name}.draft")
    while not file.exists():
        descriptor = open_or_make(draft)
        with os.fdopen(descriptor, "r+b") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            if not _is_at(draft, descriptor):
                # Another process has renamed this draft to its final name.
                continue
            if file.exists():
                # Another process renamed its draft after our check and before we created this one.
                draft.unlink()
                break
            opened.write(_text([secrets.token_bytes(BYTES)]))
            opened.truncate()
            opened.flush()
            os.fsync(descriptor)
            draft.replace(file)
    sync_folder(file.parent)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is still the file at a path."""
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
        raise RecordsError(f"{one_line(file)} does not hold {2 * BYTES} hexadecimal digits")
    return keys


@contextmanager
def _legible(file: Path) -> Iterator[None]:
    """Turn an OSError into a `RecordsError` of one sentence."""
    try:
        yield
    except OSError as error:
        raise RecordsError(f"{one_line(file)}: {error.strerror}") from error
