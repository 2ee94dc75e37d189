"""Retention: what is personal goes after its time, and nothing else does."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Select, Table, select

from app.commands.records import _moment as at_moment
from app.errors import RecordingFailed
from app.monitoring.event_builder import EventBuilder
from app.record_events import MICROSECONDS, Entry, Erasure, Event, Reply, Tally, now
from app.records.database import open_database
from app.records.erasure import is_due
from app.records.group_commit import CommitThread
from app.records.ledger import Ledger
from app.records.queries import Source
from app.records.store import Store
from app.records.tables import claims, events, metadata, referrals, replies, rollups
from app.records.verification import verify
from tests.app.monitoring.toy import Clock
from tests.app.records.conftest import CHAIN, KEY, ROWS, referral
from tests.postgres import MODEL, Server

DAY = 86_400 * MICROSECONDS
AGES = (9, 8, 7, 3, 1, 0)
"""Days."""
PERSONAL = ("personal", "salt", "reference")


def recorded(number: int, age: int) -> Entry:
    """A prediction of so many days ago, with all that may go with one."""
    time, name = now() - age * DAY - 1, f"prediction-{number}"
    personal = b'{"features":{},"reference":"case %d"}' % number
    prediction = Event("prediction", name, time, b"{}", personal, f"case {number}")
    words = b'{"note":"told","reviewer":"Kim"}'
    review = Event("review", name, time, b"{}", words, ordinal=0)
    assignment = Event("assignment", name, time, b"{}", b'{"reviewer":"Lee"}')
    waits = referral(name, time, reference=f"case {number}")
    return Entry(
        (prediction, review, assignment),
        Reply(f"key {number}", b"asked", name, now(), b"answer"),
        Tally("sha256:0", {ROWS: 1}),
        (
            waits,
            replace(waits, decided=time, verdict="A", reviewer="Kim", step="decide"),
            replace(waits, assignee="Lee", step="assign"),
        ),
    )


@pytest.fixture
def written(ledger: Ledger) -> Ledger:
    ledger.write([recorded(number, age) for number, age in enumerate(AGES)])
    return ledger


def forget(engine: Engine, ledger: Ledger, days: int) -> None:
    """As the service does when it starts, and once a day."""

    async def run() -> None:
        with closing(CommitThread(ledger, EventBuilder)) as pages:
            await Store(Source(engine), pages).forget(days * DAY)

    asyncio.run(run())


def content(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Everything that is recorded, but for where the chain has come to."""
    return {
        name: [dict(row) for row in connection.execute(_in_order(table)).mappings()]
        for name, table in metadata.tables.items()
        if name != "chains"
    }


def _in_order(table: Table) -> Select[Any]:
    return select(table).order_by(*table.primary_key)


def test_what_is_personal_goes_after_its_time(engine: Engine, written: Ledger) -> None:
    """Features, references, reviewers' words and whole answers; all else stays as it was."""
    with engine.connect() as connection:
        before = content(connection)
    forget(engine, written, 5)
    with engine.connect() as connection:
        after = content(connection)
        assert () == verify(connection, KEY, {}).faults
    gone = {f"prediction-{number}" for number, age in enumerate(AGES) if age >= 5}
    assert 3 == len(gone)
    for row in before[events.name]:
        if row["prediction"] in gone:
            row |= dict.fromkeys(PERSONAL)
    kept = [row for row in before[replies.name] if row["prediction"] not in gone]
    *same, erasure = after[events.name]
    assert before[events.name] == same
    assert ("erasure", "") == (erasure["kind"], erasure["prediction"])
    assert kept == after[replies.name]
    for row in before[referrals.name]:
        if row["prediction"] in gone:
            row |= dict.fromkeys(("reference", "assignee", "reviewer"))
    for table in (claims, referrals, rollups):
        assert before[table.name] == after[table.name]


def test_where_nothing_is_due_nothing_is_written(engine: Engine, written: Ledger) -> None:
    """Not even that nothing was: neither before its time, nor a second time, nor of outcomes."""
    for days in (10, 5, 5, 5):
        forget(engine, written, days)
    outcome = Event("outcome", "prediction-0", now() - 9 * DAY, b'{"grade":"A"}')
    written.write([Entry((outcome,))])
    forget(engine, written, 5)
    with engine.connect() as connection:
        erasures = select(events.c.sequence).where(events.c.kind == "erasure")
        assert [3 * len(AGES) + 1] == connection.scalars(erasures).all()


def test_an_erasure_that_is_not_taken_is_told(
    engine: Engine, written: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was personal is still there, and goes the next time."""
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "write", lambda *_: 1 / 0)
        with pytest.raises(RecordingFailed):
            forget(engine, written, 5)
    forget(engine, written, 5)
    with engine.connect() as connection:
        left = connection.scalars(select(events.c.salt)).all()
        assert () == verify(connection, KEY, {}).faults
    assert 9 == sum(salt is not None for salt in left)


def test_a_clock_that_is_set_ahead_makes_nobody_forget_too_early(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would go a day too early is gone for good; what is old by any clock goes."""
    monkeypatch.setattr("app.clock.time", clock := Clock(now=now() / MICROSECONDS))
    monkeypatch.setattr("app.records.store.now", lambda: int(clock.time() * MICROSECONDS))
    ledger.write([recorded(0, 9), recorded(1, 4)])

    async def run() -> None:
        with closing(CommitThread(ledger, EventBuilder)) as pages:
            store = Store(Source(engine), pages)
            clock.ahead = 3 * 86_400
            await store.forget(5 * DAY)

    asyncio.run(run())
    with engine.connect() as connection:
        asked = select(events.c.salt).where(events.c.kind == "prediction")
        left = connection.scalars(asked.order_by(events.c.sequence)).all()
    assert [True, False] == [salt is None for salt in left]


@pytest.mark.parametrize("moment", ["2026-03-29T02:30", "2026-10-25T02:30"])
def test_summer_time_moves_nothing(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Times are UTC: the hour that a zone leaves out, or has twice, is as long as any other."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        until = at_moment(moment)
        assert datetime.fromisoformat(f"{moment}+00:00").timestamp() * MICROSECONDS == until
        times = [until + hours * 3_600 * MICROSECONDS for hours in (-2, -1, 0, 1)]
        for number, one in enumerate(times):
            body = b'{"reference":null}'
            ledger.write([Entry((Event("prediction", f"{number}", one, b"{}", body),))])
        ledger.erase(Erasure(before=until))
    finally:
        monkeypatch.undo()
        time.tzset()
    with engine.connect() as connection:
        left = connection.scalars(select(events.c.salt).order_by(events.c.sequence)).all()
    assert [True, True, False, False] == [salt is None for salt in left[:4]]


def test_several_that_forget_at_once_do_not_hinder_each_other(server: Server) -> None:
    """As workers do that start together: each event is erased, and listed once."""
    with server.database(MODEL) as url, open_database(url) as engine:
        with closing(Ledger(engine, KEY, CHAIN)) as ledger:
            ledger.write([recorded(number, 1 + number % 9) for number in range(300)])

        def forget(chain: int) -> int:
            with closing(Ledger(engine, KEY, CHAIN[:-1] + str(chain))) as ledger:
                entries = [recorded(1_000 * chain + number, 0) for number in range(20)]
                before = now() - 5 * DAY
                assert all(ledger.write([*entries, Entry((), erasure=Erasure(before=before))]))
                return ledger.erase(Erasure(before=before))

        with ThreadPoolExecutor(3) as threads:
            list(threads.map(forget, range(2, 5)))
        with engine.connect() as connection:
            assert not is_due(connection, now() - 5 * DAY)
            assert () == verify(connection, KEY, {}).faults
            bodies = connection.scalars(select(events.c.body).where(events.c.kind == "erasure"))
            ranges = [
                range(first, last + 1)
                for body in bodies
                for chain, of in json.loads(body)["events"].items()
                for first, last in of
                if chain == CHAIN
            ]
    listed = [sequence for part in ranges for sequence in part]
    assert len(listed) == len(set(listed)) == 3 * sum(1 + number % 9 >= 5 for number in range(300))
