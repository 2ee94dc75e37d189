"""The key of the chain: in a file of its own, outside the database."""

import os
import secrets
from pathlib import Path

from app.errors import RecordsError

FILE = "records.key"
BYTES = 32


def path_of(file: Path | None, state: Path) -> Path:
    """Where the key is: the file that was given, or one in the service's own folder."""
    return file or state / FILE


def read_or_make(file: Path) -> bytes:
    """The key in a file, which is made where there is none.

    Raises:
        RecordsError: the file cannot be read or made, or holds no key.
    """
    try:
        if not file.exists():
            _make(file)
        return _parsed(file)
    except OSError as error:
        raise RecordsError(f"{file}: {error.strerror}") from error


def read(file: Path) -> bytes:
    """The key in a file.

    Raises:
        RecordsError: the file cannot be read, or holds no key.
    """
    try:
        return _parsed(file)
    except OSError as error:
        raise RecordsError(f"{file}: {error.strerror}") from error


def _make(file: Path) -> None:
    """Write a fresh key whole or not at all; whoever else does so at the same time may win."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(secrets.token_hex(BYTES) + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    try:
        file.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _parsed(file: Path) -> bytes:
    text = file.read_text(encoding="ascii", errors="replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != BYTES:
        raise RecordsError(f"{file} does not hold {2 * BYTES} hexadecimal digits")
    return key
