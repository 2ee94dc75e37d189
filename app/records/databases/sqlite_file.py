"""Opens a SQLite file with fixed pragmas, for writing or for reading without side effects."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from app.errors import RecordsError
from app.records.state_files import one_line, open_new

BUSY_SECONDS = 5.0
"""Longest wait for another connection's lock, seconds."""

Mode = Literal["rw", "ro", "immutable"]
"""Access to the file: writing; reading beside a writer; or reading without locks and without files
beside it, when nobody writes."""
QUERIES: dict[Mode, str] = {"rw": "mode=rw", "ro": "mode=ro", "immutable": "mode=ro&immutable=1"}


def connect(file: Path, mode: Mode) -> sqlite3.Connection:
    """Open a connection to an existing file.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    # SQLAlchemy's dialect would build the file's URL without escaping special characters.
    connection = sqlite3.connect(
        f"{file.as_uri()}?{QUERIES[mode]}",
        uri=True,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
        # The driver's implicit transactions begin too late, at the first write.
        isolation_level=None,
    )
    if mode == "rw":
        # Commits reach the disk, erased bytes are overwritten, and readers do not wait for writers.
        for words in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {words}")
    return connection


def check_file(file: Path, *, fresh: bool = False) -> None:
    """Check that a path is a file, or is free for a new one.

    Raises:
        RecordsError: the path is not a file, or does not exist although no file may be created.
    """
    try:
        is_there, is_file = file.exists(), file.is_file()
    except OSError as error:
        raise RecordsError(f"{one_line(file)}: {error.strerror}") from error
    if is_there and not is_file:
        raise RecordsError(f"{one_line(file)} is not a file")
    if not is_there and not fresh:
        raise RecordsError(f"there are no records: {one_line(file)} is not there")


@contextmanager
def kept_open(file: Path) -> Iterator[None]:
    """Keep a connection open within a block, creating the file if it does not exist.

    When the last connection closes, SQLite removes the files beside the database, which another
    process may be about to open.

    Raises:
        OSError: the file cannot be created.
        sqlite3.Error: the file cannot be opened.
    """
    with suppress(FileExistsError):
        os.close(open_new(file))
    with closing(connect(file, "rw")) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield


@contextmanager
def unchanged(file: Path) -> Iterator[Mode]:
    """Yield the mode in which a file can be read within a block without writing beside it.

    Raises:
        RecordsError: the file cannot be read, or was written although no writer was detected.
    """
    check_file(file)
    mode, before = _mode(file), _look(file)
    yield mode
    if mode == "immutable" and before != _look(file):
        raise RecordsError("the records were written while they were read: start again")


def _mode(file: Path) -> Mode:
    """Return the mode in which a file can be read without writing.

    Raises:
        RecordsError: there is no such mode.
    """
    log, index = (file.with_name(file.name + end) for end in ("-wal", "-shm"))
    is_writable = os.access(file.parent, os.W_OK, effective_ids=True)
    if not log.exists() or (not is_writable and not log.stat().st_size):
        # Everything is in the database file. Reading it with locks would create files beside it.
        return "immutable"
    if not is_writable and not index.exists():
        raise RecordsError(
            f"{one_line(log)} holds what is not in the database yet, and cannot be read as its "
            "folder cannot be written: copy both files to a folder that can be, and read them there"
        )
    return "ro"


def _look(file: Path) -> tuple[int, int, int]:
    known = file.stat()
    return known.st_ino, known.st_size, known.st_mtime_ns
