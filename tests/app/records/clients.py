"""Clients that ask as fast as they are answered, and what is recorded of their answers."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from sqlalchemy import select

from app.monitoring import request_counts
from app.record_events import Draft
from app.records.address import url_of
from app.records.database import reading, snapshot
from app.records.key import FILE, read_all, read_key
from app.records.rollups import SPANS
from app.records.tables import events, rollups
from app.records.verification import verify
from app.records.waiting import waiting
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.service import ROOT

JSON = {"Content-Type": "application/json"}
MANY = 8
ROWS = 3
LOST = (OSError, http.client.HTTPException, ValueError)


class Clients:
    """Threads that ask for the length of a block; who loses the connection has it anew."""

    def __init__(self, port: int, reference: str | None = None, pause: float = 0) -> None:
        """Begin.

        Args:
            port: where to ask.
            reference: a case that every request names, beside a key of its own.
            pause: seconds for which each thread waits between two requests.
        """
        found = inspect(find_version(ROOT / "models", "loan-grade", 1))
        self.row = row = example(found.manifest.signature)
        self._bodies = [json.dumps(row), json.dumps({"instances": [row] * ROWS})]
        self._port, self._reference, self._pause = port, reference, pause
        self._over = threading.Event()
        self.answered: list[str] = []
        """Identifiers of all rows whose answer came whole."""
        self.statuses: Counter[int] = Counter()
        self.refusals: list[tuple[str, str | None]] = []
        """Of what was refused, what the answer said and when to come again."""
        self._threads = [threading.Thread(target=self._ask, args=(at,)) for at in range(MANY)]
        for thread in self._threads:
            thread.start()

    def _ask(self, at: int) -> None:
        while not self._over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            try:
                while not self._over.is_set():
                    body, headers = self._bodies[at % 2], self._headers()
                    connection.request("POST", "/predict/mc?passes=20", body, headers)
                    self._note(connection.getresponse())
                    self._over.wait(self._pause)
            except LOST:
                time.sleep(0.01)
            finally:
                connection.close()

    def _headers(self) -> dict[str, str]:
        if self._reference is None:
            return JSON
        return {**JSON, "Dubito-Reference": self._reference, "Idempotency-Key": uuid4().hex}

    def _note(self, answer: http.client.HTTPResponse) -> None:
        content = json.loads(answer.read())
        if answer.status == http.HTTPStatus.OK:
            self.answered += [row["id"] for row in content.get("predictions", [content])]
        else:
            self.refusals.append((content["detail"], answer.getheader("Retry-After")))
        self.statuses[answer.status] += 1

    def __enter__(self) -> "Clients":
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is there."""

    predictions: Counter[str]
    """How often each is there, in the tables or in a journal."""
    chains: Mapping[str, int]
    """How many events each has."""
    faults: tuple[str, ...]
    counted: tuple[int, ...]
    """Rows that the rollups say there were, by minute and by hour."""
    waiting: int
    """How many of the predictions are in a journal only."""


def recorded(state: Path, url: str | None = None) -> Recorded:
    """What is there, read from beside a service or after it."""
    address = url_of(url, state)
    with reading(address) as engine, engine.connect() as connection:
        left = [
            answer.id
            for batch in waiting(address, lambda: read_all(state / FILE), connection)
            for group in batch.groups
            for item in group.items
            if isinstance(item, Draft)
            for part in item.parts
            for answer in part.answers
        ]
    with reading(address) as engine, snapshot(engine) as connection:
        verdict = verify(connection, read_key(state / FILE), {})
        named = select(events.c.prediction).where(events.c.kind == "prediction")
        of_bundles = rollups.c.digest != request_counts.DIGEST
        parts = connection.execute(select(rollups.c.span, rollups.c.counts).where(of_bundles)).all()
        return Recorded(
            Counter([*connection.scalars(named), *left]),
            {head.chain: head.sequence for head in verdict.heads},
            verdict.faults,
            tuple(
                sum(json.loads(counts)["rows"] for of, counts in parts if of == span)
                for span in SPANS
            ),
            len(left),
        )
