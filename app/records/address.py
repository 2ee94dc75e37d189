"""Finds the database that an address names: one of those that can store the records."""

from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.errors import AddressError
from app.records.databases.database import SETTING, Database
from app.records.databases.postgresql import PostgreSQL
from app.records.databases.sqlite import SQLite
from app.records.state_lock import FILE

DATABASES: tuple[type[Database], ...] = (PostgreSQL, SQLite)
"""All databases that can store the records."""
Address = str | URL
"""A SQLAlchemy URL, or its text as in the setting."""


def url_of(url: str | None, state: Path) -> URL:
    """Return the URL of the records' database: the given URL, or a SQLite file in the state folder.

    Raises:
        AddressError: the URL does not name a database that can store records.
    """
    # `URL.create` instead of an f-string: a path may contain characters that are special in a URL.
    # Absolute, so that it never begins with SQLite's own "file:".
    default = URL.create(SQLite.backend, database=str(state.absolute() / FILE))
    return database_at(default if url is None else url).url


def database_at(address: Address) -> Database:
    """Return the database at an address; error messages never quote it, as it may hold a password.

    Raises:
        AddressError: the URL does not name a database that can store records.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # SQLAlchemy's message may contain part of a password, and a traceback would print it.
        raise AddressError(f"{SETTING} is not the URL of a database") from None
    for kind in DATABASES:
        if url.get_backend_name() == kind.backend:
            return kind.parse(url)
    beginnings = " or ".join(kind.beginning for kind in DATABASES)
    raise AddressError(
        f"{SETTING} must begin with {beginnings}, the databases that Dubito has drivers for"
    )


def database_class(engine: Engine) -> type[Database]:
    """Return the class of the database that an engine is connected to."""
    return next(kind for kind in DATABASES if kind.backend == engine.dialect.name)
