"""The schema: which tables there are, by the number of the migration that made them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, inspect, text

from app.errors import RecordsError

MIGRATIONS = "app.records:migrations"
REVISIONS = ("0001", "0002", "0003")
"""All there ever were, in order."""
HEAD = REVISIONS[-1]
"""What this code writes; it reads the others too."""
VERSIONS = "alembic_version"
"""Alembic's table of the migrations that were made."""
NUMBER = 0x64756269746F
"""Of the lock under which one process at a time begins with a PostgreSQL database."""


@contextmanager
def turn(engine: Engine) -> Iterator[None]:
    """Begin after whoever begins now with the same database; one of SQLite has one process."""
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect() as connection:
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": NUMBER})
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": NUMBER})
            connection.commit()


def state(connection: Connection) -> str | None:
    """The last migration that was made, if any was."""
    if not inspect(connection).has_table(VERSIONS):
        return None
    asked = text(f"SELECT version_num FROM {VERSIONS}")  # noqa: S608 - our own
    found: str | None = connection.scalar(asked)
    return found


def check(found: str | None, *, is_older_fine: bool = False) -> None:
    """Refuse tables that this code does not know, or that are older than it can use.

    Raises:
        RecordsError: there are none, or they are of another Dubito.
    """
    if found is None:
        raise RecordsError("the database is empty: there are no records in it")
    if found not in REVISIONS:
        raise RecordsError(f"a newer Dubito made the records: their schema is {found!r}")
    if found != HEAD and not is_older_fine:
        raise RecordsError(
            f"an older Dubito made the records: `dubito records upgrade` brings their schema from "
            f"{found} to {HEAD}"
        )


def migrate(connection: Connection, to: str = HEAD) -> None:
    """Bring tables of any age, or none, to a state, in the connection's transaction."""
    # Most starts do without what this imports.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    command.upgrade(config, to)
