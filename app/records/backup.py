"""Backs records up while a service writes them: the database, and what waits in its journal."""

import time
from pathlib import Path

from app.errors import RecordsError
from app.records.address import Address, database_at
from app.records.database import legible, reading
from app.records.databases.sqlite import SQLite
from app.records.state_files import one_line, open_new, write_file
from app.records.state_lock import journal_of
from app.records.waiting import ATTEMPTS, PAUSE, Keys, waiting


def back_up(address: Address, copy: Path, keys: Keys) -> int:
    """Copy a SQLite database, with the journal beside it if the copy's tables lack some of it.

    Args:
        address: address of the database.
        copy: path of the copy, which must not exist.
        keys: reads the keys of the records; called if there is a journal.

    Returns:
        The number of events that the journal holds and the copy's tables lack.

    Raises:
        RecordsError: the records cannot be read, or the copy cannot be written.
    """
    database, copy = database_at(address), copy.absolute()
    if not isinstance(database, SQLite):
        raise RecordsError(f"{database.title} has its own tools for backups: see docs/how-to")
    with reading(address):
        pass
    for _ in range(ATTEMPTS):
        # First the journal: what is overwritten in it meanwhile is in the tables by then.
        journal = database.journal.read_bytes() if database.journal.exists() else None
        with legible(f"{one_line(copy)} cannot be written"):
            write_file(open_new(copy), b"")
            database.copy_to(copy)
        try:
            return _keep_journal(copy, journal, keys)
        except RecordsError as error:
            # It was read while a frame was written.
            failed = error
            copy.unlink()
            time.sleep(PAUSE)
    raise failed


def _keep_journal(copy: Path, journal: bytes | None, keys: Keys) -> int:
    """Put a journal beside a copy if its tables lack some of it; return how many events."""
    if journal is None:
        return 0
    file, address = journal_of(copy), f"sqlite:///{copy}"
    with legible(f"{one_line(file)} cannot be written"):
        write_file(open_new(file), journal)
    left = 0
    try:
        with reading(address) as engine, engine.connect() as connection:
            left = sum(batch.events for batch in waiting(address, keys, connection))
    finally:
        if not left:
            file.unlink()
    return left
