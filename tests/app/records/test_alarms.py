"""What is said of alarms stands in the chain with the mark that takes note of it, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select

from app.errors import Conflict, RecordingFailed
from app.monitoring.alarm_events import AlarmWords, event_of
from app.monitoring.alarm_state import AlarmState
from app.monitoring.alarm_tests import ALARMS
from app.monitoring.alarms import Sentry
from app.monitoring.event_builder import EventBuilder
from app.record_events import Entry, Event, Search, alarm_id, moment
from app.records.database import snapshot
from app.records.export import write_export
from app.records.group_commit import CommitThread
from app.records.ledger import Ledger
from app.records.queries import Source
from app.records.reader import RecordsReader
from app.records.store import Store
from app.records.tables import events
from app.records.verification import verify
from app.records.writer import RecordsWriter
from dubito.uncertainty.drift_alarm import Watch
from tests.app.monitoring.plain import plain
from tests.app.monitoring.toy import DIGEST, NOON, WATCHED
from tests.app.records.conftest import CHAIN, KEY

OTHER = f"{CHAIN[:-1]}2"
WORDS = AlarmWords("kim", "prices were raised")
NAME = f"watch:{DIGEST}"


@pytest.fixture
def pair(engine: Engine, ledger: Ledger) -> Iterator[list[Ledger]]:
    """Two who write one database, which holds a raised alarm."""
    ledger.write([Entry((), note=drifted().note(NAME, 0))])
    with closing(Ledger(engine, KEY, OTHER)) as other:
        yield [ledger, other]


def drifted() -> AlarmState:
    fresh = AlarmState.begin(WATCHED)
    drift = Watch.begin(WATCHED.streams).advance({"weight": {0: 500}}, np.random.default_rng(0))
    tests = {**fresh.tests, "drift": drift}
    return replace(fresh, position=NOON, tests=tests, raised_at={"drift": NOON - 60})


@asynccontextmanager
async def sentries(engine: Engine, pair: list[Ledger]) -> AsyncIterator[list[Sentry]]:
    """A worker for each ledger."""
    async with AsyncExitStack() as stack:
        found = []
        for ledger in pair:
            writer = RecordsWriter(stack.enter_context(closing(CommitThread(ledger, EventBuilder))))
            stack.push_async_callback(writer.close)
            reader = stack.enter_context(closing(RecordsReader(Source(engine))))
            found.append(Sentry(reader, writer, WATCHED))
        yield found


def said(engine: Engine) -> list[Event]:
    """The events of alarms, of chains that verify."""
    with engine.connect() as connection:
        assert () == verify(connection, KEY, {}).faults
        ids = [alarm_id(alarm, DIGEST) for alarm in ALARMS]
        mine = select(events).where(events.c.prediction.in_(ids)).order_by(events.c.time)
        return [
            Event(row.kind, row.prediction, row.time, row.body, row.personal)
            for row in connection.execute(mine)
        ]


async def all_say(*said: Coroutine[Any, Any, None]) -> list[BaseException | None]:
    return await asyncio.gather(*said, return_exceptions=True)


def test_of_several_workers_one_acknowledges(engine: Engine, pair: list[Ledger]) -> None:
    """Exactly one event, and all come to the same."""

    async def run() -> list[BaseException | None]:
        async with sentries(engine, pair) as both:
            found = await all_say(*(one.acknowledge("drift", WORDS) for one in both * 3))
            for one in both:
                await one.look()
            first, second = [await one.alarms() for one in both]
            assert first == second
            (event,) = said(engine)
            shown = {"at": moment(event.time), "name": WORDS.name, "note": WORDS.note}
            assert shown == plain(first[0].acknowledged)
            return found

    found = asyncio.run(run())
    assert 1 == found.count(None)
    assert 5 == sum(isinstance(one, Conflict) for one in found)


def test_every_beginning_of_several_workers_is_there(engine: Engine, pair: list[Ledger]) -> None:
    """One after the other, each with its run."""

    async def run() -> None:
        async with sentries(engine, pair) as both:
            assert [None] * 6 == await all_say(
                *(one.begin_anew("drift", WORDS) for one in both * 3)
            )
            for one in both:
                await one.look()
            first, second = [await one.alarms() for one in both]
            assert first == second
            past = plain(first[0].past)
            assert sorted(moment(event.time) for event in said(engine)) == sorted(
                run["ended_at"] for run in past
            )
            assert [run["began_at"] for run in past[:-1]] == [run["ended_at"] for run in past[1:]]
            assert {WORDS.name} == {run["name"] for run in past}

    asyncio.run(run())


@pytest.mark.parametrize("is_committed", [True, False])
def test_event_and_mark_are_there_or_neither(
    engine: Engine, pair: list[Ledger], monkeypatch: pytest.MonkeyPatch, *, is_committed: bool
) -> None:
    """Where a process ends while it commits, too; the next one finds what there is."""
    commit, driver = engine.dialect.do_commit, engine.dialect.loaded_dbapi

    def lost(connection: Any) -> None:
        if is_committed:
            commit(connection)
        connection.dbapi_connection.close()
        raise driver.OperationalError("lost")

    async def fail() -> None:
        async with sentries(engine, pair[:1]) as (one,):
            with pytest.raises(RecordingFailed):
                await one.begin_anew("drift", WORDS)

    async def look() -> list[dict[str, Any]]:
        async with sentries(engine, pair[1:]) as (one,):
            await one.look()
            return plain(await one.alarms())

    with monkeypatch.context() as patch:
        patch.setattr(engine.dialect, "do_commit", lost)
        asyncio.run(fail())
    drift, _ = asyncio.run(look())
    assert [moment(event.time) for event in said(engine)] == [
        run["ended_at"] for run in drift["past"]
    ]
    assert (is_committed, not is_committed) == (drift["past"] != [], drift["raised"])


def test_a_group_that_is_refused_leaves_no_event(engine: Engine, ledger: Ledger) -> None:
    """Another worker had moved the mark on."""
    state = drifted()
    ledger.write([Entry((), note=state.note(NAME, 0))])
    event = event_of("acknowledgement", "drift", WORDS, 5, state, DIGEST)
    late = replace(state, position=NOON + 60).note(NAME, NOON - 60)
    assert [False] == ledger.write([Entry((event,), note=late)])
    assert [] == said(engine)


def test_retention_takes_names(engine: Engine, pair: list[Ledger]) -> None:
    """And says so: the chain verifies, the alarm stays as it is, and nobody is named."""

    async def run() -> None:
        async with sentries(engine, pair) as (one, other):
            await one.acknowledge("drift", WORDS)
            await one.begin_anew("validity", WORDS)
            before = plain(await one.alarms())
            with closing(CommitThread(pair[1], EventBuilder)) as pages:
                await Store(Source(engine), pages).forget(0)
            await other.look()
            after = plain(await other.alarms())
            before[0]["acknowledged"] |= {"name": None, "note": None}
            before[1]["past"][0] |= {"name": None, "note": None}
            assert before == after

    asyncio.run(run())
    assert [None, None] == [event.personal for event in said(engine)]


def test_what_is_said_of_alarms_is_no_prediction(
    engine: Engine, pair: list[Ledger], tmp_path: Path
) -> None:
    """It is neither exported nor replayed nor in a queue, and has a history of its own."""

    async def run() -> list[str]:
        async with sentries(engine, pair) as (one, _):
            await one.acknowledge("drift", WORDS)
            await one.begin_anew("drift", WORDS)
            with closing(RecordsReader(Source(engine))) as reader:
                history = await reader.history(alarm_id("drift", DIGEST))
                assert ["acknowledgement", "beginning"] == [event.kind for event in history]
                assert [] == await reader.history(alarm_id("validity", DIGEST))
                assert 0 == await reader.queued(Search("waiting"))
                return await reader.predictions()

    assert [] == asyncio.run(run())
    with snapshot(engine) as connection:
        assert 0 == write_export(connection, tmp_path / "all.csv")
    assert b"prices" not in (tmp_path / "all.csv").read_bytes()


def test_a_lost_name_is_noticed(engine: Engine, pair: list[Ledger]) -> None:
    """Taken out by hand, without an erasure that says so."""

    async def run() -> None:
        async with sentries(engine, pair) as (one, _):
            await one.acknowledge("drift", WORDS)

    asyncio.run(run())
    with engine.begin() as connection:
        nobody = {"personal": None, "salt": None}
        connection.execute(events.update().where(events.c.kind == "acknowledgement").values(nobody))
    with engine.connect() as connection:
        (fault,) = verify(connection, KEY, {}).faults
    assert "gone" in fault
