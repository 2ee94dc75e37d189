"""The address of the records: a file of SQLite, or a database of PostgreSQL."""

import shlex
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.errors import AddressError, RecordsError
from app.records.state_files import shown

FILE = "records.db"
DRIVER = "postgresql+psycopg"
SETTING = "DUBITO_RECORDS_URL"
Address = str | URL
"""A URL that was checked, or as it was given."""


def url_of(url: str | None, state: Path) -> URL:
    """Where records are: the URL that was given, or a file in the service's own folder.

    Raises:
        AddressError: it is no URL of a database in which records can be kept.
    """
    # Built, not pasted: a path may hold what means something in a URL.
    return URL.create("sqlite", database=str(state / FILE)) if url is None else parsed(url)


def parsed(address: Address) -> URL:
    """A URL, checked; the sentence of an error holds nothing of it.

    Raises:
        AddressError: it is no URL of a database in which records can be kept.
    """
    if isinstance(address, URL):
        return address
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # What they say may hold a part of a password, and a traceback would show it.
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
    """Whether an address is SQLite's.

    Raises:
        AddressError: it is no URL of a database in which records can be kept.
    """
    return file_of(address) is not None


def file_of(address: Address) -> Path | None:
    """The file of a database of SQLite, by its real path; None of one of PostgreSQL.

    Raises:
        AddressError: it is no URL of a database in which records can be kept.
        RecordsError: its path cannot be followed.
    """
    url = parsed(address)
    if url.get_backend_name() != "sqlite":
        return None
    path = Path(url.database or "")
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its links go in a circle"
        raise RecordsError(f"{shown(path)}: {reason}") from error


def described(address: Address) -> str:
    """Which database it is, as a sentence may name it: without any password."""
    file, url = file_of(address), parsed(address)
    if file is not None:
        return shown(file)
    kept = {name: url.query[name] for name in ("host", "port", "dbname") if name in url.query}
    return URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, kept
    ).render_as_string()


def dump_command(address: Address, file: str) -> str:
    """How a database of PostgreSQL is dumped to a file; it asks for the password if need be."""
    url = parsed(address)
    host, port = url.host or url.query.get("host"), url.port or url.query.get("port")
    given = {"host": host, "port": port, "username": url.username, "dbname": url.database}
    flags = [f"--{name}={value}" for name, value in given.items() if value]
    return shlex.join(["pg_dump", "--format=custom", f"--file={file}", *flags])


def _file_url(url: URL) -> URL:
    """A URL of SQLite that names a file and nothing else.

    Raises:
        AddressError: it names none, or says more.
    """
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise AddressError(f"{SETTING}: of SQLite's drivers there is only sqlite:/// here")
    name = url.database or ""
    if name in ("", ":memory:") or name.startswith("file:"):
        raise AddressError(
            f"{SETTING} names no file, and records in memory would be lost: write sqlite:/// and "
            "the path of a file"
        )
    if url.host or url.port or url.username or url.password or url.query:
        raise AddressError(f"{SETTING}: after sqlite:/// there is the path of a file, nothing else")
    return url
