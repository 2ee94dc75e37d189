"""A full disk: no answer leaves that is not recorded, and all goes on once there is room."""

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from app.errors import RecordsError
from app.monitoring.event_builder import EventBuilder
from app.records.address import url_of
from app.records.opening import writing
from tests.app.records.clients import Clients, recorded
from tests.app.records.conftest import CHAIN, entries
from tests.service import Service, child, serving, until

SIZE = 256 << 20
"""Bytes of the disk."""
ROOM = 1 << 19
"""Bytes that are left of it when it is all but full."""
ENOUGH = 60
"""Answers of a kind."""
LOST = re.compile(r"(\d+) events of answers already sent are not recorded")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "dubito", str(tmp_path)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("nobody may mount a disk here")
    try:
        yield tmp_path
    finally:
        # What still ends there may hold it for a moment.
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@contextmanager
def full(state: Path, room: int = ROOM) -> Iterator[None]:
    """Hardly any room on a disk for the length of a block."""
    ballast = state / "ballast"
    with ballast.open("wb") as file:
        while True:
            # The service takes room meanwhile.
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(state).free - room)
                break
            file.truncate(0)
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def failing(service: Service, state: Path) -> Iterator[None]:
    """No file of a service can grow for the length of a block, which is another fault of a disk."""
    kind, pid = resource.RLIMIT_FSIZE, child(service.process.pid, "recorder")
    largest = max(file.stat().st_size for file in state.iterdir())
    soft, hard = resource.prlimit(pid, kind, (largest, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, kind, (soft, hard))


def told(service: Service, words: str) -> list[str]:
    """What the log says of the records; each refused request has a line of its own as well."""
    lines = service.written().splitlines()
    return [line for line in lines if "dubito.records" in line and words in line]


def check_policy(service: Service, clients: Clients) -> None:
    """Answers that cannot be recorded are refused, and that they are is all that can be noticed."""
    until(lambda: clients.statuses[503] > ENOUGH)
    assert 200 == httpx.get(f"{service.url}/model").status_code
    assert 200 == httpx.get(f"{service.url}/health/live").status_code
    assert all("recorded" in told and again == "5" for told, again in clients.refusals)
    assert 1 == len(told(service, "nothing can be recorded"))


def check_recovery(service: Service, clients: Clients) -> None:
    """Without a restart; the log says so."""
    answered = clients.statuses[200]
    until(lambda: clients.statuses[200] > answered + ENOUGH)
    until(lambda: "records are written again" in service.written())


def check_records(clients: Clients, state: Path) -> None:
    """What was answered is there, and nothing else; the chain holds."""
    assert {200, 503} == clients.statuses.keys()
    found = recorded(state)
    assert () == found.faults
    assert set(clients.answered) == found.predictions.keys()
    assert {1} == set(found.predictions.values())
    assert (len(found.predictions),) * 2 == found.counted


@pytest.mark.parametrize("pages", [0, 1, 2, 3, 5, 8, 13, 21])
def test_a_start_on_a_full_disk_is_a_sentence(disk: Path, pages: int) -> None:
    """Wherever it comes to; with room there is a start, which is as any other."""

    def begin() -> None:
        with writing(url_of(None, disk), disk / "records.key", CHAIN, EventBuilder) as records:
            records.book.write(entries(1))

    with full(disk, pages * 4_096), pytest.raises(RecordsError, match=r"full|No space|disk"):
        begin()
    begin()
    assert {"prediction-0": 1} == recorded(disk).predictions


def test_a_full_disk(disk: Path) -> None:
    """Durable answers are refused as long as it is full, and given again once it is not."""
    with serving("loan-grade/1", changes={"DUBITO_STATE": str(disk)}) as service:
        with Clients(service.port) as clients:
            until(lambda: clients.statuses[200] > ENOUGH)
            with full(disk):
                check_policy(service, clients)
            check_recovery(service, clients)
        assert 0 == service.stop()
    check_records(clients, disk)


def test_a_disk_that_fails(tmp_path: Path) -> None:
    """It is as with one that is full."""
    with serving("loan-grade/1", changes={"DUBITO_STATE": str(tmp_path)}) as service:
        with Clients(service.port) as clients:
            until(lambda: clients.statuses[200] > ENOUGH)
            with failing(service, tmp_path):
                check_policy(service, clients)
            check_recovery(service, clients)
        assert 0 == service.stop()
    check_records(clients, tmp_path)


def test_relaxed_answers_are_refused_as_well(disk: Path) -> None:
    """As soon as it is known; the log says how many had left by then, and are not in the journal.

    There may be none: what the journal has reaches the tables later. The chain is gone on with.
    """
    changes = {"DUBITO_STATE": str(disk), "DUBITO_RECORDS": "relaxed"}
    with serving("loan-grade/1", changes=changes) as service:
        with Clients(service.port) as clients:
            until(lambda: clients.statuses[200] > ENOUGH)
            with full(disk):
                check_policy(service, clients)
            check_recovery(service, clients)
        assert 0 == service.stop()
        lost = sum(map(int, LOST.findall(service.written())))
    found = recorded(disk)
    assert () == found.faults
    assert found.predictions.keys() <= set(clients.answered)
    assert len(clients.answered) == len(found.predictions) + lost
    assert (len(found.predictions),) * 2 == found.counted
