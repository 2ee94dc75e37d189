"""Opens the records' database for writing or reading; a SQLite file is locked by one process.

PostgreSQL is shared by processes that start, write and end independently; a SQLite file belongs to
one service.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from app.errors import RecordsError
from app.records import sqlite
from app.records.address import Address, file_of, parse_address
from app.records.address import is_sqlite as is_sqlite
from app.records.address import url_of as url_of
from app.records.failures import explain
from app.records.schema import check, migrate, state, turn
from app.records.state_lock import held
from dubito.errors import DubitoError

BUSY_SECONDS = 5.0
"""Longest wait for another PostgreSQL writer's lock, seconds."""
SILENCE_SECONDS = 10
"""Longest silence of a PostgreSQL server before its connection is given up, seconds."""


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Open a connection that sees one state of the records, whatever is committed meanwhile."""
    with engine.connect() as connection:
        # SQLite's transactions are snapshots already.
        if connection.dialect.name != "sqlite":
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


@contextmanager
def open_database(url: Address, *, fresh: bool = True) -> Iterator[Engine]:
    """Open a database for writing within a block, with all tables at the newest schema.

    Args:
        url: URL of the database, as SQLAlchemy spells it.
        fresh: whether a missing or empty database is created.

    Raises:
        RecordsError: the database cannot be opened, is locked by another process, or has the schema
            of another version of Dubito.
    """
    with ExitStack() as stack:
        with legible("the records cannot be opened"):
            engine = stack.enter_context(writable(url, fresh=fresh))
            with turn(engine), engine.begin() as connection:
                if fresh and state(connection) is None:
                    migrate(connection)
                check(state(connection))
        yield engine


@contextmanager
def writable(url: Address, *, fresh: bool = False) -> Iterator[Engine]:
    """Open a database for writing within a block, whatever its schema.

    Raises:
        RecordsError: the database is missing, or another process has locked it.
        Exception: SQLAlchemy's or the driver's error if it cannot be opened.
    """
    with ExitStack() as stack:
        file = file_of(url)
        if file is not None:
            sqlite.check_file(file, fresh=fresh)
            stack.enter_context(held(file))
            stack.enter_context(sqlite.kept_open(file))
        yield stack.enter_context(_engine(url, "rw"))


@contextmanager
def reading(url: Address) -> Iterator[Engine]:
    """Open a database for reading only within a block; every schema so far is accepted.

    A service may write to it at the same time, and its folder need not be writable.

    Raises:
        RecordsError: there are no records, they cannot be read, or a newer Dubito wrote them.
    """
    with ExitStack() as stack:
        with legible("the records cannot be read"):
            file = file_of(url)
            mode = "ro" if file is None else stack.enter_context(sqlite.unchanged(file))
            engine = stack.enter_context(_engine(url, mode))
            with engine.connect() as connection:
                check(state(connection), is_older_fine=True)
        yield engine


@contextmanager
def connected(url: Address) -> Iterator[Engine]:
    """Open a database for reading only within a block while another process writes to it.

    Raises:
        RecordsError: the URL is invalid, or its database driver is not installed.
    """
    with _engine(url, "ro") as engine:
        yield engine


@contextmanager
def legible(what: str) -> Iterator[None]:
    """Turn any exception of a database into a `RecordsError` of one sentence.

    A damaged database can raise anything: a number may have become text.

    Raises:
        RecordsError: `what`, followed by the cause.
    """
    try:
        yield
    except (DubitoError, BrokenPipeError):
        raise
    except OSError as error:
        raise RecordsError(f"{what}: {error.strerror}") from error
    except Exception as error:
        raise RecordsError(f"{what}: {explain(error)}") from error


@contextmanager
def _engine(address: Address, mode: sqlite.Mode) -> Iterator[Engine]:
    file, url = file_of(address), parse_address(address)
    made: dict[str, Any]
    if file is None:
        made = {"connect_args": _arguments(url), "pool_pre_ping": True}
    else:
        made = {"creator": partial(sqlite.connect, file, mode)}
    try:
        # `hide_parameters` keeps recorded values out of logs and errors.
        engine = create_engine(url, hide_parameters=True, **made)
    except (ArgumentError, ImportError) as error:
        raise RecordsError("PostgreSQL needs the extra `postgres`, which has psycopg") from error
    if file is None:
        event.listen(engine, "connect", _prepared(mode))
    else:
        event.listen(engine, "begin", _begin)
    try:
        yield engine
    finally:
        engine.dispose()


def _arguments(url: URL) -> dict[str, Any]:
    """Return connection arguments for the driver, except those that the URL itself sets."""
    told = {"connect_timeout": SILENCE_SECONDS, "tcp_user_timeout": SILENCE_SECONDS * 1_000}
    return {name: value for name, value in told.items() if name not in url.query}


def _prepared(mode: sqlite.Mode) -> Callable[[Any, object], None]:
    """Return a hook that prepares a session: commits reach the disk, lock waits are short."""

    def prepare(connection: Any, _record: object) -> None:
        connection.execute(f"SET lock_timeout = {BUSY_SECONDS * 1e3:.0f}")
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()
        connection.read_only = True if mode == "ro" else None

    return prepare


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
