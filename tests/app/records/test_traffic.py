"""Counts of exchanges in the records: of several processes together, and after their end."""

import asyncio
from contextlib import AsyncExitStack, closing

from sqlalchemy import Engine

from app.count_keys import summed
from app.monitoring.event_builder import EventBuilder
from app.monitoring.metrics import Metrics
from app.monitoring.request_counts import DIGEST, Exchanges
from app.record_events import HOUR, MINUTE
from app.records.group_commit import CommitThread
from app.records.ledger import Ledger
from app.records.queries import Source
from app.records.reader import RecordsReader
from app.records.writer import RecordsWriter
from tests.app.monitoring.plain import service
from tests.app.records.conftest import CHAIN, KEY

PROCESSES = 2
RUNS = 2


def test_processes_and_runs_add_up(engine: Engine) -> None:
    """Two that count beside each other, and two that follow them: by the minute and by the hour."""

    async def count(number: int) -> None:
        chain = f"{CHAIN[:-2]}{number:02d}"
        async with AsyncExitStack() as stack:
            ledger = stack.enter_context(closing(Ledger(engine, KEY, chain)))
            pages = stack.enter_context(closing(CommitThread(ledger, EventBuilder)))
            writer = RecordsWriter(pages)
            stack.push_async_callback(writer.close)
            exchanges, metrics = Exchanges(writer), Metrics()
            metrics.traffic.record(exchanges)
            for _ in range(3):
                metrics.traffic("/predict/mc", "POST", 200, 0.004)
                metrics.traffic("/reviews", "GET", 404, 0.001)
                await exchanges.write()
            metrics.traffic("/predict", "POST", 500, 0.002)
            exchanges.leave()

    async def run() -> None:
        for turn in range(RUNS):
            numbers = range(10 * (turn + 1), 10 * (turn + 1) + PROCESSES)
            await asyncio.gather(*map(count, numbers))
        reader = RecordsReader(Source(engine))
        with closing(reader):
            for span in (MINUTE, HOUR):
                rollups = await reader.rollups(DIGEST, span, 0)
                found = service(summed(one.counts for one in rollups))
                assert {"200": 12, "404": 12, "500": 4} == found["statuses"]
                assert {"200": 12, "500": 4} == found["grading"]["statuses"]
            assert None is await reader.newest()

    asyncio.run(run())
