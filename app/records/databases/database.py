"""What the records ask of a database, whichever it is."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL

from app.records.cause import Cause
from app.records.state_lock import LockedFiles

SETTING = "DUBITO_RECORDS_URL"


class Backup(NamedTuple):
    """Copy of a database before its schema is upgraded, or advice on how to make one."""

    sentence: str
    is_made: bool


class Database(ABC):
    """A database at a checked address."""

    title: ClassVar[str]
    """Name of the product, for messages."""
    backend: ClassVar[str]
    """SQLAlchemy's name of the kind of database."""
    beginning: ClassVar[str]
    """Beginning of the URLs that name such a database."""
    is_shared: ClassVar[bool]
    """Whether several processes may write at the same time."""
    snapshot: ClassVar[str | None]
    """Isolation level of a transaction that sees one state of the database; None if each does."""

    def __init__(self, url: URL) -> None:
        """Set the address, which `parse` has checked."""
        self.url = url

    @classmethod
    @abstractmethod
    def parse(cls, url: URL) -> Self:
        """Check an address of this kind of database; messages never quote it.

        Raises:
            AddressError: the URL does not name a database that can store records.
        """

    @property
    @abstractmethod
    def name(self) -> str:
        """Name for log and error messages, without any password.

        Raises:
            RecordsError: it cannot be found out.
        """

    @property
    def files(self) -> tuple[Path, ...]:
        """Files on this machine that must be closed to other users; none for a server."""
        return ()

    @property
    def journal(self) -> Path | None:
        """Path of the journal of a service that writes; None for a server, which needs none."""
        return None

    @property
    def is_missing(self) -> bool:
        """Whether there is no database yet, as far as that can be seen without asking a server."""
        return False

    def opened_files(self) -> LockedFiles | None:
        """Return the files of a database that is open for writing; None for a server."""
        return None

    @abstractmethod
    def writable(self, *, fresh: bool) -> AbstractContextManager[Engine]:
        """Open for writing within a block, whatever the schema.

        Args:
            fresh: whether a missing database is created.

        Raises:
            RecordsError: the database is missing, or another process has locked it.
            Exception: SQLAlchemy's or the driver's error if it cannot be opened.
        """

    @abstractmethod
    def readable(self) -> AbstractContextManager[Engine]:
        """Open for reading only within a block; a service may write at the same time.

        Raises:
            RecordsError: the database is missing or cannot be read.
            Exception: SQLAlchemy's or the driver's error if it cannot be opened.
        """

    @abstractmethod
    def connected(self) -> AbstractContextManager[Engine]:
        """Open for reading only within a block, while another process holds it for writing.

        Raises:
            RecordsError: the database's driver is not installed.
        """

    @staticmethod
    @abstractmethod
    def turn(engine: Engine) -> AbstractContextManager[None]:
        """Hold the lock under which processes create or upgrade tables one at a time."""

    @abstractmethod
    def back_up(self, schema: str) -> Backup:
        """Copy the database, whose schema has the given number, or say how it can be copied.

        Raises:
            RecordsError: the copy cannot be written.
        """

    @staticmethod
    @abstractmethod
    def cause(error: BaseException) -> Cause | None:
        """Explain an error of this database's driver; None for an error of another."""


def hidden_engine(url: URL, **options: Any) -> Engine:
    """Create an engine that keeps recorded values out of logs and errors."""
    return create_engine(url, hide_parameters=True, **options)
