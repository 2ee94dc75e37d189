"""Erases the personal parts of events and records exactly which events lost theirs.

Other processes write at the same time. A single statement finds, erases and returns the events, so
that nothing can be committed in between; what is committed later is neither erased nor listed as
erased.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, tuple_, update

from app.record_events import FORMAT, Erasure, Event, now
from app.records.review_queue import NAMED_AT_ONCE, erase_from_queue
from app.records.tables import events, replies

NOTHING = {"personal": None, "salt": None, "reference": None}
"""Column values that replace an erased personal part."""

Ranges = dict[str, list[list[int]]]
"""Chain to the first and last sequence of each unbroken range of its events."""


class Erased(NamedTuple):
    """An event that lost its personal part."""

    chain: str
    sequence: int
    prediction: str
    kind: str


def erase(connection: Connection, erasure: Erasure) -> list[Erased]:
    """Erase the personal parts of the selected events, and the stored replies that contain them."""
    place = tuple_(events.c.chain, events.c.sequence)
    due = select(events.c.chain, events.c.sequence).where(_which(erasure), is_personal())
    # Rows are locked in one order, so that two erasures never deadlock. Retention skips locked rows
    # instead of waiting, since its transaction also writes answers: the rows that it skips are
    # being erased by another process.
    ordered = due.order_by(events.c.chain, events.c.sequence).with_for_update(
        skip_locked=_is_retention(erasure)
    )
    gone = update(events).where(place.in_(ordered)).values(NOTHING)
    columns = events.c.chain, events.c.sequence, events.c.prediction, events.c.kind
    erased = sorted(Erased(*row) for row in connection.execute(gone.returning(*columns)))
    _erase_replies(connection, erasure, {one.prediction for one in erased})
    by_kind: dict[str, set[str]] = {}
    for one in erased:
        by_kind.setdefault(one.kind, set()).add(one.prediction)
    erase_from_queue(connection, by_kind)
    return erased


def said(erasure: Erasure, erased: Sequence[Erased]) -> Event:
    """Build the event that lists what was erased.

    The fields `before` and `predictions` are for readers, and for versions of Dubito that know no
    list of events.
    """
    time = now()
    told = (
        {"reason": "retention", "before": min(erasure.before, time)}
        if erasure.before is not None
        else {"reason": "reference", "predictions": sorted({one.prediction for one in erased})}
    )
    body = json.dumps({"format": FORMAT, **told, "events": _ranges(erased)}, separators=(",", ":"))
    return Event("erasure", "", time, body.encode())


def is_due(connection: Connection, before: int) -> bool:
    """Whether an event before a time, in microseconds since 1970, still has its personal part."""
    left = (events.c.time < before) & is_personal()
    return connection.execute(select(events.c.sequence).where(left).limit(1)).first() is not None


def is_personal() -> ColumnElement[bool]:
    """Condition that an event still has its personal part."""
    return events.c.salt.is_not(None)


def _which(erasure: Erasure) -> ColumnElement[bool]:
    if erasure.before is not None:
        return events.c.time < erasure.before
    named = select(events.c.prediction).where(events.c.reference == erasure.reference)
    return events.c.prediction.in_(named)


def _is_retention(erasure: Erasure) -> bool:
    return erasure.before is not None


def _erase_replies(connection: Connection, erasure: Erasure, predictions: Iterable[str]) -> None:
    """Delete the replies whose first prediction is erased.

    A reply is committed together with its predictions, so a transaction that sees the predictions
    sees the reply. Replies are deleted one by one in the order of their keys, the order in which
    writers claim several keys, so that the two cannot deadlock.
    """
    whole, held = sorted(predictions), list[tuple[str, str]]()
    for at in range(0, len(whole), NAMED_AT_ONCE):
        mine = replies.c.prediction.in_(whole[at : at + NAMED_AT_ONCE])
        rows = connection.execute(select(replies.c.key, replies.c.prediction).where(mine))
        held += [(row.key, row.prediction) for row in rows]
    one = (replies.c.key == bindparam("named")) & (replies.c.prediction == bindparam("answered"))
    free = select(replies.c.key).where(one).with_for_update(skip_locked=_is_retention(erasure))
    for key, prediction in sorted(held):
        taken = delete(replies).where(replies.c.key.in_(free))
        connection.execute(taken, {"named": key, "answered": prediction})


def _ranges(erased: Iterable[Erased]) -> Ranges:
    """Return the unbroken ranges of sequences in each chain; `erased` must be sorted."""
    found: Ranges = {}
    for one in erased:
        ranges = found.setdefault(one.chain, [])
        if ranges and ranges[-1][1] + 1 == one.sequence:
            ranges[-1][1] = one.sequence
        else:
            ranges.append([one.sequence, one.sequence])
    return found
