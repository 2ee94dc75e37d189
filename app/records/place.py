"""The place of a SQLite database: held by one process, which sees whether it is still there.

A second writer could damage the database, and would break the order of the chains. The lock is on a
file that is open, so whoever deletes, renames or replaces that file or the database takes it away
from under its holder: what is at a path is compared with what was opened there.
"""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from app.errors import RecordsError
from app.records.address import FILE
from app.records.cause import Displaced
from app.records.files import make_folder, open_or_make, shown

LOCK = "records.lock"
ORPHAN_SECONDS, AGAIN_SECONDS = 5.0, 0.05
"""For which a process waits that another one lets go of a database, and between two looks."""
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
        self._folder = database.parent
        self._holding = {str(path): _identity(path) for path in (database, wal)}
        """The files that hold what was committed."""
        self._others = {str(path): _identity(path) for path in (shm, lock_of(database))}

    def check(self) -> None:
        """Return where every file is still the one at its path.

        Raises:
            Displaced: one is not.
        """
        self.check_holding()
        self._check(self._others)

    def check_holding(self) -> None:
        """Return where what was committed is still at its path; it is a matter of microseconds.

        Raises:
            Displaced: it is not.
        """
        self._check(self._holding)

    def _check(self, files: Mapping[str, Identity]) -> None:
        for path, known in files.items():
            try:
                is_there = _identity(path) == known
            except OSError:
                is_there = False
            if not is_there:
                sentence = "the records' files were deleted, moved or replaced while in use"
                raise Displaced(sentence, self._advice())

    def is_tight(self) -> bool:
        """Whether the disk is all but full, or can only be read."""
        about = os.statvfs(self._folder)
        free = about.f_bavail * about.f_frsize
        return free < LEAST_BYTES or bool(about.f_flag & os.ST_RDONLY)

    def _advice(self) -> str:
        """Where what was deleted can be copied from, while this process runs and only then."""
        names = {Path(path).name for path in self._holding}
        found = []
        for number in range(MOST_DESCRIPTORS):
            with suppress(OSError):
                target = Path(f"/proc/self/fd/{number}").readlink().name
                name = target.removesuffix(" (deleted)")
                if name in names:
                    names.discard(name)
                    found.append(f"/proc/{os.getpid()}/fd/{number} ({name})")
        return f"deleted ones are there until this process ends: copy {' and '.join(found)}"


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Hold the lock of a database for the length of a block, in a folder that is made if need be.

    Who wrote for a service that was killed has still its last group to write.

    Raises:
        RecordsError: the folder cannot be written, or another process holds it.
    """
    path, end = lock_of(database), time.monotonic() + ORPHAN_SECONDS
    while (descriptor := _taken(path)) is None:
        if time.monotonic() > end:
            raise RecordsError(f"another process writes the records in {shown(path.parent)}")
        time.sleep(AGAIN_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def lock_of(database: Path) -> Path:
    """The file of a database's lock."""
    return database.with_name(LOCK if database.name == FILE else f"{database.name}.lock")


def _taken(path: Path) -> int | None:
    """A descriptor of the lock's file, held; None while another process holds it."""
    try:
        make_folder(path.parent)
        descriptor = open_or_make(path)
    except OSError as error:
        raise RecordsError(f"{shown(path)} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _identity(path) == _identity(descriptor):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(descriptor)
        raise RecordsError(f"{shown(path)} cannot be locked: {error.strerror}") from error
    os.close(descriptor)
    return None


def _identity(file: Path | str | int) -> Identity:
    known = os.stat(file)  # noqa: PTH116 - a descriptor has no path
    return known.st_dev, known.st_ino
