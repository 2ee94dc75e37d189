"""A full disk: no answer leaves that was not recorded, and all goes on once there is room."""

import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.records.clients import Clients, recorded
from tests.service import Service, child, serving, until

SIZE = 24 << 20
"""Bytes of the disk."""
ROOM = 1 << 19
"""Bytes that are left of it when it is all but full."""
ENOUGH = 60
"""Answers of a kind."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "dubito", str(tmp_path)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("nobody may mount a disk here")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@contextmanager
def full(state: Path) -> Iterator[None]:
    """Hardly any room on a disk for the length of a block."""
    ballast = state / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(state).free - ROOM)
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


def check_policy(service: Service, clients: Clients) -> None:
    """Answers that cannot be recorded are refused, and that they are is all that can be noticed."""
    until(lambda: clients.statuses[503] > ENOUGH)
    assert 200 == httpx.get(f"{service.url}/health/ready").status_code
    assert 200 == httpx.get(f"{service.url}/model").status_code
    assert {("the answer could not be recorded", "5")} == set(clients.refusals)
    assert "records cannot be written" in service.written()


def check_recovery(clients: Clients) -> None:
    """Without a restart."""
    answered, refused = clients.statuses[200], clients.statuses[503]
    until(lambda: clients.statuses[200] > answered + ENOUGH)
    # What had failed by then may be told a moment later.
    assert clients.statuses[503] <= refused + threading.active_count()


def check_records(clients: Clients, state: Path) -> None:
    """What was answered is there, and nothing else; the chain holds."""
    assert {200, 503} == clients.statuses.keys()
    found = recorded(state)
    assert () == found.faults
    assert set(clients.answered) == found.predictions.keys()
    assert {1} == set(found.predictions.values())
    assert (len(found.predictions),) * 2 == found.counted


def test_a_full_disk(disk: Path) -> None:
    """Durable answers are refused as long as it is full, and given again once it is not."""
    with serving("loan-grade/1", changes={"DUBITO_STATE": str(disk)}) as service:
        with Clients(service.port) as clients:
            until(lambda: clients.statuses[200] > ENOUGH)
            with full(disk):
                check_policy(service, clients)
            check_recovery(clients)
        assert 0 == service.stop()
    check_records(clients, disk)


def test_a_disk_that_fails(tmp_path: Path) -> None:
    """It is as with one that is full."""
    with serving("loan-grade/1", changes={"DUBITO_STATE": str(tmp_path)}) as service:
        with Clients(service.port) as clients:
            until(lambda: clients.statuses[200] > ENOUGH)
            with failing(service, tmp_path):
                check_policy(service, clients)
            check_recovery(clients)
        assert 0 == service.stop()
    check_records(clients, tmp_path)


def test_relaxed_answers_go_on_where_the_disk_is_full(disk: Path) -> None:
    """They are lost from the records, as the log says; the chain holds, and is gone on with."""
    changes = {"DUBITO_STATE": str(disk), "DUBITO_RECORDS": "relaxed"}
    with serving("loan-grade/1", changes=changes) as service:
        with Clients(service.port) as clients:
            until(lambda: clients.statuses[200] > ENOUGH)
            with full(disk):
                until(lambda: "records cannot be written" in service.written())
                answered = clients.statuses[200]
                until(lambda: clients.statuses[200] > answered + ENOUGH)
        last = httpx.post(f"{service.url}/predict", json=clients.row).json()["id"]
        assert 0 == service.stop()
    assert {200} == clients.statuses.keys()
    found = recorded(disk)
    assert () == found.faults
    assert found.predictions.keys() < {*clients.answered, last}
    assert last in found.predictions
    assert (len(found.predictions),) * 2 == found.counted
