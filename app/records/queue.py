"""The queue: predictions that wait for a person, and what became of those that did."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    func,
    insert,
    select,
    tuple_,
    update,
)

from app.events import Assignment, Entry, Order, Place, Referral, Reviewed, Sought
from app.records.tables import referrals

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
    for review in sorted(reviews, key=lambda one: one.referral.prediction):
        _decide(connection, review)
    assignments = [entry.assignment for entry in entries if entry.assignment is not None]
    for assignment in sorted(assignments, key=lambda one: one.prediction):
        _assign(connection, assignment)


def _decide(connection: Connection, review: Reviewed) -> None:
    """Note a review; a correction of one changes nothing about when it was decided."""
    mine = referrals.c.prediction == review.referral.prediction
    said = {"verdict": review.verdict, "reviewer": review.reviewer, "waits": False}
    first = func.coalesce(referrals.c.decided, review.time)
    known = connection.execute(update(referrals).where(mine).values(**said, decided=first))
    if not known.rowcount:
        values = dict(zip(referrals.c.keys(), _row(review.referral, waits=False), strict=True))
        connection.execute(insert(referrals).values({**values, **said, "decided": review.time}))


def _assign(connection: Connection, assignment: Assignment) -> None:
    mine = referrals.c.prediction == assignment.prediction
    connection.execute(update(referrals).where(mine).values(assignee=assignment.assignee))


def forget(connection: Connection, erased: Mapping[str, Iterable[str]]) -> None:
    """Take away what is personal of predictions.

    Args:
        connection: to the records.
        erased: kind of an event that lost its personal part to the predictions it was about.
    """
    columns = {"prediction": "reference", "assignment": "assignee", "review": "reviewer"}
    for kind, column in columns.items():
        whole = sorted(erased.get(kind, ()))
        for at in range(0, len(whole), AT_ONCE):
            mine = referrals.c.prediction.in_(whole[at : at + AT_ONCE])
            connection.execute(update(referrals).where(mine).values({column: None}))


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
        part = sought.reference.lower()
        found.append(func.lower(referrals.c.reference).contains(part, autoescape=True))
    if sought.since is not None:
        found.append(when >= sought.since)
    if sought.until is not None:
        found.append(when < sought.until)
    return found
