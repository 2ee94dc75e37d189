"""The ledger: adds events to this process' chain, a transaction for each group."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.events import MICROSECONDS, Entry, Event, Reply, now
from app.records.chain import Head, Seal, genesis, sealed
from app.records.tables import chains, events, replies

REPLY_SECONDS = 86_400
"""For how long a reply is kept."""
NOTHING = {"personal": None, "salt": None, "reference": None}
"""What is left of a personal part."""


class Ledger:
    """One chain. One thread at a time may write."""

    def __init__(self, engine: Engine, key: bytes, chain: str) -> None:
        """Begin a chain, which covers where those before it have come to."""
        # Always the same connection: several that write can damage a SQLite database.
        self._connection = engine.connect()
        self._key = key
        with self._connection.begin():
            self._head = _begun(self._connection, key, chain)

    def write(self, entries: Sequence[Entry]) -> list[bool]:
        """Add what entries hold, in order: all of it or, where this raises, nothing.

        Returns:
            For each entry whether it was added: one whose reply has another's key is not.

        Raises:
            SQLAlchemyError: the database did not take it.
        """
        connection = self._connection
        with connection.begin():
            if any(entry.reply is not None for entry in entries):
                _forget(connection)
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

    def erase(self, what: dict[str, Any], where: ColumnElement[bool]) -> None:
        """Erase what is personal of some events, and say so in an event."""
        body = json.dumps(what, separators=(",", ":")).encode()
        # The event first: were there no time for more, a second attempt would find the rest.
        self.write([Entry((Event("erasure", "", now(), body),))])
        gone = select(events.c.prediction).where(where)
        with self._connection.begin():
            self._connection.execute(delete(replies).where(replies.c.prediction.in_(gone)))
            self._connection.execute(update(events).where(where).values(NOTHING))

    def close(self) -> None:
        """End; the chain stays as it is."""
        self._connection.close()


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
