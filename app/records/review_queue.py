"""The queue: predictions that wait for a person, and what became of those that did."""

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

from app.record_events import Assignment, Entry, Order, Place, Referral, Reviewed, Sought
from app.records.tables import events, referrals

PERSONAL = {"prediction": "reference", "assignment": "assignee", "review": "reviewer"}
"""Kind of an event to the column that has something personal of it."""
AT_ONCE = 500
"""Predictions that a statement names."""


def rows(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """The rows of predictions that are to wait, in the order of their columns."""
    return [_row(one, waits=True) for entry in entries for one in entry.referrals]


def _row(one: Referral, *, waits: bool) -> tuple[Any, ...]:
    prediction, time, doubt, *others = astuple(one)
    return (prediction, time, doubt, waits, *others)


def move(connection: Connection, entries: Sequence[Entry]) -> None:
    """Let those wait no longer who have been looked at, and note who looks at others.

    In one order, so that no two processes wait for each other.
    """
    reviews = [entry.review for entry in entries if entry.review is not None]
    changes: list[tuple[str, Reviewed | Assignment]] = [
        *((one.referral.prediction, one) for one in reviews),
        *((one.prediction, one) for one in (entry.assignment for entry in entries) if one),
    ]
    for _, change in sorted(changes, key=lambda one: one[0]):
        if isinstance(change, Reviewed):
            _decide(connection, change)
        else:
            _assign(connection, change)


def _decide(connection: Connection, review: Reviewed) -> None:
    """Note a review; a correction of one changes nothing about when it was decided."""
    mine = referrals.c.prediction == review.referral.prediction
    said = {"verdict": review.verdict, "reviewer": review.reviewer, "waits": False}
    first = func.coalesce(referrals.c.decided, review.time)
    known = connection.execute(update(referrals).where(mine).values(**said, decided=first))
    if not known.rowcount:
        referral = replace(review.referral, reference=_reference(connection, review))
        values = dict(zip(referrals.c.keys(), _row(referral, waits=False), strict=True))
        connection.execute(insert(referrals).values({**values, **said, "decided": review.time}))


def _reference(connection: Connection, review: Reviewed) -> str | None:
    """The reference as it is now: an erasure that is under way is waited for."""
    mine = (events.c.prediction == review.referral.prediction) & (events.c.kind == "prediction")
    asked = select(events.c.reference).where(mine).with_for_update(read=True)
    return connection.execute(asked).scalar()


def _assign(connection: Connection, assignment: Assignment) -> None:
    mine = (referrals.c.prediction == assignment.prediction) & referrals.c.waits.is_(True)
    connection.execute(update(referrals).where(mine).values(assignee=assignment.assignee))


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


def count(connection: Connection, sought: Sought = Sought()) -> int:  # noqa: B008 - it is frozen
    """How many there are."""
    asked = select(func.count()).select_from(referrals).where(*_fitting(sought))
    return connection.execute(asked).scalar_one()


def page(
    connection: Connection, sought: Sought, most: int, after: Place | None
) -> list[tuple[Place, Referral]]:
    """Some of those that are sought, each with its place in the order.

    Args:
        connection: to the records.
        sought: which, and in what order.
        most: how many.
        after: the place of the one before the first.
    """
    by = _ordering(sought)
    place, is_falling = tuple_(by, referrals.c.prediction), sought.order in ("newest", "doubtful")
    asked = select(by.label("place"), *referrals.c).where(*_fitting(sought)).limit(most)
    ordered = (by, referrals.c.prediction)
    asked = asked.order_by(*(one.desc() if is_falling else one for one in ordered))
    if after is not None:
        asked = asked.where(place < after if is_falling else place > after)
    return [_found(row) for row in connection.execute(asked).mappings()]


def _found(row: RowMapping) -> tuple[Place, Referral]:
    values = {name: row[name] for name in Referral.__dataclass_fields__}
    return (row["place"], row["prediction"]), Referral(**values)


def _ordering(sought: Sought) -> ColumnElement[Any]:
    orders: dict[Order, ColumnElement[Any]] = {
        "doubtful": referrals.c.doubt,
        # What has none comes first, where an empty text stands.
        "reference": func.coalesce(referrals.c.reference, ""),
    }
    return orders.get(sought.order, _when(sought))


def _when(sought: Sought) -> ColumnElement[Any]:
    return referrals.c.time if sought.state == "waiting" else referrals.c.decided


def _fitting(sought: Sought) -> list[ColumnElement[bool]]:
    """What a row has to fulfil."""
    when = _when(sought)
    found: list[ColumnElement[bool]] = [referrals.c.waits.is_(sought.state == "waiting")]
    for column, value in (
        (referrals.c.grade, sought.grade),
        (referrals.c.version, sought.version),
        (referrals.c.assignee, sought.assignee),
    ):
        if value is not None:
            found.append(column == value)
    if sought.reason is not None:
        found.append(referrals.c.reasons.contains(f"\n{sought.reason}\n", autoescape=True))
    if sought.reference is not None:
        # The database folds both sides: each folds other letters than Python does.
        part = re.sub(r"([%_/])", r"/\1", sought.reference)
        like = func.lower(referrals.c.reference).like(func.lower(f"%{part}%"), escape="/")
        found.append(like)
    if sought.since is not None:
        found.append(when >= sought.since)
    if sought.until is not None:
        found.append(when < sought.until)
    return found
