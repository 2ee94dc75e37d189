"""Erasure: what is personal goes, and an event says so."""

from sqlalchemy import Connection, Engine, select

from app.events import Entry, now
from app.records.ledger import Ledger, erasure
from app.records.tables import events


def erase_reference(engine: Engine, ledger: Ledger, reference: str) -> int:
    """Erase what is personal of all predictions of a client's case; returns how many they were."""
    named = select(events.c.prediction).where(events.c.reference == reference).distinct()
    with engine.connect() as connection:
        predictions = sorted(connection.scalars(named))
    if predictions:
        what = {"reason": "reference", "predictions": predictions}
        ledger.erase(what, events.c.prediction.in_(named))
    return len(predictions)


def retention(before: int) -> Entry:
    """What erases all that is personal of events before a time.

    Not of what is to come: the event that says so would excuse whatever is missing later.
    """
    before = min(before, now())
    return Entry((erasure({"reason": "retention", "before": before}),), forget=before)


def is_due(connection: Connection, before: int) -> bool:
    """Whether something personal is left of events before a time."""
    left = (events.c.time < before) & events.c.salt.is_not(None)
    return connection.execute(select(events.c.sequence).where(left).limit(1)).first() is not None
