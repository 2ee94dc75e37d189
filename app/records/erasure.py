"""Erasure: what is personal goes, and an event says so."""

import json
import time

from sqlalchemy import Connection, Engine, delete, select, update

from app.events import Entry, Event
from app.records.ledger import Ledger
from app.records.tables import events, replies

SECOND = 1_000_000
"""Microseconds."""


def erase_reference(engine: Engine, ledger: Ledger, reference: str) -> int:
    """Erase what is personal of all predictions of a client's case; returns how many they were."""
    with engine.connect() as connection:
        found = connection.scalars(
            select(events.c.prediction).where(events.c.reference == reference).distinct()
        )
        predictions = sorted(found)
    if predictions:
        # The event first: were there no time for more, a second attempt would find the rest.
        _say(ledger, {"reason": "reference", "predictions": predictions})
        with engine.begin() as connection:
            for prediction in predictions:
                _erase(connection, events.c.prediction == prediction)
                connection.execute(delete(replies).where(replies.c.prediction == prediction))
    return len(predictions)


def erase_before(engine: Engine, ledger: Ledger, before: int) -> None:
    """Erase what is personal of all events before a time, microseconds since 1970, UTC."""
    _say(ledger, {"reason": "retention", "before": before})
    with engine.begin() as connection:
        _erase(connection, events.c.time < before)
        connection.execute(delete(replies).where(replies.c.time < before))


def _say(ledger: Ledger, what: dict[str, object]) -> None:
    body = json.dumps(what, separators=(",", ":")).encode()
    ledger.write([Entry((Event("erasure", "", time.time_ns() // 1000, body),))])


def _erase(connection: Connection, where: object) -> None:
    nothing = {"personal": None, "salt": None, "reference": None}
    connection.execute(update(events).where(where).values(nothing))  # type: ignore[arg-type]
