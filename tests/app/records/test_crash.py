"""What was answered is recorded, whatever ends the service, and wherever it is."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import httpx
import numpy as np
import pytest
from sqlalchemy import select

from app.monitoring.alarm_state import MOST_PAST
from app.record_events import moment
from app.records.address import url_of
from app.records.database import reading, snapshot
from app.records.tables import events, marks
from tests.app.records.clients import Clients, Recorded, recorded
from tests.postgres import MODEL, Server
from tests.service import Service, child, is_alive, serving, until

Record = Callable[[str, object], None]
SHORTEST, LONGEST = 0.02, 1.5
"""Seconds until it is killed."""
READY = re.compile(r"worker (\d+) serves")


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Where a service records, as variables."""
    state = {"DUBITO_STATE": str(tmp_path)}
    if request.param == "SQLite":
        yield state
        return
    with request.getfixturevalue("server").database(MODEL) as url:
        yield {**state, "DUBITO_RECORDS_URL": url}


def kill(service: Service, is_whole: bool) -> None:
    """Kill a service, and its recorder at the same moment if it shall be killed whole."""
    recorder = child(service.process.pid, "recorder")
    os.kill(service.process.pid, signal.SIGKILL)
    if is_whole:
        os.kill(recorder, signal.SIGKILL)
    service.process.wait()
    until(lambda: not is_alive(recorder))


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.claim("kill -9", test=1, proof=100)
def test_every_acknowledged_answer_is_recorded(
    tmp_path: Path, place: dict[str, str], is_whole: bool, count: int, record_property: Record
) -> None:
    """Killed under load at random moments: each answer that came is there once, the chain holds.

    Alone, or together with its recorder, whose journal the next service adds to the tables before
    it serves: the counts are then those of all that is there.
    """
    moments, answered = np.random.default_rng(7), list[str]()
    for _ in range(count):
        with (
            serving("loan-grade/1", changes=place) as service,
            Clients(service.port) as clients,
        ):
            time.sleep(moments.uniform(SHORTEST, LONGEST))
            kill(service, is_whole)
        answered += clients.answered
        check_all_recorded(answered, tmp_path, place)
    with serving("loan-grade/1", changes=place):
        found = check_all_recorded(answered, tmp_path, place)
        assert not found.waiting
    record_property("figure", f"{len(answered):,} answers, none missing")
    assert len(answered) > count


def check_all_recorded(answered: list[str], state: Path, place: dict[str, str]) -> Recorded:
    """What was answered is there once, and counted once where it is in the tables."""
    found = recorded(state, place.get("DUBITO_RECORDS_URL"))
    assert () == found.faults
    assert not set(answered) - found.predictions.keys()
    assert {1} == set(found.predictions.values())
    assert (len(found.predictions) - found.waiting,) * 2 == found.counted
    return found


class Impatient(Thread):
    """Begins an alarm anew again and again, until nobody answers."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = f"{url}/alarms/drift/beginning"
        self.answered: list[str] = []
        """When each beginning was that was answered."""

    def run(self) -> None:
        with httpx.Client(trust_env=False) as client, suppress(httpx.TransportError):
            while True:
                answer = client.post(self._url, json={"name": "kim", "note": "again"})
                self.answered.append(answer.json()["began_at"])


def beginnings(place: dict[str, str]) -> tuple[list[str], list[str]]:
    """When an alarm was begun anew, by the events and by the mark, which holds the last ones."""
    url = url_of(place.get("DUBITO_RECORDS_URL"), Path(place["DUBITO_STATE"]))
    with reading(url) as engine, snapshot(engine) as connection:
        times = connection.scalars(select(events.c.time).where(events.c.kind == "beginning"))
        held = select(marks.c.content).where(marks.c.name.startswith("watch:"))
        past = json.loads(connection.scalars(held).one())["past"]
        return sorted(map(moment, times)), [moment(run["ended_at"]) for run in past]


@pytest.mark.claim("kill -9 of beginnings", test=1, proof=20)
def test_what_is_said_of_an_alarm_is_there_whole_or_not_at_all(
    tmp_path: Path, place: dict[str, str], count: int, record_property: Record
) -> None:
    """Killed at random moments: an event for each run that the mark tells of, and the chain holds.

    Of what was answered nothing is missing.
    """
    moments, answered = np.random.default_rng(8), list[str]()
    for _ in range(count):
        with serving("loan-grade/1", changes=place) as service:
            threads = [Impatient(service.url) for _ in range(3)]
            for thread in threads:
                thread.start()
            until(lambda threads=threads: all(one.answered for one in threads))  # type: ignore[misc]
            time.sleep(moments.uniform(SHORTEST, LONGEST))
            os.kill(service.process.pid, signal.SIGKILL)
            service.process.wait()
            for thread in threads:
                thread.join()
        answered += [at for thread in threads for at in thread.answered]
        assert () == recorded(tmp_path, place.get("DUBITO_RECORDS_URL")).faults
        said, past = beginnings(place)
        assert said[-MOST_PAST:] == past
        assert set(answered) <= set(said)
    record_property("figure", f"{len(answered):,} beginnings, none missing, none half")


def workers(service: Service) -> list[int]:
    """Process ids of all workers that ever served."""
    return [int(found) for found in READY.findall(service.written())]


def test_a_worker_that_is_killed_takes_nothing_with_it(tmp_path: Path, server: Server) -> None:
    """Two write one database, one ends under load, another follows it: all answers are there."""
    with server.database(MODEL) as url:
        place = {"DUBITO_STATE": str(tmp_path), "DUBITO_RECORDS_URL": url}
        with serving("loan-grade/1", "--workers", "2", changes=place) as service:
            until(lambda: len(workers(service)) == 2)
            with Clients(service.port) as clients:
                until(lambda: len(clients.answered) > 100)
                first, _ = workers(service)
                os.kill(first, signal.SIGKILL)
                until(lambda: not is_alive(first))
                before = len(clients.answered)
                until(lambda: len(clients.answered) > before + 100)
                until(lambda: len(workers(service)) == 3)
                time.sleep(1)
            assert 0 == service.stop()
        found = recorded(tmp_path, url)
    assert () == found.faults
    assert not set(clients.answered) - found.predictions.keys()
    assert {1} == set(found.predictions.values())
    assert (len(found.predictions),) * 2 == found.counted
    assert 3 == len(found.chains)
    assert {200} == clients.statuses.keys()
