"""The review queue in the database: predictions referred to a person, and their reviews."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
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

from app.record_events import Entry, ListPosition, Order, QueueItem, Search
from app.records.tables import events, referrals, row_of

PERSONAL = {"prediction": "reference", "assignment": "assignee", "review": "reviewer"}
"""Kind of event to the column that holds personal data of such an event."""
NAMED_AT_ONCE = 500
"""Most predictions named in one statement."""
WAITING = Search("waiting")

_row: Callable[[QueueItem], tuple[Any, ...]] = attrgetter(*referrals.columns.keys())


def rows(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """Return the rows of newly referred predictions, in the order of the table's columns."""
    return [_row(item) for entry in entries for item in entry.queue if item.step == "refer"]


def move(connection: Connection, entries: Sequence[Entry]) -> None:
    """Apply reviews and assignments to the queue.

    Rows are updated in the order of their identifiers, so that processes cannot deadlock.
    """
    items = [item for entry in entries for item in entry.queue if item.step != "refer"]
    for item in sorted(items, key=lambda item: item.prediction):
        (_decide if item.step == "decide" else _assign)(connection, item)


def _decide(connection: Connection, item: QueueItem) -> None:
    """Store a review; a correction leaves the time of the first review unchanged."""
    mine = referrals.c.prediction == item.prediction
    said = {"verdict": item.verdict, "reviewer": item.reviewer, "waits": False}
    first = func.coalesce(referrals.c.decided, item.decided)
    known = connection.execute(update(referrals).where(mine).values(**said, decided=first))
    if not known.rowcount:
        # The prediction was not referred; its review adds it to the list.
        listed = replace(
            item, reference=_reference(connection, item), model=item.model or _model(item)
        )
        connection.execute(insert(referrals).values(row_of(referrals, listed)))


def _model(item: QueueItem) -> str:
    """Return the name of the bundle, which journals of version 0.4 have in the body alone."""
    name: str = json.loads(item.body)["model"]["name"]
    return name


def _reference(connection: Connection, item: QueueItem) -> str | None:
    """Return the current reference, after waiting for an erasure in progress."""
    mine = (events.c.prediction == item.prediction) & (events.c.kind == "prediction")
    asked = select(events.c.reference).where(mine).with_for_update(read=True)
    return connection.execute(asked).scalar()


def _assign(connection: Connection, item: QueueItem) -> None:
    mine = (referrals.c.prediction == item.prediction) & referrals.c.waits.is_(True)
    connection.execute(update(referrals).where(mine).values(assignee=item.assignee))


def erase_from_queue(connection: Connection, erased: Mapping[str, Iterable[str]]) -> None:
    """Erase personal data of predictions from the queue.

    Args:
        connection: connection to the records, in a transaction.
        erased: kind of event to the predictions whose events of that kind lost their personal part.
    """
    whole = sorted({one for predictions in erased.values() for one in predictions})
    for at in range(0, len(whole), NAMED_AT_ONCE):
        part = whole[at : at + NAMED_AT_ONCE]
        mine = referrals.c.prediction.in_(part)
        # Rows are locked in one order, so that two erasures never deadlock.
        held = select(referrals.c.prediction).where(mine).order_by(referrals.c.prediction)
        connection.execute(held.with_for_update()).all()
        for kind, column in PERSONAL.items():
            if not erased.get(kind):
                continue
            # A later event of the same kind that is not erased yet stays visible.
            left = exists().where(
                events.c.prediction == referrals.c.prediction,
                events.c.kind == kind,
                events.c.salt.is_not(None),
            )
            connection.execute(update(referrals).where(mine, ~left).values({column: None}))


def count_matches(connection: Connection, search: Search = WAITING) -> int:
    """Count the predictions that match a search."""
    asked = select(func.count()).select_from(referrals).where(*_fitting(search))
    return connection.execute(asked).scalar_one()


def queue_page(
    connection: Connection, search: Search, most: int, after: ListPosition | None
) -> list[tuple[ListPosition, QueueItem]]:
    """Return a page of the predictions that match a search, each with its position.

    Args:
        connection: connection to the records.
        search: filter and order.
        most: largest number of predictions to return.
        after: position of the last prediction of the page before; None for the first page.
    """
    by = _ordering(search)
    place, is_falling = tuple_(by, referrals.c.prediction), search.order in ("newest", "doubtful")
    asked = select(by.label("place"), *referrals.c).where(*_fitting(search)).limit(most)
    ordered = (by, referrals.c.prediction)
    asked = asked.order_by(*(one.desc() if is_falling else one for one in ordered))
    if after is not None:
        asked = asked.where(place < after if is_falling else place > after)
    return [_found(row) for row in connection.execute(asked).mappings()]


def _found(row: RowMapping) -> tuple[ListPosition, QueueItem]:
    values = {name: row[name] for name in QueueItem.__dataclass_fields__ if name != "step"}
    return (row["place"], row["prediction"]), QueueItem(**values)


def _ordering(search: Search) -> ColumnElement[Any]:
    orders: dict[Order, ColumnElement[Any]] = {
        "doubtful": referrals.c.doubt,
        # A missing reference sorts first, like an empty text.
        "reference": func.coalesce(referrals.c.reference, ""),
    }
    return orders.get(search.order, _when(search))


def _when(search: Search) -> ColumnElement[Any]:
    return referrals.c.time if search.state == "waiting" else referrals.c.decided


def _fitting(search: Search) -> list[ColumnElement[bool]]:
    """Return the conditions that a row has to meet."""
    when = _when(search)
    found: list[ColumnElement[bool]] = [referrals.c.waits.is_(search.state == "waiting")]
    for column, value in (
        (referrals.c.grade, search.grade),
        (referrals.c.model, search.model),
        (referrals.c.version, search.version),
        (referrals.c.assignee, search.assignee),
    ):
        if value is not None:
            found.append(column == value)
    if search.reason is not None:
        found.append(referrals.c.reasons.contains(f"\n{search.reason}\n", autoescape=True))
    if search.reference is not None:
        # The database changes both sides to lower case: its rules for letters differ from Python's.
        part = re.sub(r"([%_/])", r"/\1", search.reference)
        like = func.lower(referrals.c.reference).like(func.lower(f"%{part}%"), escape="/")
        found.append(like)
    if search.since is not None:
        found.append(when >= search.since)
    if search.until is not None:
        found.append(when < search.until)
    return found
