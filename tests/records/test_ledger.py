"""The ledger: a key is answered once, for a day."""

from sqlalchemy import Engine, select

from app.events import MICROSECONDS, Entry, Reply, now
from app.records.ledger import REPLY_SECONDS, Ledger
from app.records.tables import events, replies
from tests.records.conftest import entries, event


def replying(number: int, key: str, ago: float = 0.0) -> Entry:
    """An entry with a key, of so many seconds ago."""
    time = now() - int(ago * MICROSECONDS)
    reply = Reply(key, b"asked", f"prediction-{number}", time, b"answer %d" % number)
    return Entry((event(number),), reply)


def test_a_second_answer_to_a_key_is_not_added(engine: Engine, ledger: Ledger) -> None:
    """Nor are its events; its neighbours are, in the same group and in later ones."""
    group = [replying(0, "a"), *entries(1, 1), replying(2, "a"), replying(3, "b")]
    assert [True, True, False, True] == ledger.write(group)
    assert [False] == ledger.write([replying(4, "b")])
    with engine.connect() as connection:
        found = connection.scalars(select(events.c.prediction).order_by(events.c.sequence)).all()
    assert ["prediction-0", "prediction-1", "prediction-3"] == found


def test_a_reply_is_kept_for_a_day(engine: Engine, ledger: Ledger) -> None:
    """After it the key is free again, without a restart."""
    ledger.write([replying(0, "old", REPLY_SECONDS + 1), replying(1, "young", REPLY_SECONDS - 60)])
    assert [True, False] == ledger.write([replying(2, "old"), replying(3, "young")])
    with engine.connect() as connection:
        found = connection.scalars(select(replies.c.content).order_by(replies.c.key)).all()
    assert [b"answer 2", b"answer 1"] == found
