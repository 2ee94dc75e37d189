"""Files of the state: made with modes of their own, whole or not at all, and synced.

A file is its owner's alone (0600), or its group's (0660) where the folder is the group's (0770), so
that the next user of that group goes on with it. The umask changes neither.
"""

import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

OWN, SHARED = 0o600, 0o660
"""Modes of a file: for its owner alone, and for its group as well."""
FOLDER = 0o700
"""Mode of a state folder that is made here."""


def shown(text: Path | str) -> str:
    """A path, or what else comes from outside, as it may stand in a sentence: on one line."""
    signs = str(text)
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in signs
    )


def open_new(path: Path) -> int:
    """Make a file that must not be there yet; returns its descriptor, open for writing.

    Raises:
        OSError: it is there already, or cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWN)
    try:
        # Of a file system without modes nothing can be asked.
        with suppress(PermissionError, NotImplementedError):
            os.fchmod(descriptor, _mode(os.fstat(descriptor), path.parent))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_or_make(path: Path) -> int:
    """A descriptor of a file, open for writing; the file is made where it is missing.

    Raises:
        OSError: it cannot be opened or made.
    """
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            with suppress(FileExistsError):
                return open_new(path)


def make_folder(folder: Path) -> None:
    """Make a folder, for its owner alone, where there is none.

    Raises:
        OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(FOLDER)


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; what was there before is kept until then.

    Raises:
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        # A terminal or a pipe, which is written to and not replaced.
        path.write_bytes(content)
        return
    draft = path.with_name(f".{path.name[:100]}-{secrets.token_hex(4)}")
    descriptor = open_new(draft)
    try:
        write(descriptor, content)
        draft.replace(path)
    except OSError:
        draft.unlink()
        raise
    sync_folder(path.parent)


def write(descriptor: int, content: bytes) -> None:
    """Write a file from its beginning, see it onto the disk and close it.

    Raises:
        OSError: it cannot be written.
    """
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """See the names in a folder onto the disk, where its file system can."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def exposed(paths: Iterable[Path]) -> list[str]:
    """A sentence for each file that more may read or write than would if it were made anew."""
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            known = path.stat()
            mode = stat.S_IMODE(known.st_mode)
            right = _mode(known, path.parent)
            if mode & 0o077 & ~right:
                found.append(
                    f"{shown(path)} may be read by others than it should (mode {mode:04o}): "
                    f"make it {right:04o}"
                )
    return found


def _mode(known: os.stat_result, folder: Path) -> int:
    """The mode of a file: its group's too, where the folder is that group's."""
    about = folder.stat()
    is_shared = about.st_mode & 0o070 == 0o070 and known.st_gid == about.st_gid
    return SHARED if is_shared else OWN
