"""The review queue: predictions that wait for a person, and what became of those that did."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    exists,
    func,
    insert,
    select,
    tuple_,
    update,
)

from app.record_events import Entry, Order, Place, QueueItem, Search
from app.records.tables import events, referrals

PERSONAL = {"prediction": "reference", "assignment": "assignee", "review": "reviewer"}
"""Kind of an event to the column that has something personal of it."""
AT_ONCE = 500
"""Predictions that a statement names."""
WAITING = Search("waiting")


def rows(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """The rows of predictions that are referred, in the order of their columns."""
    items = (item for entry in entries for item in entry.queue if item.step == "refer")
    return [_row(item, waits=True) for item in items]


def _row(item: QueueItem, *, waits: bool) -> tuple[Any, ...]:
    prediction, time, doubt, *others, _ = astuple(item)
    return (prediction, time, doubt, waits, *others)


def move(connection: Connection, entries: Sequence[Entry]) -> None:
    """Let those wait no longer that were decided, and note who looks at others.

    In one order, so that no two processes wait for each other.
    """
    items = [item for entry in entries for item in entry.queue if item.step != "refer"]
    for item in sorted(items, key=lambda item: item.prediction):
        (_decide if item.step == "decide" else _assign)(connection, item)


def _decide(connection: Connection, item: QueueItem) -> None:
    """Note a review; a correction of one changes nothing about when it was decided."""
    mine = referrals.c.prediction == item.prediction
    said = {"verdict": item.verdict, "reviewer": item.reviewer, "waits": False}
    first = func.coalesce(referrals.c.decided, item.decided)
    known = connection.execute(update(referrals).where(mine).values(**said, decided=first))
    if not known.rowcount:
        # It was not referred; it is listed from now on.
        listed = replace(item, reference=_reference(connection, item))
        values = dict(zip(referrals.c.keys(), _row(listed, waits=False), strict=True))
        connection.execute(insert(referrals).values(values))


def _reference(connection: Connection, item: QueueItem) -> str | None:
    """The reference as it is now: an erasure that is under way is waited for."""
    mine = (events.c.prediction == item.prediction) & (events.c.kind == "prediction")
    asked = select(events.c.reference).where(mine).with_for_update(read=True)
    return connection.execute(asked).scalar()


def _assign(connection: Connection, item: QueueItem) -> None:
    mine = (referrals.c.prediction == item.prediction) & referrals.c.waits.is_(True)
    connection.execute(update(referrals).where(mine).values(assignee=item.assignee))


def forget(connection: Connection, erased: Mapping[str, Iterable[str]]) -> None:
    """Take away what is personal of predictions.

    Args:
        connection: to the records.
        erased: kind of an event that lost its personal part to the predictions it was about.
    """
    whole = sorted({one for predictions in erased.values() for one in predictions})
    for at in range(0, len(whole), AT_ONCE):
        part = whole[at : at + AT_ONCE]
        mine = referrals.c.prediction.in_(part)
        # Locked in one order: two erasures never wait for each other.
        held = select(referrals.c.prediction).where(mine).order_by(referrals.c.prediction)
        connection.execute(held.with_for_update()).all()
        for kind, column in PERSONAL.items():
            if not erased.get(kind):
                continue
            # What was said later, and is not due yet, stays to be seen.
            left = exists().where(
                events.c.prediction == referrals.c.prediction,
                events.c.kind == kind,
                events.c.salt.is_not(None),
            )
            connection.execute(update(referrals).where(mine, ~left).values({column: None}))


def count(connection: Connection, search: Search = WAITING) -> int:
    """How many there are."""
    asked = select(func.count()).select_from(referrals).where(*_fitting(search))
    return connection.execute(asked).scalar_one()


def page(
    connection: Connection, search: Search, most: int, after: Place | None
) -> list[tuple[Place, QueueItem]]:
    """Some of those that are search, each with its place in the order.

    Args:
        connection: to the records.
        search: which, and in what order.
        most: how many.
        after: the place of the one before the first.
    """
    by = _ordering(search)
    place, is_falling = tuple_(by, referrals.c.prediction), search.order in ("newest", "doubtful")
    asked = select(by.label("place"), *referrals.c).where(*_fitting(search)).limit(most)
    ordered = (by, referrals.c.prediction)
    asked = asked.order_by(*(one.desc() if is_falling else one for one in ordered))
    if after is not None:
        asked = asked.where(place < after if is_falling else place > after)
    return [_found(row) for row in connection.execute(asked).mappings()]


def _found(row: RowMapping) -> tuple[Place, QueueItem]:
    values = {name: row[name] for name in QueueItem.__dataclass_fields__ if name != "step"}
    return (row["place"], row["prediction"]), QueueItem(**values)


def _ordering(search: Search) -> ColumnElement[Any]:
    orders: dict[Order, ColumnElement[Any]] = {
        "doubtful": referrals.c.doubt,
        # What has none comes first, where an empty text stands.
        "reference": func.coalesce(referrals.c.reference, ""),
    }
    return orders.get(search.order, _when(search))


def _when(search: Search) -> ColumnElement[Any]:
    return referrals.c.time if search.state == "waiting" else referrals.c.decided


def _fitting(search: Search) -> list[ColumnElement[bool]]:
    """What a row has to fulfil."""
    when = _when(search)
    found: list[ColumnElement[bool]] = [referrals.c.waits.is_(search.state == "waiting")]
    for column, value in (
        (referrals.c.grade, search.grade),
        (referrals.c.version, search.version),
        (referrals.c.assignee, search.assignee),
    ):
        if value is not None:
            found.append(column == value)
    if search.reason is not None:
        found.append(referrals.c.reasons.contains(f"\n{search.reason}\n", autoescape=True))
    if search.reference is not None:
        # The database folds both sides: each folds other letters than Python does.
        part = re.sub(r"([%_/])", r"/\1", search.reference)
        like = func.lower(referrals.c.reference).like(func.lower(f"%{part}%"), escape="/")
        found.append(like)
    if search.since is not None:
        found.append(when >= search.since)
    if search.until is not None:
        found.append(when < search.until)
    return found
