"""The queue: predictions that wait for a person."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, tuple_, update

from app.events import Entry, Order, Referral
from app.records.tables import referrals

WAITS = referrals.c.waits.is_(True)


def rows(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """The rows of predictions that are to wait, in the order of their columns."""
    return [
        (one.prediction, one.time, one.doubt, True, one.body)
        for entry in entries
        for one in entry.referrals
    ]


def release(connection: Connection, entries: Sequence[Entry]) -> None:
    """Let those wait no longer who have been looked at."""
    claims = [entry.claim for entry in entries if entry.claim is not None]
    seen = [claim.prediction for claim in claims if claim.kind == "review"]
    if seen:
        mine = referrals.c.prediction.in_(seen)
        connection.execute(update(referrals).where(mine).values(waits=False))


def count(connection: Connection) -> int:
    """How many wait."""
    return connection.execute(select(func.count()).where(WAITS)).scalar_one()


def page(
    connection: Connection, order: Order, most: int, after: tuple[float, str] | None
) -> list[Referral]:
    """Some that wait.

    Args:
        connection: to the records.
        order: the oldest or the most doubtful first.
        most: how many.
        after: time or doubt, and identifier, of the one before the first.
    """
    by = referrals.c.time if order == "oldest" else referrals.c.doubt
    place = tuple_(by, referrals.c.prediction)
    asked = select(referrals).where(WAITS).limit(most)
    if order == "oldest":
        asked = asked.order_by(by, referrals.c.prediction)
        beyond = None if after is None else place > after
    else:
        asked = asked.order_by(by.desc(), referrals.c.prediction.desc())
        beyond = None if after is None else place < after
    found = connection.execute(asked if beyond is None else asked.where(beyond))
    return [Referral(row.prediction, row.time, row.doubt, row.body) for row in found]
