"""The place of a SQLite database: held by one process, which sees whether it is still there.

A second writer could damage the database, and would break the order of the chains. The lock is on a
file that is open, so whoever deletes, renames or replaces that file or the database takes it away
from under its holder: what is at a path is compared with what was opened there.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from app.errors import RecordsError
from app.records.address import FILE
from app.records.failures import Displaced
from app.records.state_files import make_folder, open_or_make, shown

LOCK = "records.lock"
ORPHAN_SECONDS = 5.0
"""For which a process waits that another one lets go of a database."""
LEAST_BYTES = 1 << 22
"""Of the disk: with less it is tried whether anything can be written."""
MOST_DESCRIPTORS = 1_024
"""Among which the open files are looked for."""

Identity = tuple[int, int]
"""Device and inode: no other file has them while this one is open."""


class Place:
    """Files that are open, each with the path where it was opened."""

    def __init__(self, database: Path) -> None:
        """Take the files of a database of which a connection is open, and its lock."""
        wal, shm = (database.with_name(database.name + end) for end in ("-wal", "-shm"))
        self._folder = str(database.parent)
        self._dated: tuple[int, int] | None = _date(self._folder)
        files = (database, wal, shm, lock_of(database))
        self._files = {str(path): _identity(path) for path in files}
        self._holding = {self._files[str(path)]: path.name for path in (database, wal)}
        """The files that hold what was committed; others open here may have their names."""

    def check(self) -> None:
        """Return where every file is still the one at its path.

        Raises:
            Displaced: one is not.
        """
        with suppress(OSError):
            if all(_identity(path) == known for path, known in self._files.items()):
                return
        sentence = "the records' files were deleted, moved or replaced while in use"
        raise Displaced(sentence, self._advice())

    def check_folder(self) -> None:
        """Check where a name in the folder has come or gone since; it is a matter of microseconds.

        A folder is dated then. To ask the files each time would have them dated more finely (Linux
        since 6.13, multigrain timestamps): each commit would write a quarter more blocks, which
        costs a small request 4% of its time.

        Raises:
            Displaced: a file is not where it was opened.
        """
        try:
            date = _date(self._folder)
        except OSError:
            date = None
        if date != self._dated:
            self.check()
            self._dated = date

    def is_tight(self) -> bool:
        """Whether the disk is all but full, or can only be read."""
        about = os.statvfs(self._folder)
        free = about.f_bavail * about.f_frsize
        return free < LEAST_BYTES or bool(about.f_flag & os.ST_RDONLY)

    def _advice(self) -> str:
        """Where what was deleted can be copied from, while this process runs and only then."""
        left = dict(self._holding)
        found = []
        for number in range(MOST_DESCRIPTORS):
            with suppress(OSError):
                about = os.fstat(number)
                if name := left.pop((about.st_dev, about.st_ino), None):
                    found.append(f"/proc/{os.getpid()}/fd/{number} ({name})")
        return f"deleted ones are there until this process ends: copy {' and '.join(found)}"


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Hold the lock of a database for the length of a block, in a folder that is made if need be.

    Who wrote for a service that was killed has still its last group to write.

    Raises:
        RecordsError: the folder cannot be written, or another process holds it.
    """
    path = lock_of(database)
    lock = FileLock(
        path,
        ORPHAN_SECONDS,
        # Whoever ends a block may be another thread than the one that began it.
        thread_local=False,
        # Without it storage that knows no locks would be given a marker, which a crash leaves.
        preserve_lock_file=True,
        on_acquired=partial(_check_is_at, path),
    )
    try:
        make_folder(path.parent)
        # Made with a mode of its own, which the library leaves to the umask.
        os.close(open_or_make(path))
    except OSError as error:
        raise RecordsError(f"{shown(path)} cannot be written: {error.strerror}") from error
    try:
        lock.acquire()
    except Timeout as error:
        sentence = f"another process writes the records in {shown(path.parent)}"
        raise RecordsError(sentence) from error
    except OSError as error:
        raise RecordsError(f"{shown(path)} cannot be locked: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def lock_of(database: Path) -> Path:
    """The file of a database's lock."""
    return database.with_name(LOCK if database.name == FILE else f"{database.name}.lock")


def _check_is_at(path: Path, descriptor: int) -> None:
    """Check that what was locked is the file at a path, and was not moved meanwhile.

    Raises:
        FileNotFoundError: it was.
    """
    if _identity(path) != _identity(descriptor):
        raise FileNotFoundError(errno.ENOENT, "it was moved meanwhile")


def _date(folder: str) -> tuple[int, int]:
    """Which folder is at a path, and when a name in it came or went last."""
    known = os.stat(folder)  # noqa: PTH116 - a third of the time
    return known.st_ino, known.st_mtime_ns


def _identity(file: Path | str | int) -> Identity:
    known = os.stat(file)  # noqa: PTH116 - a descriptor has no path
    return known.st_dev, known.st_ino
