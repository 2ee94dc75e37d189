"""The queue: who waits, in either order, page by page, until a person has looked."""

import random

import pytest
from sqlalchemy import Engine

from app.events import Claim, Entry, Order, Referral
from app.records.ledger import Ledger
from app.records.queue import count, page
from tests.records.conftest import event

COUNT = 23


def referral(at: int, time: int, doubt: float) -> Referral:
    return Referral(f"01a20b81-4528-7cce-8a01-{at:012d}", time, doubt, b'{"grade":"A"}')


@pytest.fixture
def waiting(ledger: Ledger) -> list[Referral]:
    """Many that wait, of which some came at one moment, and some are as doubtful as others."""
    order = random.Random(5)  # noqa: S311 - no secret
    found = [
        referral(at, 1_795_608_000_000_000 + order.randrange(8), order.randrange(5) / 7)
        for at in range(COUNT)
    ]
    ledger.write([Entry((event(at),), referrals=(one,)) for at, one in enumerate(found)])
    return found


def by_time(one: Referral) -> tuple[float, str]:
    return one.time, one.prediction


def by_doubt(one: Referral) -> tuple[float, str]:
    return one.doubt, one.prediction


@pytest.mark.parametrize("most", [1, 4, COUNT, 100])
@pytest.mark.parametrize("order", ["oldest", "doubtful"])
def test_pages_hold_everyone_once_and_in_order(
    engine: Engine, waiting: list[Referral], order: Order, most: int
) -> None:
    """The oldest first, or the most doubtful; each page goes on behind the one before it."""
    key = by_time if order == "oldest" else by_doubt
    whole = sorted(waiting, key=key, reverse=order == "doubtful")
    found, after = list[Referral](), None
    with engine.connect() as connection:
        while part := page(connection, order, most, after):
            assert len(part) <= most
            found += part
            after = float(key(part[-1])[0]), part[-1].prediction
        assert COUNT == count(connection)
    assert whole == found


def test_who_was_looked_at_waits_no_longer(
    engine: Engine, ledger: Ledger, waiting: list[Referral]
) -> None:
    """A review takes a prediction off the list, an outcome does not."""
    seen, known = waiting[3].prediction, waiting[4].prediction
    told = [Claim("review", seen), Claim("outcome", known), Claim("review", "somebody else")]
    assert [True] * 3 == ledger.write([Entry((event(99),), claim=claim) for claim in told])
    with engine.connect() as connection:
        found = [one.prediction for one in page(connection, "oldest", 100, None)]
        assert COUNT - 1 == count(connection) == len(found)
    assert seen not in found
    assert known in found
