"""The ledger: adds events to this process' chain, a transaction for each group."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import InvalidRequestError

from app.events import MICROSECONDS, Entry, Event, now
from app.records import queue
from app.records.chain import Head, Seal, genesis, salts, sealed
from app.records.contest import settled
from app.records.rollups import Rollups
from app.records.statement import Addition, Statement
from app.records.tables import chains, events, referrals, replies

REPLY_SECONDS = 86_400
"""For how long a reply is kept."""
NOTHING = {"personal": None, "salt": None, "reference": None}
"""What is left of a personal part."""
MOVE = (
    update(chains)
    .where(chains.c.chain == bindparam("own"))
    .values(sequence=bindparam("come_to"), link=bindparam("last"))
)


class Ledger:
    """One chain. One thread at a time may write."""

    def __init__(self, engine: Engine, key: bytes, chain: str) -> None:
        """Begin a chain, which covers where those before it have come to."""
        self._engine = engine
        # One at a time: several connections that write can damage a SQLite database.
        self._connection = engine.connect()
        self._key = key
        self._rollups = Rollups(engine.dialect, chain)
        self._add = Addition(engine.dialect, events)
        self._refer = Addition(engine.dialect, referrals)
        self._move = Statement(engine.dialect, MOVE)
        with self._connection.begin():
            self._head = _begun(self._connection, key, chain)
        self._is_sure = True
        """Whether the chain is known to have come to the head, and the rollups to their counts."""

    def write(self, entries: Sequence[Entry]) -> list[bool]:
        """Add what entries hold, in order: all of it or, where this raises, nothing.

        Where the connection is lost while it commits, nobody knows which of both it was.

        Returns:
            For each entry whether it was added: one is not whose reply has another's key, which
            claims what is claimed already, or whose mark is behind.

        Raises:
            Exception: SQLAlchemy's or the driver's; the database did not take it.
        """
        with self._transaction() as connection:
            if any(entry.reply is not None for entry in entries):
                _forget(connection)
            added = settled(connection, entries)
            taken = [entry for entry, is_added in zip(entries, added, strict=True) if is_added]
            self._append(connection, [one for entry in taken for one in entry.events])
            tallies = [entry.tally for entry in taken if entry.tally is not None]
            self._rollups.add(connection, tallies, now())
            self._refer.run(connection.connection.cursor(), queue.rows(taken))
            queue.release(connection, taken)
            for entry in taken:
                if entry.forget is not None:
                    _erase(connection, events.c.time < entry.forget)
        return added

    def erase(self, what: dict[str, Any], where: ColumnElement[bool]) -> None:
        """Erase what is personal of some events, and say so in an event.

        Raises:
            Exception: SQLAlchemy's or the driver's; the database did not take it.
        """
        with self._transaction() as connection:
            self._append(connection, [erasure(what)])
            _erase(connection, where)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction; after one that failed all that it may have changed is looked at anew."""
        is_sure, self._is_sure = self._is_sure, False
        if not is_sure:
            self._reconnect()
        with self._connection.begin():
            if not is_sure:
                self._head = _found(self._connection, self._head.chain)
                self._rollups.recall(self._connection)
            yield self._connection
        self._is_sure = True

    def _reconnect(self) -> None:
        """Let go of a connection that may be lost, or in the middle of something."""
        with suppress(InvalidRequestError):
            self._connection.invalidate()
        self._connection.close()
        self._connection = self._engine.connect()

    def _append(self, connection: Connection, more: Sequence[Event]) -> None:
        """Go on with some more events."""
        head, rows = self._head, list[tuple[Any, ...]]()
        for event, salt in zip(more, salts(len(more)), strict=True):
            seal = sealed(self._key, head, event, salt)
            head = Head(head.chain, seal.sequence, seal.link)
            rows.append(_row(head.chain, event, seal))
        if rows:
            cursor = connection.connection.cursor()
            self._add.run(cursor, rows)
            self._move.run(cursor, own=head.chain, come_to=head.sequence, last=head.link)
        self._head = head

    def close(self) -> None:
        """End; the chain stays as it is."""
        self._connection.close()


def erasure(what: dict[str, Any]) -> Event:
    """The event that says what was erased."""
    return Event("erasure", "", now(), json.dumps(what, separators=(",", ":")).encode())


def _forget(connection: Connection) -> None:
    """Let go of replies that are older than a day."""
    before = now() - REPLY_SECONDS * MICROSECONDS
    connection.execute(delete(replies).where(replies.c.time < before))


def _begun(connection: Connection, key: bytes, chain: str) -> Head:
    started, heads = now(), json.dumps(_open_heads(connection))
    link = genesis(key, chain, started, heads)
    connection.execute(
        insert(chains).values(
            chain=chain, started=started, heads=heads, genesis=link, sequence=0, link=link
        )
    )
    return Head(chain, 0, link)


def _open_heads(connection: Connection) -> list[list[Any]]:
    """Where chains have come to, as far as no other chain covers it already."""
    rows = connection.execute(select(chains).order_by(chains.c.chain)).all()
    covered = {tuple(head) for row in rows for head in json.loads(row.heads)}
    heads = ((row.chain, row.sequence, row.link.hex()) for row in rows)
    return [list(head) for head in heads if head not in covered]


def _row(chain: str, event: Event, seal: Seal) -> tuple[Any, ...]:
    """The row of an event, in the order of its columns."""
    return (
        chain,
        seal.sequence,
        event.kind,
        event.prediction,
        event.time,
        event.body,
        event.personal,
        seal.salt,
        seal.digest,
        seal.link,
        event.reference,
    )


def _found(connection: Connection, chain: str) -> Head:
    """Where a chain has come to; waits for a transaction that still moves it."""
    asked = select(chains.c.sequence, chains.c.link).where(chains.c.chain == chain)
    row = connection.execute(asked.with_for_update()).one()
    return Head(chain, row.sequence, row.link)


def _erase(connection: Connection, where: ColumnElement[bool]) -> None:
    """Take away what is personal of some events, and whole answers to them."""
    gone = select(events.c.prediction).where(where)
    connection.execute(delete(replies).where(replies.c.prediction.in_(gone)))
    connection.execute(update(events).where(where).values(NOTHING))
