"""What waits in a journal, for commands that read the records and write nothing.

A service may go on meanwhile, or have been killed: the next one brings the tables up to date.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.event import listens_for

from app.errors import RecordsError
from app.records.address import Address, database_at
from app.records.database import reading
from app.records.group_commit import Build, entries_of
from app.records.group_message import decode_introduction
from app.records.journal_frame import Content, read_journal
from app.records.table_batch import MARK, TableBatch, applied_by, unapplied
from app.records.tables import events

Keys = Callable[[], Sequence[bytes]]

ATTEMPTS = 5
PAUSE = 0.1
"""Seconds between two attempts to read a journal that is being written."""

COLUMNS = ", ".join(column.name for column in events.columns)
OVERLAY = (
    "CREATE TEMP TABLE waiting AS SELECT *, 0 AS frame FROM main.events LIMIT 0",
    f"""CREATE TEMP VIEW events AS SELECT {COLUMNS} FROM main.events
        UNION ALL SELECT {COLUMNS} FROM temp.waiting WHERE frame >
        (SELECT coalesce(max(position), 0) FROM main.marks WHERE name = '{MARK}')""",  # noqa: S608 - names of our own
)
"""Statements after which queries of a connection see the events that wait as well, each until a
service that goes on has brought it to the tables."""
ADD = (
    "INSERT INTO temp.waiting (chain, sequence, frame, kind, prediction, time, body, personal, "
    "reference) VALUES ('journal', ?, ?, ?, ?, ?, ?, ?, ?)"
)


def waiting(address: Address, keys: Keys, connection: Connection) -> list[TableBatch]:
    """Return what the journal of a database holds and its tables lack.

    Args:
        address: address of the database.
        keys: reads the keys of the records; called if there is a journal.
        connection: connection to the records, not within a transaction.

    Raises:
        RecordsError: the journal is damaged or cannot be read.
    """
    return _read(address, keys, connection)[1]


@contextmanager
def reading_all(address: Address, keys: Keys, build: Build) -> Iterator[Engine]:
    """Open records for reading within a block, with the events that wait in the journal.

    Raises:
        RecordsError: the records or their journal cannot be read.
    """
    with reading(address) as engine:
        with engine.connect() as connection:
            content, batches = _read(address, keys, connection)
        if batches:
            engine.dispose()
            _overlay(engine, list(_rows(content, batches, build)))
        yield engine


def _read(
    address: Address, keys: Keys, connection: Connection, attempts: int = ATTEMPTS
) -> tuple[Content, list[TableBatch]]:
    file = database_at(address).journal
    if file is None or not file.exists():
        return Content(None, ()), []
    try:
        # First the journal: what is overwritten meanwhile is in the tables by then.
        content = read_journal(file, keys())
        return content, unapplied(content, _applied(connection))
    except RecordsError:
        if attempts == 1:
            raise
    # A frame may have been written behind the place that was read, and the next before it.
    time.sleep(PAUSE)
    return _read(address, keys, connection, attempts - 1)


def _applied(connection: Connection) -> int:
    with connection.begin():
        return applied_by(connection)


def _rows(
    content: Content, batches: Sequence[TableBatch], build: Build
) -> Iterator[tuple[Any, ...]]:
    """Yield the values of `ADD` for every event that waits."""
    introduction = content.introduction
    made = None if introduction is None else build(decode_introduction(introduction))
    number = count(1)
    for batch in batches:
        items = [item for group in batch.groups for item in group.items]
        for one in (event for entry in entries_of(made, items).entries for event in entry.events):
            about = (one.kind, one.prediction, one.time, one.body, one.personal, one.reference)
            yield (next(number), batch.last.sequence, *about)


def _overlay(engine: Engine, rows: Sequence[tuple[Any, ...]]) -> None:
    @listens_for(engine, "connect")
    def add(connection: sqlite3.Connection, _: object) -> None:
        for statement in OVERLAY:
            connection.execute(statement)
        connection.executemany(ADD, rows)
