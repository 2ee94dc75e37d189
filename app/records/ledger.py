"""The ledger: adds events to this process' chain, a transaction for each group."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from app.clock import Clock
from app.record_events import MICROSECONDS, Entry, Erasure, Event, now
from app.records import conflicts, review_queue
from app.records.bulk_insert import Addition, Statement
from app.records.chain import Head, Seal, genesis, salts, sealed
from app.records.erasure import erase, said
from app.records.rollups import Rollups
from app.records.tables import chains, events, referrals

Result = TypeVar("Result")

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
            conflicts.redate(self._connection, now(), None)
        self._clock, self._set_back = Clock(), 0
        """And microseconds, below 0, of which replies do not know yet that it was set back."""
        self._is_sure = True
        """Whether the chain is known to have come to the head, and the rollups to their counts."""
        self._is_committing = False
        """Whether the last transaction had come to its commit."""

    def write(self, entries: Sequence[Entry]) -> list[bool]:
        """Add what entries hold, in order: all of it or, where this raises, nothing.

        Where the connection is lost while it commits, nobody knows which of both it was.

        Returns:
            For each entry whether it was added: one is not whose reply has another's key, which
            has an event whose number is taken, or whose note is behind or follows another one.

        Raises:
            Exception: SQLAlchemy's or the driver's; the database did not take it.
        """
        added = self._run(lambda connection: self._written(connection, entries))
        self._set_back = 0
        return added

    def erase(self, erasure: Erasure) -> int:
        """Erase what is personal of some events, and say so; returns of how many predictions.

        Raises:
            Exception: SQLAlchemy's or the driver's; the database did not take it.
        """
        return self._run(lambda connection: self._erased(connection, erasure))

    def touch(self) -> None:
        """Write once more where the chain has come to, to see whether anything can be written.

        Raises:
            Exception: SQLAlchemy's or the driver's; the database did not take it.
        """
        self._run(self._touched)

    def _touched(self, connection: Connection) -> None:
        head, cursor = self._head, connection.connection.cursor()
        self._move.run(cursor, own=head.chain, come_to=head.sequence, last=head.link)

    def _written(self, connection: Connection, entries: Sequence[Entry]) -> list[bool]:
        time = now()
        self._set_back += min(0, int(self._clock.step() * MICROSECONDS))
        if self._set_back:
            conflicts.redate(connection, time, self._set_back)
        added = conflicts.settled(connection, entries, time)
        taken = [entry for entry, is_added in zip(entries, added, strict=True) if is_added]
        self._append(connection, [one for entry in taken for one in entry.events])
        tallies = [entry.tally for entry in taken if entry.tally is not None]
        self._rollups.add(connection, tallies, time)
        self._refer.run(connection.connection.cursor(), review_queue.rows(taken))
        review_queue.move(connection, taken)
        for entry in taken:
            if entry.erasure is not None:
                self._erased(connection, entry.erasure)
        if any(entry.reply is not None for entry in entries):
            conflicts.drop_expired(connection, time)
        return added

    def _erased(self, connection: Connection, erasure: Erasure) -> int:
        erased = erase(connection, erasure)
        if erased:
            self._append(connection, [said(erasure, erased)])
        return len({one.prediction for one in erased})

    def _run(self, work: Callable[[Connection], Result]) -> Result:
        """Do something in a transaction, once more if the connection was lost before its commit.

        A server that was restarted has ended connections that were idle, which is noticed when one
        is used. Nothing is committed then, so that doing it again adds nothing twice.
        """
        try:
            return self._done(work)
        except Exception as error:
            if self._is_committing or not self._is_lost(error):
                raise
            return self._done(work)

    def _done(self, work: Callable[[Connection], Result]) -> Result:
        """A transaction; after one that failed all that it may have changed is looked at anew."""
        is_sure, self._is_sure = self._is_sure, False
        self._is_committing = False
        if not is_sure:
            self._reconnect()
        with self._connection.begin():
            if not is_sure:
                self._head = _found(self._connection, self._head.chain)
                self._rollups.recall(self._connection)
            result = work(self._connection)
            self._is_committing = True
        self._is_sure = True
        return result

    def _is_lost(self, error: Exception) -> bool:
        """Whether an error means that the connection is of no use any more."""
        if isinstance(error, DBAPIError):
            return error.connection_invalidated
        # What goes to the driver itself fails with the driver's own errors.
        dialect, connection = self._engine.dialect, self._connection
        return (
            isinstance(error, dialect.loaded_dbapi.Error)
            and not connection.invalidated
            and dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
        )

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
