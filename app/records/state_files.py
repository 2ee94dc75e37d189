"""Creates files of the state folder: with explicit modes, atomically, and synced to the disk.

A file is readable and writable by its owner only (0600), or by the group too (0660) if the folder
belongs to the group (0770), so that another user of the group can continue with it. The umask
changes neither mode.
"""

import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

OWN, SHARED = 0o600, 0o660
"""Modes of a file: owner only, and owner and group."""
FOLDER = 0o700
"""Mode of a newly created state folder."""


def one_line(text: Path | str) -> str:
    """Return a path or other foreign text on one line, with unprintable characters escaped."""
    signs = str(text)
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in signs
    )


def open_new(path: Path) -> int:
    """Create a file that must not exist; return its descriptor, open for reading and writing.

    Raises:
        OSError: the file exists, or cannot be created.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWN)
    try:
        # File systems without modes reject `fchmod`.
        with suppress(PermissionError, NotImplementedError):
            os.fchmod(descriptor, _mode(os.fstat(descriptor), path.parent))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_or_make(path: Path) -> int:
    """Open a file for reading and writing, creating it if it does not exist; return its descriptor.

    Raises:
        OSError: the file cannot be opened or created.
    """
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            with suppress(FileExistsError):
                return open_new(path)


def make_folder(folder: Path) -> None:
    """Create a folder for its owner only, if it does not exist.

    Raises:
        OSError: the folder cannot be created.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(FOLDER)


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically; the old content remains until the new one is complete.

    Raises:
        OSError: the file cannot be written.
    """
    if path.exists() and not path.is_file():
        # A terminal or a pipe can be written to, but not replaced.
        path.write_bytes(content)
        return
    draft = path.with_name(f".{path.name[:100]}-{secrets.token_hex(4)}")
    descriptor = open_new(draft)
    try:
        write_file(descriptor, content)
        draft.replace(path)
    except OSError:
        draft.unlink()
        raise
    sync_folder(path.parent)


def write_file(descriptor: int, content: bytes) -> None:
    """Write a file from its beginning, sync it to the disk and close it.

    Raises:
        OSError: the file cannot be written.
    """
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries to the disk, if its file system supports that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def exposed(paths: Iterable[Path]) -> list[str]:
    """Return a sentence for each file whose mode allows more than a newly created file's would."""
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            known = path.stat()
            mode = stat.S_IMODE(known.st_mode)
            right = _mode(known, path.parent)
            if mode & 0o077 & ~right:
                found.append(
                    f"{one_line(path)} is open to more users than it should be (mode {mode:04o}): "
                    f"make it {right:04o}"
                )
    return found


def _mode(known: os.stat_result, folder: Path) -> int:
    """Return the mode of a file: shared with the group if the folder belongs to the same group."""
    about = folder.stat()
    is_shared = about.st_mode & 0o070 == 0o070 and known.st_gid == about.st_gid
    return SHARED if is_shared else OWN
