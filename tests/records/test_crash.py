"""What was answered is recorded, whatever ends the service, and wherever it is."""

import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, select

from app.api.rows import example
from app.network.catalog import find
from app.network.inspection.archive import inspect
from app.records.database import url_of
from app.records.key import FILE, read
from app.records.tables import events
from app.records.verification import verify
from tests.service import ROOT, Service, serving

Record = Callable[[str, object], None]
JSON = {"Content-Type": "application/json"}
CLIENTS = 8
ROWS = 3
SHORTEST, LONGEST = 0.02, 1.5
"""Seconds until it is killed."""


class Clients:
    """Threads that ask as fast as they are answered, and note each answer that came whole."""

    def __init__(self, service: Service) -> None:
        found = inspect(find(ROOT / "models", "loan-grade", 1))
        row = example(found.manifest.signature)
        self.bodies = [json.dumps(row), json.dumps({"instances": [row] * ROWS})]
        self.port = service.port
        self.answered: list[str] = []
        self._threads = [threading.Thread(target=self._ask, args=(at,)) for at in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, at: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            while True:
                connection.request("POST", "/predict/mc?passes=20", self.bodies[at % 2], JSON)
                content = json.loads(connection.getresponse().read())
                rows = content.get("predictions", [content])
                self.answered += [row["id"] for row in rows]
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


@pytest.mark.claim("kill -9", test=2, proof=100)
def test_every_acknowledged_answer_is_recorded(
    tmp_path: Path, count: int, record_property: Record
) -> None:
    """Killed under load at random moments: each answer that came is there once, the chain holds."""
    moments, answered = np.random.default_rng(7), list[str]()
    for _ in range(count):
        with serving("loan-grade/1", changes={"DUBITO_STATE": str(tmp_path)}) as service:
            clients = Clients(service)
            time.sleep(moments.uniform(SHORTEST, LONGEST))
            os.kill(service.process.pid, signal.SIGKILL)
            service.process.wait()
            clients.join()
        answered += clients.answered
        recorded = _recorded(tmp_path)
        assert not set(answered) - recorded.keys()
        assert {1} == set(recorded.values())
    record_property("figure", f"{len(answered):,} answers, none missing")
    assert len(answered) > count


def _recorded(state: Path) -> Counter[str]:
    """How often each prediction is there."""
    engine = create_engine(url_of(None, state))
    with engine.connect() as connection:
        assert () == verify(connection, read(state / FILE), {}).faults
        found = Counter(connection.scalars(select(events.c.prediction)))
    engine.dispose()
    return found
