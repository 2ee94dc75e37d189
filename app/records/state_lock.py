"""Locks a SQLite database for one process, and detects that its files were moved or deleted.

A second writer could damage the database and would break the order of the chains. The lock belongs
to an open file, so deleting, renaming or replacing that file or the database breaks it without the
holder's knowledge: the file at each path is therefore compared with the file that was opened.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from app.errors import RecordsError
from app.records.cause import Displaced
from app.records.state_files import make_folder, one_line, open_or_make

FILE = "records.db"
"""Name of the database's file in the state folder."""
LOCK = "records.lock"
ORPHAN_SECONDS = 5.0
"""Longest wait for another process to release the database, seconds."""
LEAST_BYTES = 1 << 22
"""Free disk space in bytes below which writing is tested with a real write."""
MOST_DESCRIPTORS = 1_024
"""Number of file descriptors that are searched for open files."""

Identity = tuple[int, int]
"""Device and inode: unique as long as the file is open."""


class LockedFiles:
    """Open files, each with the path at which it was opened."""

    def __init__(self, database: Path) -> None:
        """Remember the files of a database that has an open connection, and its lock file."""
        wal, shm = (database.with_name(database.name + end) for end in ("-wal", "-shm"))
        self._folder = str(database.parent)
        self._dated: tuple[int, int] | None = _date(self._folder)
        journal = journal_of(database)
        files = [database, wal, shm, lock_of(database), *([journal] if journal.exists() else [])]
        self._files = {str(path): _identity(path) for path in files}
        self._holding = {
            self._files[str(path)]: path.name for path in (database, wal, journal) if path in files
        }
        """Identity to name of the files that contain committed data; other open files may have the
        same names."""

    def check(self) -> None:
        """Check that every file is still the one at its path.

        Raises:
            Displaced: a file was moved, replaced or deleted.
        """
        with suppress(OSError):
            if all(_identity(path) == known for path, known in self._files.items()):
                return
        sentence = "the records' files were deleted, moved or replaced while in use"
        raise Displaced(sentence, self._advice())

    def check_folder(self) -> None:
        """Check the files if the folder has changed since the last check; takes microseconds.

        A folder's modification time changes when an entry is added or removed. Calling `stat` on
        the files each time would make Linux (since 6.13, multigrain timestamps) record finer file
        times: each commit would write a quarter more blocks, which costs a small request 4% of its
        time.

        Raises:
            Displaced: a file is no longer where it was opened.
        """
        try:
            date = _date(self._folder)
        except OSError:
            date = None
        if date != self._dated:
            self.check()
            self._dated = date

    def is_tight(self) -> bool:
        """Whether the disk is nearly full or read-only."""
        about = os.statvfs(self._folder)
        free = about.f_bavail * about.f_frsize
        return free < LEAST_BYTES or bool(about.f_flag & os.ST_RDONLY)

    def _advice(self) -> str:
        """Say where deleted files can be copied from, which is possible while this process runs."""
        left = dict(self._holding)
        found = []
        for number in range(MOST_DESCRIPTORS):
            with suppress(OSError):
                about = os.fstat(number)
                if name := left.pop((about.st_dev, about.st_ino), None):
                    found.append(f"/proc/{os.getpid()}/fd/{number} ({name})")
        return f"deleted files can be read until this process ends: copy {' and '.join(found)}"


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Hold the lock of a database within a block; the folder is created if it does not exist.

    The recorder of a killed service may still be writing its last group, so the lock is awaited.

    Raises:
        RecordsError: the folder cannot be written, or another process holds the lock.
    """
    path = lock_of(database)
    lock = FileLock(
        path,
        ORPHAN_SECONDS,
        # A block may be ended by another thread than the one that began it.
        thread_local=False,
        # Otherwise, on storage without locks, the library would create a marker file that survives
        # a crash.
        preserve_lock_file=True,
        on_acquired=partial(_check_is_at, path),
    )
    try:
        make_folder(path.parent)
        # Created here with an explicit mode, since the library would apply the umask.
        os.close(open_or_make(path))
    except OSError as error:
        raise RecordsError(f"{one_line(path)} cannot be written: {error.strerror}") from error
    try:
        lock.acquire()
    except Timeout as error:
        sentence = f"another process writes the records in {one_line(path.parent)}"
        raise RecordsError(sentence) from error
    except OSError as error:
        raise RecordsError(f"{one_line(path)} cannot be locked: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def lock_of(database: Path) -> Path:
    """Return the path of a database's lock file."""
    return database.with_name(LOCK if database.name == FILE else f"{database.name}.lock")


def journal_of(database: Path) -> Path:
    """Return the path of a database's journal; SQLite's own would end in `-journal`."""
    return database.with_name(f"{database.name}.journal")


def _check_is_at(path: Path, descriptor: int) -> None:
    """Check that the locked file is still the file at its path.

    Raises:
        FileNotFoundError: the file was moved before it was locked.
    """
    if _identity(path) != _identity(descriptor):
        raise FileNotFoundError(errno.ENOENT, "it was moved meanwhile")


def _date(folder: str) -> tuple[int, int]:
    """Return the inode of the folder at a path, and the time of its last change in nanoseconds."""
    known = os.stat(folder)  # noqa: PTH116 - a third of the time
    return known.st_ino, known.st_mtime_ns


def _identity(file: Path | str | int) -> Identity:
    known = os.stat(file)  # noqa: PTH116 - a descriptor has no path
    return known.st_dev, known.st_ino
