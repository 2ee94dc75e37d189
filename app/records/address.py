"""Parses and checks the address of the records: a SQLite file or a PostgreSQL database."""

import shlex
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.errors import AddressError, RecordsError
from app.records.state_files import one_line

FILE = "records.db"
DRIVER = "postgresql+psycopg"
SETTING = "DUBITO_RECORDS_URL"
Address = str | URL
"""A checked SQLAlchemy URL, or the text of the setting."""


def url_of(url: str | None, state: Path) -> URL:
    """Return the URL of the records' database: the given URL, or a SQLite file in the state folder.

    Raises:
        AddressError: the URL does not name a database that can store records.
    """
    # `URL.create` instead of an f-string: a path may contain characters that are special in a URL.
    return URL.create("sqlite", database=str(state / FILE)) if url is None else parse_address(url)


def parse_address(address: Address) -> URL:
    """Parse and check a URL; error messages never quote it, since it may contain a password.

    Raises:
        AddressError: the URL does not name a database that can store records.
    """
    if isinstance(address, URL):
        return address
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # SQLAlchemy's message may contain part of a password, and a traceback would print it.
        raise AddressError(f"{SETTING} is not the URL of a database") from None
    if url.get_backend_name() == "sqlite":
        return _file_url(url)
    if url.drivername not in ("postgresql", DRIVER):
        raise AddressError(
            f"{SETTING} must begin with postgresql:// or sqlite:///, the databases that Dubito "
            "has drivers for"
        )
    return url.set(drivername=DRIVER)


def is_sqlite(address: Address) -> bool:
    """Whether an address names a SQLite database.

    Raises:
        AddressError: the URL does not name a database that can store records.
    """
    return file_of(address) is not None


def file_of(address: Address) -> Path | None:
    """Return the resolved path of a SQLite database's file; None for PostgreSQL.

    Raises:
        AddressError: the URL does not name a database that can store records.
        RecordsError: the path cannot be resolved.
    """
    url = parse_address(address)
    if url.get_backend_name() != "sqlite":
        return None
    path = Path(url.database or "")
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its symbolic links form a loop"
        raise RecordsError(f"{one_line(path)}: {reason}") from error


def database_name(address: Address) -> str:
    """Return a name of the database for log and error messages, without any password."""
    file, url = file_of(address), parse_address(address)
    if file is not None:
        return one_line(file)
    kept = {name: url.query[name] for name in ("host", "port", "dbname") if name in url.query}
    return URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, kept
    ).render_as_string()


def dump_command(address: Address, file: str) -> str:
    """Return a `pg_dump` command that writes a PostgreSQL database to a file.

    The command holds no password: `pg_dump` prompts for it if the server demands one.
    """
    url = parse_address(address)
    host, port = url.host or url.query.get("host"), url.port or url.query.get("port")
    given = {"host": host, "port": port, "username": url.username, "dbname": url.database}
    flags = [f"--{name}={value}" for name, value in given.items() if value]
    return shlex.join(["pg_dump", "--format=custom", f"--file={file}", *flags])


def _file_url(url: URL) -> URL:
    """Check that a SQLite URL names a file and nothing else.

    Raises:
        AddressError: the URL names no file, or contains more than a path.
    """
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise AddressError(f"{SETTING}: the only supported SQLite driver is sqlite:///")
    name = url.database or ""
    if name in ("", ":memory:") or name.startswith("file:"):
        raise AddressError(
            f"{SETTING} names no file, and records in memory would be lost: write sqlite:/// and "
            "the path of a file"
        )
    if url.host or url.port or url.username or url.password or url.query:
        raise AddressError(f"{SETTING}: sqlite:/// must be followed by the path of a file only")
    return url
