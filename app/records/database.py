"""The database: opened to be written or only read, and for SQLite held by one process alone.

PostgreSQL is shared by processes that start, write and end as they like; SQLite is a file of ours.
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
from app.records.address import Address, file_of, parsed
from app.records.address import is_sqlite as is_sqlite
from app.records.address import url_of as url_of
from app.records.failures import told
from app.records.schema import check, migrate, state, turn
from app.records.state_lock import held
from dubito.errors import DubitoError

BUSY_SECONDS = 5.0
"""For which a writer of PostgreSQL waits for another one."""
SILENCE_SECONDS = 10
"""After which a server of PostgreSQL that does not answer is given up."""


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the records as they are now, whatever is written meanwhile."""
    with engine.connect() as connection:
        # SQLite's transactions do so anyway.
        if connection.dialect.name != "sqlite":
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


@contextmanager
def opened(url: Address, *, fresh: bool = True) -> Iterator[Engine]:
    """A database to be written, for the length of a block, its tables as this code knows them.

    Args:
        url: SQLAlchemy's.
        fresh: whether one that is not there yet, or is empty, is made.

    Raises:
        RecordsError: it cannot be opened, another process holds it, or another Dubito made it.
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
    """A database to be written, for the length of a block, whatever tables it has.

    Raises:
        RecordsError: it is not there, or another process holds it.
        Exception: SQLAlchemy's or the driver's; it cannot be opened.
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
    """A database that is only read, for the length of a block, of any schema there ever was.

    A service may write it meanwhile, and its folder need not be writable.

    Raises:
        RecordsError: there are no records, they cannot be read, or a newer Dubito made them.
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
    """A database that another process has opened and writes, to be read for the length of a block.

    Raises:
        RecordsError: the URL is none, or its database has no driver here.
    """
    with _engine(url, "ro") as engine:
        yield engine


@contextmanager
def legible(what: str) -> Iterator[None]:
    """Say in one sentence what became of a database, whatever it raises.

    A damaged one can raise anything: there may be a text where there was a number.

    Raises:
        RecordsError: `what`, and why.
    """
    try:
        yield
    except (DubitoError, BrokenPipeError):
        raise
    except OSError as error:
        raise RecordsError(f"{what}: {error.strerror}") from error
    except Exception as error:
        raise RecordsError(f"{what}: {told(error)}") from error


@contextmanager
def _engine(address: Address, mode: sqlite.Mode) -> Iterator[Engine]:
    file, url = file_of(address), parsed(address)
    made: dict[str, Any]
    if file is None:
        made = {"connect_args": _arguments(url), "pool_pre_ping": True}
    else:
        made = {"creator": partial(sqlite.connect, file, mode)}
    try:
        # What is recorded is in no log and no error.
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
    """What the driver is told, but for what the URL itself says."""
    told = {"connect_timeout": SILENCE_SECONDS, "tcp_user_timeout": SILENCE_SECONDS * 1_000}
    return {name: value for name, value in told.items() if name not in url.query}


def _prepared(mode: sqlite.Mode) -> Callable[[Any, object], None]:
    """Prepares a session: what is committed is on the disk, nobody is waited for for long."""

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
