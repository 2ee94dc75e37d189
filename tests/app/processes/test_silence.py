"""An engine or a recorder that stands still: nobody waits longer than they said, all are told."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from app.processes.subprocesses import started_engine
from app.settings import Settings
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.service import ROOT, Service, child, environment, is_alive, serving, until

SILENCE = 1.0
LATE = 0.7
"""Seconds an answer may come after its deadline on a busy machine; its own bound is a tenth."""
LOAN = example(inspect(find_version(ROOT / "models", "loan-grade", 1)).manifest.signature)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving("loan-grade/1", "--backend", "numpy", "--engine-seconds", f"{SILENCE:g}") as found:
        yield found


@contextmanager
def still(pid: int) -> Iterator[None]:
    """A process that stands still for the length of a block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def ask(service: Service, rows: int = 1, **options: int) -> tuple[httpx.Response, float]:
    """An answer, and how many seconds it took."""
    start = time.monotonic()
    body = {"instances": [LOAN] * rows}
    found = httpx.post(f"{service.url}/predict/mc", json=body, params=options, timeout=20)
    return found, time.monotonic() - start


def ready(service: Service) -> httpx.Response:
    return httpx.get(f"{service.url}/health/ready", timeout=5)


def test_an_engine_that_stands_still_is_noticed(service: Service) -> None:
    """504 at the deadline, then 503 at once and not ready; all is well when it goes on."""
    assert 200 == ask(service, 100)[0].status_code
    with still(child(service.process.pid, "engine")):
        start = time.monotonic()
        late, seconds = ask(service, 100, deadline_ms=500)
        assert (504, True) == (late.status_code, 0.5 <= seconds < 0.5 + LATE)
        until(lambda: ready(service).status_code == 503)
        assert SILENCE < time.monotonic() - start < SILENCE + 3
        assert "no sign of life for more than 1 s" in ready(service).json()["detail"]

        refused, seconds = ask(service, 100)
        assert (503, True) == (refused.status_code, seconds < LATE)
        assert ready(service).json()["detail"] == refused.json()["detail"]
        assert 1 <= int(refused.headers["Retry-After"])
        for address in ("/health/live", "/metrics", "/model", "/"):
            assert 200 == httpx.get(f"{service.url}{address}", timeout=LATE).status_code
    until(lambda: ready(service).status_code == 200)
    assert 200 == ask(service, 100)[0].status_code
    assert "no request is graded until it responds" in service.written()
    assert "the engine answers again" in service.written()


def test_a_long_batch_is_no_silence(service: Service) -> None:
    """The engine computes for seconds, and the service is ready all the while."""
    body = json.dumps({"instances": [LOAN] * 100})
    line = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    headers = {"Content-Type": "application/json"}
    line.request("POST", "/predict/mc?passes=10000&deadline_ms=60000", body, headers)
    end, codes = time.monotonic() + 2.5 * SILENCE, set[int]()
    while time.monotonic() < end:
        codes.add(ready(service).status_code)
        time.sleep(0.05)
    line.close()
    assert {200} == codes


def test_a_recorder_that_stands_still_keeps_nobody_waiting(service: Service) -> None:
    """504 at the deadline, which says that the answer may be recorded, as its key then shows."""
    headers = {"Idempotency-Key": "mine"}
    asked = f"{service.url}/predict/mc?seed=1&deadline_ms=500"
    with still(child(service.process.pid, "recorder")):
        start = time.monotonic()
        late = httpx.post(asked, json=LOAN, headers=headers, timeout=20)
        assert 0.5 <= time.monotonic() - start < 0.5 + LATE
        assert 504 == late.status_code
        assert "may be recorded all the same" in late.json()["detail"]
    until(lambda: httpx.post(asked, json=LOAN, headers=headers).status_code == 200)
    first, second = (httpx.post(asked, json=LOAN, headers=headers).json() for _ in range(2))
    assert first == second


def test_an_engine_that_still_loads_ends_with_its_service() -> None:
    """Who was killed leaves no engine that goes on loading."""
    settings = Settings(models=ROOT / "models", version=3)
    with started_engine(settings) as engine:
        time.sleep(0.7)
        assert is_alive(engine.process.pid)
        start = time.monotonic()
        engine.line.close()
        assert 0 == engine.process.wait(10)
        assert time.monotonic() - start < 1.5


COMPUTES = """
import os, sys
from app.processes.subprocesses import started_engine
from app.settings import Settings
with started_engine(Settings()) as engine:
    print(engine.process.pid, flush=True)
    os.read(0, 1)
    os.kill(os.getpid(), 9)
"""


def test_an_orphan_ends(tmp_path: object) -> None:
    """Whose service is killed with SIGKILL ends by itself, wherever it is in its start."""
    with subprocess.Popen(
        [sys.executable, "-c", COMPUTES],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdout is not None
        engine = int(service.stdout.readline())
        time.sleep(0.7)
        assert is_alive(engine)
        service.communicate("\n")
        assert -signal.SIGKILL == service.returncode
        start = time.monotonic()
        until(lambda: not is_alive(engine))
        assert time.monotonic() - start < 1.5
