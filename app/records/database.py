"""The database: opened, migrated, and for SQLite held by one process alone.

PostgreSQL is shared by processes that start, write and end as they like; SQLite is a file of ours.
"""

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from app.errors import RecordsError

MIGRATIONS = "app.records:migrations"
HEAD, VERSIONS = "0002", "alembic_version"
"""The last of them, and Alembic's table of those that were made."""
FILE = "records.db"
LOCK = "records.lock"
BUSY_SECONDS = 5.0
"""For which a reader of SQLite waits for a writer, and a writer of PostgreSQL for another one."""
ORPHAN_SECONDS, AGAIN_SECONDS = 5.0, 0.05
"""For which a process waits that another one lets go of SQLite's file, and between two looks."""
SILENCE_SECONDS = 10
"""After which a server of PostgreSQL that does not answer is given up."""
DRIVER = "postgresql+psycopg"
MIGRATING = 0x64756269746F
"""The number of the lock under which one process at a time migrates a PostgreSQL database."""


def url_of(url: str | None, state: Path) -> str:
    """Where records are: the URL that was given, or a file in the service's own folder."""
    return url or f"sqlite:///{state / FILE}"


def is_sqlite(url: str) -> bool:
    """Whether a URL is SQLite's.

    Raises:
        RecordsError: it is no URL of a database.
    """
    try:
        return make_url(url).get_backend_name() == "sqlite"
    except ArgumentError as error:
        raise RecordsError("DUBITO_RECORDS_URL is not the URL of a database") from error


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the records as they are now, whatever is written meanwhile."""
    with engine.connect() as connection:
        # SQLite's transactions do so anyway.
        if connection.dialect.name != "sqlite":
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


@contextmanager
def opened(url: str, *, alone: bool = True) -> Iterator[Engine]:
    """A database for the length of a block, its tables as this code knows them.

    Args:
        url: SQLAlchemy's.
        alone: whether this process writes, so that no other may where the database is a file.

    Raises:
        RecordsError: it cannot be opened, another process holds it, or a newer Dubito made it.
    """
    path = make_url(url).database if is_sqlite(url) else None
    with ExitStack() as stack:
        if path is not None and alone:
            stack.enter_context(_locked(Path(path).parent))
        engine = _engine(url)
        stack.callback(engine.dispose)
        try:
            with engine.begin() as connection:
                _migrate(connection)
        except SQLAlchemyError as error:
            raise RecordsError(f"the records cannot be opened: {_reason(error)}") from error
        yield engine


@contextmanager
def connected(url: str) -> Iterator[Engine]:
    """A database that another process has opened and writes, to be read for the length of a block.

    Raises:
        RecordsError: the URL is none, or its database has no driver here.
    """
    engine = _engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _locked(folder: Path) -> IO[str]:
    """A file that this process alone holds until it is closed.

    A second writer could damage a SQLite database, and would break the order of the chains. Who
    wrote for a service that was killed has still its last group to write.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
    except OSError as error:
        raise RecordsError(f"{folder} cannot be written: {error.strerror}") from error
    end = time.monotonic() + ORPHAN_SECONDS
    while not _is_taken(file):
        if time.monotonic() > end:
            file.close()
            raise RecordsError(f"another process writes the records in {folder}")
        time.sleep(AGAIN_SECONDS)
    return file


def _is_taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _engine(words: str) -> Engine:
    is_file, url = is_sqlite(words), make_url(words)
    if url.drivername == "postgresql":
        url = url.set(drivername=DRIVER)
    try:
        engine = create_engine(
            url,
            connect_args=_arguments(url),
            pool_pre_ping=not is_file,
            # What is recorded is in no log and no error.
            hide_parameters=True,
        )
    except (ArgumentError, ModuleNotFoundError) as error:
        raise RecordsError(f"the records' database has no driver here: {error}") from error
    if is_file:
        event.listen(engine, "connect", _prepare_file)
        event.listen(engine, "begin", _begin)
    elif url.drivername == DRIVER:
        event.listen(engine, "connect", _prepare_session)
    return engine


def _arguments(url: URL) -> dict[str, Any]:
    """What the driver is told, but for what the URL itself says."""
    if url.get_backend_name() == "sqlite":
        return {"timeout": BUSY_SECONDS, "check_same_thread": False}
    if url.drivername != DRIVER:
        return {}
    told = {"connect_timeout": SILENCE_SECONDS, "tcp_user_timeout": SILENCE_SECONDS * 1_000}
    return {name: value for name, value in told.items() if name not in url.query}


def _prepare_file(connection: sqlite3.Connection, _record: object) -> None:
    """What is committed is on the disk, what is erased is not, and readers do not wait."""
    # The driver's own transactions would begin too late; `_begin` says when.
    connection.isolation_level = None
    for words in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {words}")


def _prepare_session(connection: Any, _record: object) -> None:
    """What is committed is on the disk, and who holds a key for long is not waited for."""
    connection.execute(f"SET lock_timeout = {BUSY_SECONDS * 1e3:.0f}")
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.commit()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _migrate(connection: Connection) -> None:
    """Bring the tables to this code's state.

    Raises:
        RecordsError: a newer Dubito made them.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": MIGRATING})
    current = _state(connection)
    if current == HEAD:
        return
    # Most starts do without what this imports.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise RecordsError(f"a newer Dubito made the records: their state is {current}")
    command.upgrade(config, "head")


def _state(connection: Connection) -> str | None:
    """The last migration that was made, if any was."""
    if not inspect(connection).has_table(VERSIONS):
        return None
    asked = text(f"SELECT version_num FROM {VERSIONS}")  # noqa: S608 - our own
    found: str | None = connection.scalar(asked)
    return found


def _reason(error: SQLAlchemyError) -> str:
    """What the database says, without the statement and what it held."""
    cause = getattr(error, "orig", None)
    return type(error).__name__ if cause is None else str(cause).strip().partition("\n")[0]
