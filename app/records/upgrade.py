"""Upgrades the schema of records written by an older Dubito, after making a copy."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from app.errors import RecordsError
from app.records import sqlite
from app.records.schema import HEAD, check, migrate, state, turn
from app.records.state_files import one_line, open_new, sync_folder, write_file


def before(engine: Engine) -> str:
    """Return the schema version of a database that may be upgraded.

    Raises:
        RecordsError: the database is empty, or a newer Dubito wrote it.
    """
    with engine.connect() as connection:
        found = state(connection)
    check(found, is_older_fine=True)
    return str(found)


def copied(file: Path, schema: str) -> Path:
    """Copy a SQLite database to a file beside it, complete and synced to the disk.

    Raises:
        RecordsError: the copy cannot be written.
        sqlite3.Error: the database cannot be read.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = file.with_name(f"{file.name}.schema-{schema}.{moment}")
    try:
        write_file(open_new(copy), b"")
        _back_up(file, copy)
        sync_folder(copy.parent)
    except BaseException as error:
        copy.unlink(missing_ok=True)
        if isinstance(error, OSError | sqlite3.Error):
            reason = error.strerror if isinstance(error, OSError) else error
            raise RecordsError(f"{one_line(copy)} cannot be written: {reason}") from error
        raise
    return copy


def upgrade(engine: Engine) -> None:
    """Migrate a database to the newest schema, in one transaction."""
    with turn(engine), engine.begin() as connection:
        if state(connection) != HEAD:
            migrate(connection)


def _back_up(file: Path, copy: Path) -> None:
    with closing(sqlite.connect(file, "rw")) as source, closing(sqlite.connect(copy, "rw")) as to:
        source.backup(to)
        # The copy is a single file, readable without a write-ahead log beside it.
        to.execute("PRAGMA journal_mode=DELETE")
    with copy.open("rb") as written:
        os.fsync(written.fileno())
