"""Records in a SQLite file, which one service holds for writing."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL

from app.errors import AddressError, RecordsError
from app.records.cause import Cause, words_for
from app.records.databases.database import SETTING, Backup, Database, hidden_engine
from app.records.databases.sqlite_file import Mode, check_file, connect, kept_open, unchanged
from app.records.state_files import one_line, open_new, sync_folder, write_file
from app.records.state_lock import LockedFiles, held, journal_of, lock_of

CAUSES = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "the database is read-only",
    "SQLITE_IOERR": "the disk fails",
    "SQLITE_BUSY": "another process holds the database",
    "SQLITE_LOCKED": "another process holds the database",
    "SQLITE_CORRUPT": "the database is damaged",
    "SQLITE_NOTADB": "the file is not a database",
    "SQLITE_CANTOPEN": "the file cannot be opened",
    "SQLITE_PERM": "the file may not be opened",
    "SQLITE_AUTH": "the file may not be opened",
    "SQLITE_NOLFS": "the file is too large",
    "SQLITE_PROTOCOL": "the locks of the database do not work",
}
"""Explanation by name of the SQLite error, or by a prefix of that name."""


class SQLite(Database):
    """A SQLite file."""

    title = "SQLite"
    backend = "sqlite"
    beginning = "sqlite:///"
    is_shared = False
    snapshot = None

    @classmethod
    def parse(cls, url: URL) -> Self:
        """Check that a URL names a file and nothing else.

        Raises:
            AddressError: the URL names no file, or contains more than a path.
        """
        if url.drivername not in ("sqlite", "sqlite+pysqlite"):
            raise AddressError(f"{SETTING}: the only supported SQLite driver is sqlite:///")
        name = url.database or ""
        if name in ("", ":memory:") or name.startswith("file:"):
            raise AddressError(
                f"{SETTING} names no file, and records in memory would be lost: write sqlite:/// "
                "and the path of a file"
            )
        if url.host or url.port or url.username or url.password or url.query:
            raise AddressError(f"{SETTING}: sqlite:/// must be followed by the path of a file only")
        return cls(url)

    @property
    def file(self) -> Path:
        """Resolved path of the file.

        Raises:
            RecordsError: the path cannot be resolved.
        """
        path = Path(self.url.database or "")
        try:
            return path.resolve()
        except (OSError, RuntimeError) as error:
            loop = "its symbolic links form a loop"
            reason = error.strerror if isinstance(error, OSError) else loop
            raise RecordsError(f"{one_line(path)}: {reason}") from error

    @property
    def name(self) -> str:
        """Path of the file, on one line.

        Raises:
            RecordsError: the path cannot be resolved.
        """
        return one_line(self.file)

    @property
    def files(self) -> tuple[Path, ...]:
        """The database's file, its lock file and its journal."""
        return self.file, lock_of(self.file), self.journal

    @property
    def journal(self) -> Path:
        """Path beside the database's file."""
        return journal_of(self.file)

    @property
    def is_missing(self) -> bool:
        """Whether the file is missing or empty."""
        return not (self.file.is_file() and self.file.stat().st_size)

    def opened_files(self) -> LockedFiles:
        """Return the files of the database, which must be open for writing."""
        return LockedFiles(self.file)

    @contextmanager
    def writable(self, *, fresh: bool) -> Iterator[Engine]:
        """Lock the file for this process, and open it for writing within a block.

        Raises:
            RecordsError: the file is missing, or another process has locked it.
            Exception: SQLAlchemy's or SQLite's error if it cannot be opened.
        """
        file = self.file
        check_file(file, fresh=fresh)
        with held(file), kept_open(file), self._engine("rw") as engine:
            yield engine

    @contextmanager
    def readable(self) -> Iterator[Engine]:
        """Open the file for reading within a block, without writing beside it.

        Raises:
            RecordsError: the file is missing or cannot be read.
            Exception: SQLAlchemy's or SQLite's error if it cannot be opened.
        """
        with unchanged(self.file) as mode, self._engine(mode) as engine:
            yield engine

    @contextmanager
    def connected(self) -> Iterator[Engine]:
        """Open the file for reading within a block, while another process writes to it."""
        with self._engine("ro") as engine:
            yield engine

    @staticmethod
    @contextmanager
    def turn(engine: Engine) -> Iterator[None]:  # noqa: ARG004 - other databases ask for their lock
        """Do nothing: a file that is open for writing is this process's own."""
        yield

    def back_up(self, schema: str) -> Backup:
        """Copy the database to a file beside it, complete and synced to the disk.

        Raises:
            RecordsError: the copy cannot be written.
            sqlite3.Error: the database cannot be read.
        """
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        copy = self.file.with_name(f"{self.file.name}.schema-{schema}.{moment}")
        try:
            write_file(open_new(copy), b"")
            _copy(self.file, copy, "rw")
            sync_folder(copy.parent)
        except BaseException as error:
            copy.unlink(missing_ok=True)
            if isinstance(error, OSError | sqlite3.Error):
                reason = error.strerror if isinstance(error, OSError) else error
                raise RecordsError(f"{one_line(copy)} cannot be written: {reason}") from error
            raise
        return Backup(f"a copy of the records as they were: {one_line(copy)}", is_made=True)

    def copy_to(self, copy: Path) -> None:
        """Copy the database to an empty file, complete and synced; a service may write meanwhile.

        Raises:
            RecordsError: the database is missing or cannot be read.
            sqlite3.Error: the database cannot be read, or the copy cannot be written.
        """
        with unchanged(self.file) as mode:
            _copy(self.file, copy, mode)
        sync_folder(copy.parent)

    @staticmethod
    def cause(error: BaseException) -> Cause | None:
        """Explain an error of SQLite by its extended result code."""
        if not isinstance(error, sqlite3.Error):
            return None
        words = words_for(getattr(error, "sqlite_errorname", ""), CAUSES)
        return Cause(type(error).__name__, words, is_lasting=words is not None)

    @contextmanager
    def _engine(self, mode: Mode) -> Iterator[Engine]:
        engine = hidden_engine(self.url, creator=partial(connect, self.file, mode))
        event.listen(engine, "begin", _begin)
        try:
            yield engine
        finally:
            engine.dispose()


def _copy(file: Path, copy: Path, mode: Mode) -> None:
    with closing(connect(file, mode)) as source, closing(connect(copy, "rw")) as to:
        source.backup(to)
        # The copy is a single file, readable without a write-ahead log beside it.
        to.execute("PRAGMA journal_mode=DELETE")
    with copy.open("rb") as written:
        os.fsync(written.fileno())


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
