"""The reader: what was recorded, read beside whoever writes; that it cannot be had is told."""

import asyncio
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from app.errors import RecordsUnavailable
from app.record_events import HOUR, Entry, Event, Note, Reply, Search, Tally, Unseen, now
from app.records.database import open_database
from app.records.ledger import Ledger
from app.records.queries import Source
from app.records.reader import RecordsReader
from tests.app.records.conftest import CHAIN, KEY, ROWS, entries, event, referral
from tests.postgres import MODEL, Server

DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def reader(engine: Engine) -> RecordsReader:
    return RecordsReader(Source(engine))


def test_what_was_written_is_read(reader: RecordsReader, ledger: Ledger) -> None:
    """Byte for byte, by its name; what is not there is nothing."""
    reply, mark = Reply("k", b"\0asked", "prediction-1", now(), b"\xffanswer"), Note("m", 3, b"\0")
    waits = referral("prediction-1", 5, 0.25)
    tally = Tally(DIGEST, {ROWS: 1})
    ledger.write([Entry((event(1, "case"),), reply, tally, (waits,)), Entry((), note=mark)])

    async def read() -> None:
        assert reply == await reader.reply_to("k")
        assert mark == await reader.note("m")
        assert [event(1, "case")] == await reader.history("prediction-1")
        assert [((5, "prediction-1"), waits)] == await reader.queue(Search("waiting"), 5, None)
        assert 1 == await reader.queued(Search("waiting"))
        found = await reader.search(Search(reference="case"), 5, None)
        assert (["prediction-1"], None) == ([one.prediction for one in found.events], found.after)
        (hour,) = await reader.rollups(DIGEST, HOUR, 0)
        assert {"rows": 1} == hour.counts
        minutes = await reader.unseen(DIGEST, {}, 0, 0)
        assert [(CHAIN, {"rows": 1})] == [(one.owner, one.counts) for one in minutes.rollups]
        assert {CHAIN: minutes.rollups[0].start} == minutes.last
        assert Unseen({}, ()) == await reader.unseen("x", {}, 0, 0)
        assert await reader.reply_to("x") is None
        assert await reader.note("x") is None
        assert [] == await reader.history("x")
        assert [] == await reader.rollups("x", HOUR, 0)

    asyncio.run(read())


def test_a_history_is_in_order(reader: RecordsReader, ledger: Ledger) -> None:
    """What happened first stands first, whoever wrote it and whatever was written between."""
    first = event(1)
    review = Event("review", "prediction-1", 7_000, b"{}", b'{"note":"","reviewer":"Kim"}')
    outcome = Event("outcome", "prediction-1", 6_000, b'{"grade":"B"}')
    ledger.write([Entry((first,)), *entries(3, 5)])
    ledger.write([Entry((replace(review, ordinal=0),))])
    ledger.write([Entry((outcome,))])
    assert [first, outcome, review] == asyncio.run(reader.history("prediction-1"))


def test_a_history_begins_with_the_prediction(reader: RecordsReader, ledger: Ledger) -> None:
    """Also where the clock was set back before the review."""
    review = Event("review", "prediction-1", 7, b"{}", b'{"note":"","reviewer":"Kim"}')
    ledger.write([Entry((event(1),)), Entry((review,))])
    assert [event(1), review] == asyncio.run(reader.history("prediction-1"))


def test_predictions_are_named_in_their_order(reader: RecordsReader, ledger: Ledger) -> None:
    """Nothing but predictions, oldest first."""
    several = [replace(event(at), prediction=f"prediction {at}") for at in (3, 1, 2)]
    ledger.write([Entry((*several, Event("outcome", "prediction 0", 1, b"{}")))])
    found = asyncio.run(reader.predictions())
    assert [f"prediction {at}" for at in (1, 2, 3)] == found


def test_what_cannot_be_read_is_told(reader: RecordsReader, engine: Engine, ledger: Ledger) -> None:
    """As one of the errors that the service knows."""
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE replies"))
    with pytest.raises(RecordsUnavailable):
        asyncio.run(reader.reply_to("k"))


def test_a_server_that_was_away_is_read_again(server: Server) -> None:
    """Nobody opens the records anew for that."""
    with server.database(MODEL) as url, open_database(url) as engine:
        with closing(Ledger(engine, KEY, CHAIN)) as ledger:
            ledger.write(entries(1))
        reader = RecordsReader(Source(engine))

        async def read() -> None:
            assert [event(0)] == await reader.history("prediction-0")
            server.end()
            with pytest.raises(RecordsUnavailable):
                await reader.history("prediction-0")
            server.start()
            assert [event(0)] == await reader.history("prediction-0")

        asyncio.run(read())
