"""Opens the records for writing: the database, its journal, the key and a new chain."""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from app.errors import RecordsError
from app.records.address import Address, database_at
from app.records.cause import NotWritten
from app.records.database import legible, open_database
from app.records.databases.database import Database
from app.records.group_commit import Build, CommitThread
from app.records.journal import Journal
from app.records.key import read_all
from app.records.key_check import start_chain
from app.records.ledger import Ledger
from app.records.queries import Source
from app.records.state_files import exposed, one_line
from app.records.store import Store, stored
from app.records.table_batch import applied_by, recover
from app.records.write_probe import Watched

log = logging.getLogger("dubito.records")


@dataclass(frozen=True, slots=True)
class OpenRecords:
    """Records that are open for writing in this process."""

    engine: Engine
    ledger: Ledger
    book: Watched
    journal: Journal | None
    """None if it was not asked for, or the database makes groups durable itself."""
    notes: Sequence[str]
    """Warnings for an operator, one sentence each."""


@contextmanager
def writing(
    url: Address,
    key: Path,
    chain: str,
    build: Build,
    *,
    is_journaled: bool = False,
    fresh: bool = True,
) -> Iterator[OpenRecords]:
    """Open a database and start a new chain in it, within a block.

    Args:
        url: URL of the database, as SQLAlchemy spells it.
        key: path of the key file.
        chain: identifier of the new chain.
        build: builds, for the served bundles, the function that turns drafts into entries.
        is_journaled: whether groups are put into a journal first, if the database has one.
        fresh: whether a missing database is created.

    Raises:
        RecordsError: the database, its journal or the key cannot be used.
    """
    database = database_at(url)
    missed = _missed(database, key)
    with ExitStack() as stack:
        engine = stack.enter_context(open_database(url, fresh=fresh))
        with legible("the records cannot be opened"):
            ledger, secret = start_chain(engine, key, chain)
            stack.enter_context(closing(ledger))
            recovered = _recovered(database, engine, ledger, key, build)
            journal = _journal(database, engine, secret) if is_journaled else None
            if journal is not None:
                stack.enter_context(closing(journal))
            book = Watched(ledger, database.opened_files(), secret, key)
        notes = [*exposed((key, *database.files)), *missed, *recovered]
        yield OpenRecords(engine, ledger, book, journal, notes)


def _journal(database: Database, engine: Engine, secret: bytes) -> Journal | None:
    """Create the journal of a database that has one."""
    if database.journal is None:
        return None
    with engine.connect() as connection:
        journal = Journal(database.journal, secret, applied_by(connection))
    # Its thread looks at the files as well.
    journal.files = database.opened_files()
    return journal


def _recovered(
    database: Database, engine: Engine, ledger: Ledger, key: Path, build: Build
) -> list[str]:
    """Bring the tables up to date with the journal of a service that was killed.

    Returns:
        A sentence for an operator, if the tables lacked something.

    Raises:
        RecordsError: the journal is damaged, or the tables do not take what it holds.
    """
    if database.journal is None or not database.journal.exists():
        return []
    with engine.connect() as connection:
        applied = applied_by(connection)
    try:
        count = recover(ledger, database.journal, applied, read_all(key), build)
    except NotWritten as failure:
        raise RecordsError(f"the journal cannot be applied: {failure}") from None
    return [f"{count:,} events of a service that was ended have been added"] if count else []


def _missed(database: Database, key: Path) -> list[str]:
    """Return a warning if there is a key but the records' file is missing or empty."""
    if not database.is_missing or not key.is_file():
        return []
    names = f"{database.name} was missing or empty, though {one_line(key)} was there"
    return [f"{names}: unless this is the first start, records are lost"]


@asynccontextmanager
async def open_store(url: Address, key: Path, chain: str, build: Build) -> AsyncIterator[Store]:
    """Open a store that a thread of this process writes, within a block; raises like `writing`."""
    with (
        writing(url, key, chain, build) as records,
        closing(CommitThread(records.book, build, records.book.look)) as pages,
    ):
        for note in records.notes:
            log.warning("%s", note)
        async with stored(Source(records.engine), pages) as store:
            yield store
