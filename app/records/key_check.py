"""Checks that the key file matches the existing records before a new chain starts."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from app.errors import RecordsError
from app.record_events import FORMAT, Entry, Event, now
from app.records import key
from app.records.address import database_class
from app.records.chain import genesis
from app.records.ledger import Ledger
from app.records.state_files import one_line
from app.records.tables import chains

COMMAND = "`dubito records new-key`"


def admitted(connection: Connection, file: Path) -> bytes:
    """Return the key for a new chain; create it if there is neither a key nor a record.

    Raises:
        RecordsError: the key is missing, or is not the key of the existing chains.
    """
    newest = _newest(connection)
    if newest is None:
        return key.read_or_make(file)
    if not key.is_there(file):
        raise RecordsError(
            f"there are records, but the key that chains them is not in {one_line(file)}: put it "
            f"back, or begin a new chain under a new key with {COMMAND}"
        )
    keys = key.read_all(file)
    if not any(is_by(one, newest) for one in keys):
        raise RecordsError(
            f"{one_line(file)} does not hold the key that chains these records: put that one back, "
            f"or begin a new chain under a new key with {COMMAND}"
        )
    return keys[0]


def is_by(key: bytes, chain: Row[Any]) -> bool:
    """Whether the start of a chain was made with a key."""
    return bool(genesis(key, chain.chain, chain.started, chain.heads) == chain.genesis)


def start_chain(engine: Engine, file: Path, chain: str) -> tuple[Ledger, bytes]:
    """Start a new chain; return its ledger and its key.

    Raises:
        RecordsError: the key is missing, or is not the key of the existing chains.
    """
    # When several workers start at once, the first creates the key and the others read it.
    with database_class(engine).turn(engine):
        with engine.connect() as connection:
            secret = admitted(connection, file)
        return Ledger(engine, secret, chain), secret


def renewed(engine: Engine, file: Path, chain: str) -> int:
    """Start a chain under a new key, with an event that says so.

    The event lists the chains whose key is lost and their last links, so that nothing can be added
    to them unnoticed. The key reaches its file before the chain exists, so that no chain is ever
    without a key.

    Returns:
        The number of chains whose key is lost.

    Raises:
        RecordsError: the key file cannot be written, or contains something else.
    """
    with database_class(engine).turn(engine):
        keys = key.renew(file)
        with engine.connect() as connection:
            rows = connection.execute(select(chains).order_by(chains.c.chain)).all()
        lost = [row for row in rows if not any(is_by(one, row) for one in keys)]
        heads = [[row.chain, row.sequence, row.link.hex()] for row in lost]
        body = json.dumps({"format": FORMAT, "lost": heads}, separators=(",", ":")).encode()
        with closing(Ledger(engine, keys[0], chain)) as ledger:
            ledger.write([Entry((Event("key", "", now(), body),))])
    return len(lost)


def _newest(connection: Connection) -> Row[Any] | None:
    """Return the newest chain: the latest whose head no other chain covers.

    The start times alone do not decide, since a clock may have been set back.
    """
    rows = connection.execute(select(chains).order_by(chains.c.started, chains.c.chain)).all()
    covered = {head[0] for row in rows for head in json.loads(row.heads)}
    last = next((row for row in reversed(rows) if row.chain not in covered), None)
    return rows[-1] if last is None and rows else last
