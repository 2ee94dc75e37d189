"""The clock is set while a service records: every row is in figures and in what alarms look at."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import Engine

from app.monitoring.alarms import UNSETTLED_SECONDS, Sentry
from app.monitoring.class_counter import ClassCounter
from app.monitoring.event_builder import EventBuilder
from app.monitoring.monitor import USUAL, Monitor
from app.monitoring.time_windows import ANEW_SECONDS, Window
from app.record_events import MICROSECONDS, Entry
from app.recorded_parts import LOOK_SECONDS
from app.records.group_commit import CommitThread
from app.records.ledger import Ledger
from app.records.queries import Source
from app.records.reader import RecordsReader
from app.records.writer import RecordsWriter
from tests.app.monitoring.toy import CALM, WATCHED, Clock, answers, columns, tally_of
from tests.app.records.clients import Clients, recorded
from tests.app.records.conftest import CHAIN, KEY, event
from tests.programs import false_clock
from tests.service import serving, until

HOUR, DAY = 3_600, 86_400
STEPS = (9 * HOUR, -9 * HOUR, DAY, -DAY)
MONTH = Window("30d", "1d")
RARELY, OFTEN = 0.2, 0.5
COUNTER = ClassCounter(WATCHED)
Record = Callable[[str, object], None]
Faked = tuple[dict[str, str], Callable[[int], None]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """That of everything here."""
    clock = Clock()
    for module in ("clock", "monitoring.alarms", "monitoring.monitor"):
        monkeypatch.setattr(f"app.{module}.time", clock)
    monkeypatch.setattr("app.records.ledger.now", lambda: int(clock.time() * MICROSECONDS))
    return clock


def counted(seed: int) -> Entry:
    """A row that is counted."""
    random = np.random.default_rng(seed)
    rows = columns(random, 1)
    tally = tally_of(COUNTER, answers(random, rows), rows, is_drawn=True)
    return Entry((event(seed),), tally=tally)


class House:
    """Two processes that write, and who watches what they count."""

    def __init__(self, engine: Engine, clock: Clock, writer: RecordsWriter) -> None:
        self._engine, self._clock, self._writer = engine, clock, writer
        self._chains = (f"{CHAIN[:-4]}{number:04d}" for number in range(2, 10_000))
        self._ledgers = [Ledger(engine, KEY, next(self._chains)) for _ in range(2)]
        self._order = random.Random(7)
        self.rows = 0
        self.watch()

    def watch(self) -> None:
        """Begin to watch, as a service does that starts."""
        reader = RecordsReader(Source(self._engine))
        self.sentry = Sentry(reader, self._writer, WATCHED)
        self._monitor = Monitor(reader, self.sentry, WATCHED, CALM)

    def restart(self) -> None:
        """End one of those who write; another follows it."""
        self._ledgers.pop(self._order.randrange(2)).close()
        self._ledgers.append(Ledger(self._engine, KEY, next(self._chains)))

    async def write(self) -> None:
        """Some rows, by either process, with some looks at them."""
        for turn in range(self._order.randrange(1, 9)):
            self._order.choice(self._ledgers).write([counted(self.rows)])
            self.rows += 1
            self._clock.now += self._order.randrange(30)
            if turn % 2:
                await self.sentry.look()

    async def shown(self, window: Window) -> int:
        """Rows of a window."""
        self._clock.now += 2
        return (await self._monitor.content(window)).report.total.rows

    async def step(self, step: int) -> None:
        """Set the clock, which may happen while one or the other is away; then go on."""
        if self._order.random() < RARELY:
            self.watch()
            await self.sentry.look()
        self._clock.ahead += step
        if self._order.random() < RARELY:
            self.restart()
        before, _ = self.rows, await self.shown(USUAL)
        await self.write()
        assert self.rows - before <= await self.shown(USUAL)
        if self._order.random() < OFTEN:
            self._clock.now += ANEW_SECONDS
            assert self.rows == await self.shown(MONTH)

    async def four_steps(self) -> None:
        for step in self._order.sample(STEPS, len(STEPS)):
            await self.step(step)

    async def settle(self) -> None:
        """Look until all is over."""
        for _ in range(3):
            self._clock.now += UNSETTLED_SECONDS
            await self.sentry.look()

    def close(self) -> None:
        for ledger in self._ledgers:
            ledger.close()


@pytest.mark.claim("clock steps", test=6, proof=100)
def test_every_row_is_in_figures_and_alarms(
    engine: Engine, ledger: Ledger, clock: Clock, count: int, record_property: Record
) -> None:
    """Nine hours and a day ahead and back, in any order, with restarts, by two processes."""

    async def run() -> int:
        with closing(CommitThread(ledger, EventBuilder)) as pages:
            writer = RecordsWriter(pages)
            with closing(House(engine, clock, writer)) as house:
                for _ in range(count):
                    await house.four_steps()
                await house.settle()
                assert house.rows == await house.shown(MONTH)
                assert house.rows == (await house.sentry.alarms())[0].rows
            await writer.close()
            return house.rows

    record_property("figure", f"{asyncio.run(run()):,} rows, all of them")


@pytest.fixture
def faked(tmp_path: Path) -> Faked:
    """Variables that give a service a clock, and what sets it to so many seconds ahead."""
    file = tmp_path / "clock"

    def set_to(ahead: int) -> None:
        draft = file.with_suffix(".new")
        draft.write_text(f"{ahead:+d}\n")
        draft.replace(file)

    set_to(0)
    return (
        {
            "LD_PRELOAD": str(false_clock()),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
        set_to,
    )


@pytest.mark.claim("clock steps of a service", test=1, proof=4)
def test_a_service_under_load_counts_every_row(
    tmp_path: Path,
    faked: Faked,
    request: pytest.FixtureRequest,
    count: int,
    record_property: Record,
) -> None:
    """Four steps of its clock, ±9 h and ±1 day: all is in its figures.

    In the proof also in its alarms, and each step is told in the log: both take minutes. Alarms
    look at 2,000 rows of a minute at most, so that no more come there.
    """
    variables, set_to = faked
    is_proof, ahead, state = request.config.getoption("--proof"), 0, tmp_path / "var"
    changes = {**variables, "DUBITO_STATE": str(state)}

    def told(window: str) -> dict[str, Any]:
        address = f"{service.url}/uncertainty?window={window}"
        found: dict[str, Any] = httpx.get(address, trust_env=False, timeout=60).json()
        return found

    with serving("loan-grade/1", changes=changes) as service:
        with Clients(service.port, pause=float(is_proof)) as clients:
            for at in range(count):
                ahead += STEPS[at % len(STEPS)]
                set_to(ahead)
                end = time.monotonic() + (2 * LOOK_SECONDS if is_proof else 0)
                came = len(clients.answered) + 100
                until(lambda end=end: time.monotonic() > end)  # type: ignore[misc]
                until(lambda came=came: len(clients.answered) > came)  # type: ignore[misc]
        rows = len(clients.answered)
        until(lambda: told("30d")["total"]["rows"] == rows == told("1h")["total"]["rows"])
        if is_proof:
            time.sleep(2 * UNSETTLED_SECONDS)
            assert [rows] == [told("30d")["alarms"][0]["rows"]]
            assert count == service.written().count("the clock was set")
        # Not its code: that library makes Python's own `sleep` fail.
        service.stop()
    found = recorded(state)
    assert ((), rows, (rows,) * 2) == (found.faults, len(found.predictions), found.counted)
    assert {200} == clients.statuses.keys()
    record_property("figure", f"{rows:,} rows")
