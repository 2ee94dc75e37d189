"""The ledger: a key is answered once, for a day; whatever fails, the chain goes on as it should."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import DBAPIError, OperationalError

from app.record_events import MICROSECONDS, Entry, Erasure, Note, Reply, Tally, now
from app.records.bulk_insert import Addition, InsertStatement
from app.records.conflicts import REPLY_SECONDS
from app.records.database import open_database
from app.records.ledger import Ledger
from app.records.queries import Source
from app.records.reader import RecordsReader
from app.records.rollups import SPANS, read_rollups
from app.records.tables import claims, events, marks, replies
from app.records.verification import verify
from tests.app.monitoring.toy import Clock
from tests.app.records.conftest import CHAIN, KEY, ROWS, entries, event
from tests.postgres import MODEL, Server

DIGEST = "sha256:" + "0" * 64
DAY = REPLY_SECONDS * MICROSECONDS


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


def test_a_key_is_held_for_a_day_to_the_microsecond(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply of that age is neither told nor in the way, though nothing was written since."""
    reader, first = RecordsReader(Source(engine)), replying(0, "k")
    ledger.write([first])
    for age, is_held in ((DAY - 1, True), (DAY, False)):
        time = (first.reply.time if first.reply else 0) + age
        for module in ("ledger", "queries"):
            monkeypatch.setattr(f"app.records.{module}.now", lambda time=time: time)
        assert is_held == (asyncio.run(reader.reply_to("k")) is not None)
        assert [not is_held] == ledger.write([replying(1, "k")])
    with engine.connect() as connection:
        assert [b"answer 1"] == connection.scalars(select(replies.c.content)).all()


def test_a_key_that_is_free_again_is_answered_once(server: Server) -> None:
    """Of several processes that answer under it at once."""
    with server.database(MODEL) as url, open_database(url) as engine:
        with closing(Ledger(engine, KEY, CHAIN)) as ledger:
            ledger.write([replying(at, f"{at}", REPLY_SECONDS + 1) for at in range(50)])

        def answer(chain: int) -> list[bool]:
            order = random.Random(chain)
            with closing(Ledger(engine, KEY, CHAIN[:-1] + str(chain))) as ledger:
                names = order.sample(range(50), 50)
                groups = [names[at : at + 5] for at in range(0, 50, 5)]
                told = [ledger.write([replying(at, f"{at}") for at in group]) for group in groups]
                added = dict(zip(names, [one for part in told for one in part], strict=True))
                return [added[at] for at in range(50)]

        with ThreadPoolExecutor(3) as threads:
            found = list(threads.map(answer, range(2, 5)))
        assert [1] * 50 == [sum(one) for one in zip(*found, strict=True)]
        with engine.connect() as connection:
            assert 50 == connection.scalar(select(func.count()).select_from(replies))


@pytest.mark.parametrize("restarts", [True, False])
def test_a_clock_that_is_set_back_makes_no_key_last_longer(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, *, restarts: bool
) -> None:
    """A reply that was given nine hours ahead lasts a day from when it was given.

    Where that is not known any more, from the next start.
    """
    monkeypatch.setattr("app.clock.time", clock := Clock(now=now() / MICROSECONDS))
    monkeypatch.setattr("app.records.ledger.now", lambda: int(clock.time() * MICROSECONDS))
    first, nine = int(clock.time() * MICROSECONDS), 9 * 3_600
    with closing(Ledger(engine, KEY, CHAIN)) as ledger:
        clock.ahead = nine
        given = Reply("k", b"asked", "prediction-0", first + nine * MICROSECONDS, b"answer")
        ledger.write([Entry((event(0),), given)])
        clock.now += 100
        clock.ahead = 0
        if not restarts:
            ledger.write(entries(1, 1))
    with closing(Ledger(engine, KEY, CHAIN[:-1] + "2")), engine.connect() as connection:
        lasts = connection.scalars(select(replies.c.time)).one()
    assert lasts == pytest.approx(first + (100 * MICROSECONDS if restarts else 0), abs=MICROSECONDS)


def claiming(number: int, prediction: str) -> Entry:
    """An entry that says of a prediction what can be said once."""
    said = replace(event(number), kind="outcome", prediction=prediction, ordinal=0)
    return Entry((said,))


def test_a_second_claim_is_not_added(engine: Engine, ledger: Ledger) -> None:
    """Of two in one group the first one stands, and so it does in later ones."""
    group = [claiming(0, "x"), claiming(1, "y"), claiming(2, "x"), *entries(1, 3)]
    assert [True, True, False, True] == ledger.write(group)
    review = Entry((replace(event(5), kind="review", prediction="x", ordinal=0),))
    assert [False, True] == ledger.write([claiming(4, "y"), review])
    with engine.connect() as connection:
        assert 3 == connection.scalar(select(func.count()).select_from(claims))
        assert 4 == connection.scalar(select(func.count()).select_from(events))


def marking(position: int) -> Entry:
    return Entry((), note=Note("watch", position, b"at %d" % position))


def test_a_mark_only_moves_on(engine: Engine, ledger: Ledger) -> None:
    """Whoever is behind, or has come as far, is told that it did nothing."""
    found = [ledger.write([marking(position)]) for position in (5, 5, 4, 7)]
    assert [[True], [False], [False], [True]] == found
    assert [True, False, True] == ledger.write([marking(8), marking(8), marking(9)])
    with engine.connect() as connection:
        assert [(9, b"at 9")] == connection.execute(select(marks.c.position, marks.c.content)).all()


def following(number: int, position: int, follows: int) -> Entry:
    """An event, and the mark that takes note of it."""
    return Entry((event(number),), note=Note("watch", position, b"", follows))


def test_a_mark_follows_the_one_it_was_made_from(engine: Engine, ledger: Ledger) -> None:
    """Or nothing of its entry is added: what it does not know of would be lost."""
    first = [following(0, 60, 0), following(1, 61, 60), following(2, 120, 60)]
    assert [True, True, False] == ledger.write(first)
    later = [following(3, 200, 0), following(4, 61, 61), following(5, 120, 61)]
    assert [False, False, True] == ledger.write(later)
    with engine.connect() as connection:
        assert [120] == connection.scalars(select(marks.c.position)).all()
        found = connection.scalars(select(events.c.prediction).order_by(events.c.sequence)).all()
        assert [event(number).prediction for number in (0, 1, 5)] == found
        assert () == verify(connection, KEY, {}).faults


def tallied(count: int, first: int) -> list[Entry]:
    """Entries that count one row each."""
    tally = Tally(DIGEST, {ROWS: 1})
    return [Entry(entry.events, tally=tally) for entry in entries(count, first)]


def check(engine: Engine, count: int) -> None:
    """So many events are there, as they were written, and the rollups say so too."""
    with engine.connect() as connection:
        verdict = verify(connection, KEY, {})
        found = [read_rollups(connection, DIGEST, span, 0) for span in SPANS]
    assert (count, ()) == (verdict.events, verdict.faults)
    assert [count] * 2 == [sum(one.counts[ROWS] for one in part) for part in found]


@pytest.mark.parametrize("size", [1, 3, 4, 21, 64, 65, 200])
def test_groups_of_any_size_are_whole(engine: Engine, ledger: Ledger, size: int) -> None:
    """However many rows go with a statement."""
    ledger.write(tallied(size, 0))
    ledger.write(tallied(size, size))
    check(engine, 2 * size)
    with engine.connect() as connection:
        found = connection.scalars(select(events.c.prediction).order_by(events.c.sequence)).all()
    assert [f"prediction-{at}" for at in range(2 * size)] == found


@pytest.mark.parametrize("is_committed", [True, False])
def test_who_does_not_know_whether_a_group_is_there_looks(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    """A connection is lost at the commit: the chain goes on from what is there."""
    ledger.write(tallied(3, 0))
    commit, driver = engine.dialect.do_commit, engine.dialect.loaded_dbapi

    def lost(connection: Any) -> None:
        if is_committed:
            commit(connection)
        connection.dbapi_connection.close()
        raise driver.OperationalError("lost")

    with monkeypatch.context() as patch:
        patch.setattr(engine.dialect, "do_commit", lost)
        with pytest.raises(DBAPIError):
            ledger.write(tallied(4, 10))
    ledger.write(tallied(5, 20))
    check(engine, 12 if is_committed else 8)


@pytest.mark.parametrize("failing", [Addition, InsertStatement])
def test_a_group_that_fails_halfway_leaves_nothing(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, failing: type
) -> None:
    """Neither events nor counts nor keys; the next group is added as if there had been none."""
    ledger.write(tallied(3, 0))

    def fail(*_: object, **__: object) -> None:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(failing, "run", fail)
        for _ in range(2):
            with pytest.raises(OSError):  # noqa: PT011 - made above
                ledger.write([*tallied(4, 10), replying(14, "a")])
    assert [True] * 6 == ledger.write([*tallied(5, 20), replying(25, "a")])
    with engine.connect() as connection:
        assert () == verify(connection, KEY, {}).faults
        assert 1 == connection.scalar(select(func.count()).select_from(replies))


TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'"


def test_a_connection_that_was_ended_is_had_anew(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it was idle or between two statements: the group is written, and once only."""
    run = InsertStatement.run

    def end(self: InsertStatement, *arguments: Any, **values: Any) -> None:
        monkeypatch.undo()
        run(self, *arguments, **values)
        server.run(TERMINATE)

    with (
        server.database(MODEL) as url,
        open_database(url) as engine,
        closing(Ledger(engine, KEY, CHAIN)) as ledger,
    ):
        for first in (0, 10, 20):
            ledger.write(tallied(4, first))
            server.run(TERMINATE)
            assert [True] * 4 == ledger.write(tallied(4, first + 5))
            monkeypatch.setattr(InsertStatement, "run", end)
            assert [True] == ledger.write([replying(first + 9, f"{first}")])
        server.run(TERMINATE)
        assert 3 == ledger.erase(Erasure(before=1_003))
        with engine.connect() as connection:
            verdict = verify(connection, KEY, {})
            assert (28, ()) == (verdict.events, verdict.faults)
            assert 3 == connection.scalar(select(func.count()).select_from(replies))


@pytest.mark.parametrize("asks", [True, False])
def test_after_a_restart_of_the_database_the_first_group_is_written(
    server: Server, *, asks: bool
) -> None:
    """Whether or not somebody asked while it was away, which fails; readers have it again too."""
    with (
        server.database(MODEL) as url,
        open_database(url) as engine,
        closing(Ledger(engine, KEY, CHAIN)) as ledger,
    ):
        ledger.write(tallied(4, 0))
        check(engine, 4)
        server.end()
        try:
            if asks:
                for _ in range(2):
                    with pytest.raises(DBAPIError):
                        ledger.write(tallied(4, 10))
        finally:
            server.start()
        assert [True] * 4 == ledger.write(tallied(4, 20))
        check(engine, 8)


def test_who_names_the_same_things_at_once_does_not_hinder_others(server: Server) -> None:
    """Keys in any order, by several processes: one answer each, and no deadlock."""
    with server.database(MODEL) as url, open_database(url) as engine:

        def race(chain: int) -> list[list[bool]]:
            order = random.Random(chain)
            with closing(Ledger(engine, KEY, CHAIN[:-1] + str(chain))) as ledger:
                found = []
                for turn in range(40):
                    keys = order.sample(range(6), 6)
                    group = [replying(key, f"{turn} {key}") for key in keys]
                    added = ledger.write([*group, claiming(9, f"{turn}"), marking(turn + 1)])
                    found.append([added[keys.index(key)] for key in range(6)] + added[6:])
                return found

        with ThreadPoolExecutor(3) as threads:
            told = list(threads.map(race, range(3)))
        for turn in zip(*told, strict=True):
            assert [1] * 7 == [sum(one) for one in zip(*(part[:7] for part in turn), strict=True)]
        with engine.connect() as connection:
            assert () == verify(connection, KEY, {}).faults
            assert 40 == connection.scalar(select(marks.c.position))


def test_who_holds_a_key_for_long_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that hangs in its transaction does not hang all others."""
    monkeypatch.setattr("app.records.databases.postgresql.LOCK_SECONDS", 0.2)
    with (
        server.database(MODEL) as url,
        open_database(url) as engine,
        closing(Ledger(engine, KEY, CHAIN)) as ledger,
        engine.connect() as other,
    ):
        held = {"key": "a", "request": b"", "time": now(), "prediction": "", "content": b""}
        other.execute(insert(replies).values(held))
        with pytest.raises(OperationalError, match="lock timeout"):
            ledger.write([replying(1, "a")])
        assert [True] == ledger.write([replying(1, "b")])
