"""Admission: whoever goes on with records has their key, or begins anew on purpose."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from app.errors import RecordsError
from app.record_events import Entry, Event, now
from app.records import key
from app.records.chain import genesis
from app.records.ledger import Ledger
from app.records.schema import turn
from app.records.state_files import shown
from app.records.tables import chains

COMMAND = "`dubito records new-key`"


def admitted(connection: Connection, file: Path) -> bytes:
    """The key to go on with; it is made where there is neither a key nor a record.

    Raises:
        RecordsError: the key is missing, or is not the one that these records are chained by.
    """
    newest = _newest(connection)
    if newest is None:
        return key.read_or_make(file)
    if not key.is_there(file):
        raise RecordsError(
            f"there are records, but the key that chains them is not in {shown(file)}: put it "
            f"back, or begin a new chain under a new key with {COMMAND}"
        )
    keys = key.read_all(file)
    if not any(is_by(one, newest) for one in keys):
        raise RecordsError(
            f"{shown(file)} does not hold the key that chains these records: put that one back, "
            f"or begin a new chain under a new key with {COMMAND}"
        )
    return keys[0]


def is_by(key: bytes, chain: Row[Any]) -> bool:
    """Whether a chain begins under a key."""
    return bool(genesis(key, chain.chain, chain.started, chain.heads) == chain.genesis)


def begun(engine: Engine, file: Path, chain: str) -> tuple[Ledger, bytes]:
    """A new chain, and its key.

    Raises:
        RecordsError: the key is missing, or is not the one that these records are chained by.
    """
    # Of workers that start at once the first one makes the key, and the others find it.
    with turn(engine):
        with engine.connect() as connection:
            secret = admitted(connection, file)
        return Ledger(engine, secret, chain), secret


def renewed(engine: Engine, file: Path, chain: str) -> int:
    """Begin a chain under a new key, in which an event says so.

    It lists the chains whose key is lost, and where they had come to: nothing can be added to them
    unseen. The key is in its file first, so that there is never a chain without one.

    Returns:
        How many chains are given up so.

    Raises:
        RecordsError: the file of the key cannot be written, or holds something else.
    """
    with turn(engine):
        keys = key.renew(file)
        with engine.connect() as connection:
            rows = connection.execute(select(chains).order_by(chains.c.chain)).all()
        lost = [row for row in rows if not any(is_by(one, row) for one in keys)]
        heads = [[row.chain, row.sequence, row.link.hex()] for row in lost]
        body = json.dumps({"lost": heads}, separators=(",", ":")).encode()
        with closing(Ledger(engine, keys[0], chain)) as ledger:
            ledger.write([Entry((Event("key", "", now(), body),))])
    return len(lost)


def _newest(connection: Connection) -> Row[Any] | None:
    """The chain that was begun last: none says where it had come to.

    Their times do not tell, as a clock may be set back.
    """
    rows = connection.execute(select(chains).order_by(chains.c.started, chains.c.chain)).all()
    covered = {head[0] for row in rows for head in json.loads(row.heads)}
    last = next((row for row in reversed(rows) if row.chain not in covered), None)
    return rows[-1] if last is None and rows else last
