"""What was answered is recorded, whatever ends the service, and wherever it is."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.postgres import MODEL, Server
from tests.records.clients import Clients, recorded
from tests.service import Service, is_alive, serving, until

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


@pytest.mark.claim("kill -9", test=2, proof=100)
def test_every_acknowledged_answer_is_recorded(
    tmp_path: Path, place: dict[str, str], count: int, record_property: Record
) -> None:
    """Killed under load at random moments: each answer that came is there once, the chain holds."""
    moments, answered = np.random.default_rng(7), list[str]()
    for _ in range(count):
        with (
            serving("loan-grade/1", changes=place) as service,
            Clients(service.port) as clients,
        ):
            time.sleep(moments.uniform(SHORTEST, LONGEST))
            os.kill(service.process.pid, signal.SIGKILL)
            service.process.wait()
        answered += clients.answered
        found = recorded(tmp_path, place.get("DUBITO_RECORDS_URL"))
        assert () == found.faults
        assert not set(answered) - found.predictions.keys()
        assert {1} == set(found.predictions.values())
        assert (len(found.predictions),) * 2 == found.counted
    record_property("figure", f"{len(answered):,} answers, none missing")
    assert len(answered) > count


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
