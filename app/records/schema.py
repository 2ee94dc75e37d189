"""The version of the database schema: the number of the last migration applied."""

from sqlalchemy import Connection, Engine, inspect, text

from app.errors import RecordsError
from app.records.address import database_class

MIGRATIONS = "app.records:migrations"
REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Numbers of all migrations, in order."""
HEAD = REVISIONS[-1]
"""Schema version that this code writes; older versions can still be read."""
VERSIONS = "alembic_version"
"""Alembic's table of applied migrations."""


def state(connection: Connection) -> str | None:
    """Return the number of the last migration applied; None for an empty database."""
    if not inspect(connection).has_table(VERSIONS):
        return None
    asked = text(f"SELECT version_num FROM {VERSIONS}")  # noqa: S608 - our own
    found: str | None = connection.scalar(asked)
    return found


def check(found: str | None, *, is_older_fine: bool = False) -> None:
    """Reject a schema that this code does not know, or that is too old to write to.

    Raises:
        RecordsError: the database is empty, or has the schema of another version of Dubito.
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
    """Migrate a database of any age, or an empty one, within the connection's transaction."""
    # Importing Alembic is slow, and most starts need no migration.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def upgradable(engine: Engine) -> str:
    """Return the schema version of a database that may be upgraded.

    Raises:
        RecordsError: the database is empty, or a newer Dubito wrote it.
    """
    with engine.connect() as connection:
        found = state(connection)
    check(found, is_older_fine=True)
    return str(found)


def upgrade(engine: Engine) -> None:
    """Migrate a database to the newest schema, in one transaction."""
    with database_class(engine).turn(engine), engine.begin() as connection:
        if state(connection) != HEAD:
            migrate(connection)
