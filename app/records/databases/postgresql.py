"""Records in a PostgreSQL database, which processes open, write and leave independently."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from sqlalchemy import Engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from app.errors import AddressError, RecordsError
from app.records.cause import Cause, words_for
from app.records.databases.database import SETTING, Backup, Database, hidden_engine

DRIVER = "postgresql+psycopg"
LOCK_SECONDS = 5.0
"""Longest wait for another writer's lock, seconds."""
SILENCE_SECONDS = 10
"""Longest silence of a server before its connection is given up, seconds."""
NUMBER = 0x64756269746F
"""Number of the advisory lock under which processes initialise a database one at a time."""
CAUSES = {
    "53100": "the disk of the database is full",
    "53200": "the database is out of memory",
    "53300": "the database accepts no more connections",
    "25006": "the database is read-only",
    "28": "the database refuses the user",
    "42501": "the database refuses the user",
    "3D000": "there is no such database",
    "57P": "the database shuts down or starts",
    "58": "the disk of the database fails",
    "XX": "the database is damaged",
    "08": "the database does not answer",
}
"""Explanation by SQLSTATE, or by a prefix of it; errors that the next attempt may escape, such as a
deadlock, are left out."""


class PostgreSQL(Database):
    """A database on a PostgreSQL server."""

    title = "PostgreSQL"
    backend = "postgresql"
    beginning = "postgresql://"
    is_shared = True
    snapshot = "REPEATABLE READ"

    @classmethod
    def parse(cls, url: URL) -> Self:
        """Set the driver, unless the URL names another one.

        Raises:
            AddressError: the URL names a driver that Dubito does not use.
        """
        if url.drivername not in (cls.backend, DRIVER):
            raise AddressError(
                f"{SETTING}: the only supported PostgreSQL driver is {cls.beginning}"
            )
        return cls(url.set(drivername=DRIVER))

    @property
    def name(self) -> str:
        """The URL without its password and without options."""
        url = self.url
        kept = {name: url.query[name] for name in ("host", "port", "dbname") if name in url.query}
        return URL.create(
            self.backend, url.username, None, url.host, url.port, url.database, kept
        ).render_as_string()

    @contextmanager
    def writable(self, *, fresh: bool) -> Iterator[Engine]:  # noqa: ARG002 - it is made by its owner
        """Open the database for writing within a block; it must exist.

        Raises:
            RecordsError: the driver is not installed.
        """
        with self._engine(is_read_only=False) as engine:
            yield engine

    @contextmanager
    def readable(self) -> Iterator[Engine]:
        """Open the database for reading only within a block.

        Raises:
            RecordsError: the driver is not installed.
        """
        with self._engine(is_read_only=True) as engine:
            yield engine

    connected = readable

    @staticmethod
    @contextmanager
    def turn(engine: Engine) -> Iterator[None]:
        """Hold an advisory lock within a block, waiting for it as long as it takes."""
        with engine.connect() as connection:
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": NUMBER})
            connection.commit()
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": NUMBER})
                connection.commit()

    def back_up(self, schema: str) -> Backup:
        """Say how the database can be copied."""
        command = self.dump_command(f"records-{schema}.dump")
        told = "a PostgreSQL database is not copied automatically; to copy it:"
        return Backup(f"{told}\n{command}", is_made=False)

    def dump_command(self, file: str) -> str:
        """Return a `pg_dump` command that writes the database to a file.

        The command holds no password: `pg_dump` prompts for it if the server demands one.
        """
        url = self.url
        host, port = url.host or url.query.get("host"), url.port or url.query.get("port")
        given = {"host": host, "port": port, "username": url.username, "dbname": url.database}
        flags = [f"--{name}={value}" for name, value in given.items() if value]
        return shlex.join(["pg_dump", "--format=custom", f"--file={file}", *flags])

    @staticmethod
    def cause(error: BaseException) -> Cause | None:
        """Explain an error of the driver by its SQLSTATE."""
        if not hasattr(error, "sqlstate"):
            return None
        name, state = type(error).__name__, error.sqlstate
        if state is None:
            is_lost = any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
            words = "the database does not answer" if is_lost else None
            return Cause(name, words, is_lasting=is_lost)
        words = words_for(state, CAUSES)
        return Cause(name, words or f"SQLSTATE {state}", is_lasting=words is not None)

    @contextmanager
    def _engine(self, *, is_read_only: bool) -> Iterator[Engine]:
        arguments = _arguments(self.url)
        try:
            engine = hidden_engine(self.url, connect_args=arguments, pool_pre_ping=True)
        except (ArgumentError, ImportError) as error:
            raise RecordsError(
                "PostgreSQL needs the extra `postgres`, which has psycopg"
            ) from error
        event.listen(engine, "connect", _prepared(is_read_only=is_read_only))
        try:
            yield engine
        finally:
            engine.dispose()


def _arguments(url: URL) -> dict[str, Any]:
    """Return connection arguments for the driver, except those that the URL itself sets."""
    told = {"connect_timeout": SILENCE_SECONDS, "tcp_user_timeout": SILENCE_SECONDS * 1_000}
    return {name: value for name, value in told.items() if name not in url.query}


def _prepared(*, is_read_only: bool) -> Callable[[Any, object], None]:
    """Return a hook that prepares a session: commits reach the disk, lock waits are short."""

    def prepare(connection: Any, _record: object) -> None:
        connection.execute(f"SET lock_timeout = {LOCK_SECONDS * 1e3:.0f}")
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()
        connection.read_only = True if is_read_only else None

    return prepare
