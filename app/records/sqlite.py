"""SQLite's file: connected to in a stated way, kept open, or read where nothing may be written."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from app.errors import RecordsError
from app.records.state_files import open_new, shown

BUSY_SECONDS = 5.0
"""For which a reader of SQLite waits for a writer."""

Mode = Literal["rw", "ro", "immutable"]
"""Written, read beside who writes, or read where nobody does, without locks and files beside it."""
QUERIES: dict[Mode, str] = {"rw": "mode=rw", "ro": "mode=ro", "immutable": "mode=ro&immutable=1"}


def connect(file: Path, mode: Mode) -> sqlite3.Connection:
    """A connection to a file that is there.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    # The driver makes the URL of a path without regard to what is in the path.
    connection = sqlite3.connect(
        f"{file.as_uri()}?{QUERIES[mode]}",
        uri=True,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
        # The driver's own transactions would begin too late.
        isolation_level=None,
    )
    if mode == "rw":
        # What is committed is on the disk, what is erased is not, and readers do not wait.
        for words in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {words}")
    return connection


def check_file(file: Path, *, fresh: bool = False) -> None:
    """Refuse what is no file.

    Raises:
        RecordsError: it is none, or is not there though it is not to be made.
    """
    try:
        is_there, is_file = file.exists(), file.is_file()
    except OSError as error:
        raise RecordsError(f"{shown(file)}: {error.strerror}") from error
    if is_there and not is_file:
        raise RecordsError(f"{shown(file)} is not a file")
    if not is_there and not fresh:
        raise RecordsError(f"there are no records: {shown(file)} is not there")


@contextmanager
def kept_open(file: Path) -> Iterator[None]:
    """A connection for the length of a block; the file is made where there is none.

    With the last connection SQLite removes the files beside it, which others may be about to open.

    Raises:
        OSError: it cannot be made.
        sqlite3.Error: it cannot be opened.
    """
    with suppress(FileExistsError):
        os.close(open_new(file))
    with closing(connect(file, "rw")) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield


@contextmanager
def unchanged(file: Path) -> Iterator[Mode]:
    """How a file can be read for the length of a block, in which nothing is written beside it.

    Raises:
        RecordsError: it cannot be read, or was written though nobody seemed to.
    """
    check_file(file)
    mode, before = _mode(file), _look(file)
    yield mode
    if mode == "immutable" and before != _look(file):
        raise RecordsError("the records were written while they were read: start again")


def _mode(file: Path) -> Mode:
    """How a file can be read without writing.

    Raises:
        RecordsError: it cannot.
    """
    log, index = (file.with_name(file.name + end) for end in ("-wal", "-shm"))
    is_writable = os.access(file.parent, os.W_OK, effective_ids=True)
    if not log.exists() or (not is_writable and not log.stat().st_size):
        # All there is stands in the file. To read it by its locks would make files beside it.
        return "immutable"
    if not is_writable and not index.exists():
        raise RecordsError(
            f"{shown(log)} holds what is not in the database yet, and cannot be read as its "
            "folder cannot be written: copy both files to a folder that can be, and read them there"
        )
    return "ro"


def _look(file: Path) -> tuple[int, int, int]:
    known = file.stat()
    return known.st_ino, known.st_size, known.st_mtime_ns
