"""Appends events to this process's chain, one transaction for each group of entries."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from app.clock import Clock
from app.record_events import MICROSECONDS, Entry, Erasure, Event, now
from app.records import conflicts, review_queue
from app.records.bulk_insert import Addition, InsertStatement
from app.records.chain import ChainHead, Seal, genesis, salts, sealed
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
    """One chain. Only one thread at a time may write to it."""

    def __init__(self, engine: Engine, key: bytes, chain: str) -> None:
        """Start a chain, whose first link covers the heads of all earlier chains."""
        self._engine = engine
        # A single connection: several connections that write can damage a SQLite database.
        self._connection = engine.connect()
        self._key = key
        self._rollups = Rollups(engine.dialect, chain)
        self._add = Addition(engine.dialect, events)
        self._refer = Addition(engine.dialect, referrals)
        self._move = InsertStatement(engine.dialect, MOVE)
        with self._connection.begin():
            self._head = _begun(self._connection, key, chain)
            conflicts.redate(self._connection, now(), None)
        self._clock, self._set_back = Clock(), 0
        """Clock that reports steps, and microseconds (0 or negative) by which it was set back since
        replies were last redated."""
        self._is_sure = True
        """Whether the head and the rollups' counts held in memory are known to match the
        database."""
        self._is_committing = False
        """Whether the last transaction had reached its commit."""

    def write(self, entries: Sequence[Entry], at: int | None = None) -> list[bool]:
        """Append entries in order, in one transaction: all of them or, if this raises, none.

        If the connection is lost during the commit, it is unknown whether the transaction took
        place.

        Args:
            entries: the entries.
            at: time at which they are counted, microseconds since 1970; None for now.

        Returns:
            For each entry whether it was added. An entry is not added if another entry holds the
            key of its reply, if the number of its event is taken, or if its note is behind the
            stored note or does not follow it.

        Raises:
            Exception: SQLAlchemy's or the driver's error if the database did not accept the
                entries.
        """
        added = self._run(lambda connection: self._written(connection, entries, at))
        self._set_back = 0
        return added

    def erase(self, erasure: Erasure) -> int:
        """Erase personal parts and record it; return the number of predictions affected.

        Raises:
            Exception: SQLAlchemy's or the driver's error if the database did not accept the
                erasure.
        """
        return self._run(lambda connection: self._erased(connection, erasure))

    def touch(self) -> None:
        """Rewrite the chain's head unchanged, to test whether the database can be written.

        Raises:
            Exception: SQLAlchemy's or the driver's error if the database cannot be written.
        """
        self._run(self._touched)

    def _touched(self, connection: Connection) -> None:
        head, cursor = self._head, connection.connection.cursor()
        self._move.run(cursor, own=head.chain, come_to=head.sequence, last=head.link)

    def _written(
        self, connection: Connection, entries: Sequence[Entry], at: int | None
    ) -> list[bool]:
        time = now()
        self._set_back += min(0, int(self._clock.step() * MICROSECONDS))
        if self._set_back:
            conflicts.redate(connection, time, self._set_back)
        added = conflicts.settled(connection, entries, time)
        taken = [entry for entry, is_added in zip(entries, added, strict=True) if is_added]
        self._append(connection, [one for entry in taken for one in entry.events])
        tallies = [entry.tally for entry in taken if entry.tally is not None]
        self._rollups.add(connection, tallies, time if at is None else at)
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
        """Run work in a transaction; retry once if the connection was lost before the commit.

        A restarted server has closed idle connections, which is noticed only on the next use.
        Nothing was committed then, so the retry cannot add anything twice.
        """
        try:
            return self._done(work)
        except Exception as error:
            if self._is_committing or not self._is_lost(error):
                raise
            return self._done(work)

    def _done(self, work: Callable[[Connection], Result]) -> Result:
        """Run one transaction; after a failed one, reload the head and the counts first."""
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
        """Whether an error means that the connection is unusable."""
        if isinstance(error, DBAPIError):
            return error.connection_invalidated
        # Statements passed straight to the driver raise the driver's own errors.
        dialect, connection = self._engine.dialect, self._connection
        return (
            isinstance(error, dialect.loaded_dbapi.Error)
            and not connection.invalidated
            and dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
        )

    def _reconnect(self) -> None:
        """Replace a connection that may be lost, or may have an open transaction."""
        with suppress(InvalidRequestError):
            self._connection.invalidate()
        self._connection.close()
        self._connection = self._engine.connect()

    def _append(self, connection: Connection, more: Sequence[Event]) -> None:
        """Append events to the chain and move its head."""
        head, rows = self._head, list[tuple[Any, ...]]()
        for event, salt in zip(more, salts(len(more)), strict=True):
            seal = sealed(self._key, head, event, salt)
            head = ChainHead(head.chain, seal.sequence, seal.link)
            rows.append(_row(head.chain, event, seal))
        if rows:
            cursor = connection.connection.cursor()
            self._add.run(cursor, rows)
            self._move.run(cursor, own=head.chain, come_to=head.sequence, last=head.link)
        self._head = head

    def close(self) -> None:
        """Close the connection; the chain stays as it is."""
        self._connection.close()


def _begun(connection: Connection, key: bytes, chain: str) -> ChainHead:
    started, heads = now(), json.dumps(_open_heads(connection))
    link = genesis(key, chain, started, heads)
    connection.execute(
        insert(chains).values(
            chain=chain, started=started, heads=heads, genesis=link, sequence=0, link=link
        )
    )
    return ChainHead(chain, 0, link)


def _open_heads(connection: Connection) -> list[list[Any]]:
    """List the heads of all chains that no other chain covers already."""
    rows = connection.execute(select(chains).order_by(chains.c.chain)).all()
    covered = {tuple(head) for row in rows for head in json.loads(row.heads)}
    heads = ((row.chain, row.sequence, row.link.hex()) for row in rows)
    return [list(head) for head in heads if head not in covered]


def _row(chain: str, event: Event, seal: Seal) -> tuple[Any, ...]:
    """Return the row of an event, in the order of the table's columns."""
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


def _found(connection: Connection, chain: str) -> ChainHead:
    """Load the head of a chain; waits for a transaction that still moves it."""
    asked = select(chains.c.sequence, chains.c.link).where(chains.c.chain == chain)
    row = connection.execute(asked.with_for_update()).one()
    return ChainHead(chain, row.sequence, row.link)
