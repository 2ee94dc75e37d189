"""The ledger: adds events to this process' chain, a transaction for each group."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.events import Entry, Event, Reply
from app.records.chain import Head, Seal, genesis, sealed
from app.records.tables import chains, events, replies

REPLY_SECONDS = 86_400
"""For how long a reply is kept."""


class Ledger:
    """One chain. One thread at a time may write."""

    def __init__(self, engine: Engine, key: bytes, chain: str) -> None:
        """Begin a chain, which covers where those before it have come to."""
        self._engine = engine
        self._key = key
        with engine.begin() as connection:
            self._head = _begun(connection, key, chain)

    @property
    def head(self) -> Head:
        """Where the chain has come to."""
        return self._head

    def write(self, entries: Sequence[Entry]) -> list[bool]:
        """Add what entries hold, in order: all of it or, where this raises, nothing.

        Returns:
            For each entry whether it was added: one whose reply has another's key is not.

        Raises:
            SQLAlchemyError: the database did not take it.
        """
        with self._engine.begin() as connection:
            added = [entry.reply is None or _is_first(connection, entry.reply) for entry in entries]
            head, rows = self._head, list[dict[str, Any]]()
            for entry, is_added in zip(entries, added, strict=True):
                for event in entry.events if is_added else ():
                    seal = sealed(self._key, head, event)
                    rows.append(_row(head.chain, event, seal))
                    head = Head(head.chain, seal.sequence, seal.link)
            if rows:
                connection.execute(insert(events), rows)
                _move(connection, head)
        self._head = head
        return added

    def forget_replies(self) -> None:
        """Let go of replies that are older than a day."""
        before = time.time_ns() // 1000 - REPLY_SECONDS * 1_000_000
        with self._engine.begin() as connection:
            connection.execute(delete(replies).where(replies.c.time < before))


def _begun(connection: Connection, key: bytes, chain: str) -> Head:
    started, heads = time.time_ns() // 1000, json.dumps(_open_heads(connection))
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


def _row(chain: str, event: Event, seal: Seal) -> dict[str, Any]:
    return {
        "chain": chain,
        "sequence": seal.sequence,
        "kind": event.kind,
        "prediction": event.prediction,
        "time": event.time,
        "body": event.body,
        "personal": event.personal,
        "salt": seal.salt,
        "digest": seal.digest,
        "link": seal.link,
        "reference": event.reference,
    }


def _is_first(connection: Connection, reply: Reply) -> bool:
    """Whether nobody has answered to its key yet; then it is added."""
    try:
        with connection.begin_nested():
            connection.execute(insert(replies).values(asdict(reply)))
    except IntegrityError:
        return False
    return True


def _move(connection: Connection, head: Head) -> None:
    connection.execute(
        update(chains)
        .where(chains.c.chain == head.chain)
        .values(sequence=head.sequence, link=head.link)
    )
