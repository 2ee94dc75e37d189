"""The ledger: adds events to this process' chain, a transaction for each group."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeGuard

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.events import MICROSECONDS, Claim, Entry, Event, Mark, now
from app.records.chain import Head, Seal, genesis, sealed
from app.records.rollups import Rollups
from app.records.tables import chains, claims, events, marks, referrals, replies

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
        self._rollups = Rollups(chain)
        with self._connection.begin():
            self._head = _begun(self._connection, key, chain)

    def write(self, entries: Sequence[Entry]) -> list[bool]:
        """Add what entries hold, in order: all of it or, where this raises, nothing.

        Returns:
            For each entry whether it was added: one is not whose reply has another's key, which
            claims what is claimed already, or whose mark is behind.

        Raises:
            SQLAlchemyError: the database did not take it.
        """
        connection = self._connection
        with connection.begin():
            if any(entry.reply is not None for entry in entries):
                _forget(connection)
            added = [_is_free(connection, entry) for entry in entries]
            taken = [entry for entry, is_added in zip(entries, added, strict=True) if is_added]
            head = self._appended(connection, [one for entry in taken for one in entry.events])
            tallies = [entry.tally for entry in taken if entry.tally is not None]
            counts = self._rollups.add(connection, tallies, now())
            _refer(connection, taken)
            for entry in taken:
                if entry.forget is not None:
                    _erase(connection, events.c.time < entry.forget)
        self._head = head
        self._rollups.keep(counts)
        return added

    def erase(self, what: dict[str, Any], where: ColumnElement[bool]) -> None:
        """Erase what is personal of some events, and say so in an event."""
        with self._connection.begin():
            head = self._appended(self._connection, [erasure(what)])
            _erase(self._connection, where)
        self._head = head

    def _appended(self, connection: Connection, more: Sequence[Event]) -> Head:
        """Where the chain has come to with some more events."""
        head, rows = self._head, list[dict[str, Any]]()
        for event in more:
            seal = sealed(self._key, head, event)
            rows.append(_row(head.chain, event, seal))
            head = Head(head.chain, seal.sequence, seal.link)
        if rows:
            connection.execute(insert(events), rows)
            _move(connection, head)
        return head

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


def _is_free(connection: Connection, entry: Entry) -> bool:
    """Whether nothing stands against an entry; what would stand against others is added."""
    return (
        (entry.reply is None or _is_first(connection, replies, asdict(entry.reply)))
        and (entry.claim is None or _is_first(connection, claims, asdict(entry.claim)))
        and (entry.mark is None or _is_ahead(connection, entry.mark))
    )


def _is_first(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Whether nobody has added a row of its key yet; then it is added."""
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(row))
    except IntegrityError:
        return False
    return True


def _is_ahead(connection: Connection, mark: Mark) -> bool:
    """Whether a mark is further on than what is known of it; then it is set."""
    behind = (marks.c.name == mark.name) & (marks.c.position < mark.position)
    moved = update(marks).where(behind).values(asdict(mark))
    return bool(connection.execute(moved).rowcount) or _is_first(connection, marks, asdict(mark))


def _refer(connection: Connection, entries: Sequence[Entry]) -> None:
    """Let predictions wait for a person, and those wait no longer who have been looked at."""
    waiting = [asdict(one) | {"waits": True} for entry in entries for one in entry.referrals]
    if waiting:
        connection.execute(insert(referrals), waiting)
    seen = [entry.claim.prediction for entry in entries if _is_review(entry.claim)]
    if seen:
        mine = referrals.c.prediction.in_(seen)
        connection.execute(update(referrals).where(mine).values(waits=False))


def _is_review(claim: Claim | None) -> TypeGuard[Claim]:
    return claim is not None and claim.kind == "review"


def _erase(connection: Connection, where: ColumnElement[bool]) -> None:
    """Take away what is personal of some events, and whole answers to them."""
    gone = select(events.c.prediction).where(where)
    connection.execute(delete(replies).where(replies.c.prediction.in_(gone)))
    connection.execute(update(events).where(where).values(NOTHING))


def _move(connection: Connection, head: Head) -> None:
    connection.execute(
        update(chains)
        .where(chains.c.chain == head.chain)
        .values(sequence=head.sequence, link=head.link)
    )
