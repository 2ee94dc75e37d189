"""Erasure: what is personal goes, and an event says so."""

from sqlalchemy import Engine, select

from app.events import now
from app.records.ledger import Ledger
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


def erase_before(ledger: Ledger, before: int) -> None:
    """Erase what is personal of all events before a time.

    Not of what is to come: the event that says so would excuse whatever is missing later.
    """
    before = min(before, now())
    ledger.erase({"reason": "retention", "before": before}, events.c.time < before)
