"""Metrics: what one application counts, and the page on which Prometheus reads it."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics import exposition as openmetrics

from app.monitoring.http_metrics import Traffic
from app.monitoring.instruments import Instruments
from app.monitoring.multiprocess_dir import folder
from app.monitoring.prediction_metrics import PredictionMetrics
from app.monitoring.report import Report
from app.monitoring.statistics_gauges import Latest
from dubito.types import Identity

OPENMETRICS = "application/openmetrics-text"
PAUSE = 1.0
"""Seconds; what other workers show of this one's queue is no older."""
REFUSALS = (
    *("queue_full", "deadline_unmeetable", "deadline_passed", "abandoned"),
    *("engine_lost", "unready", "crowded", "unrecorded", "unreadable"),
)


class Records(Protocol):
    """What is to be known of records that are being written."""

    @property
    def behind(self) -> int:
        """Events that wait to be written."""

    @property
    def failures(self) -> int:
        """Groups of events that could not be written."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is asked at every scrape."""

    backlog: Callable[[], int]
    """Work that waits."""
    records: Records | None = None
    figures: Callable[[], Report | None] | None = None
    """The newest answer of `/uncertainty`, asked for on the event loop."""


class Metrics:
    """Counts in memory; of several workers in the folder that they share."""

    def __init__(self) -> None:
        # Prometheus has no use for these series, and several workers have none.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._is_shared = folder() is not None
        if self._is_shared:
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
        else:
            ProcessCollector(registry=self._registry)
        self._instruments = Instruments(None if self._is_shared else self._registry)
        self._latest = Latest()
        self._registry.register(self._latest)
        self._sources: Sources | None = None
        self._failures = 0
        self.traffic = Traffic(self._instruments)
        """Counts exchanges."""
        for reason in REFUSALS:
            self._instruments.refusals.labels(reason).inc(0)

    def predictions(self, identity: Identity, classes: tuple[str, ...]) -> PredictionMetrics:
        """What counts the answers of a bundle."""
        return PredictionMetrics(self._instruments, identity, classes)

    def refused(self, reason: str) -> None:
        """Count a request that was given up."""
        self._instruments.refusals.labels(reason).inc()

    def batch(self, work: int, seconds: float) -> None:
        """Count a batch."""
        self._instruments.batch_work.observe(work)
        self._instruments.batch_seconds.observe(seconds)

    @asynccontextmanager
    async def watching(self, sources: Sources) -> AsyncIterator[None]:
        """Ask sources for the length of a block: at every scrape, and now and then for others'."""
        self._sources = sources
        pulse = asyncio.create_task(self._pulse()) if self._is_shared else None
        try:
            yield
        finally:
            self._sources = None
            if pulse is not None:
                pulse.cancel()

    async def page(self, accept: str) -> tuple[bytes, str]:
        """What Prometheus reads, and its media type: OpenMetrics if that is acceptable."""
        self._refresh()
        if self._sources is not None and self._sources.figures is not None:
            self._latest.take(self._sources.figures)
        is_open = OPENMETRICS in accept
        encode = openmetrics.generate_latest if is_open else generate_latest
        media_type = openmetrics.CONTENT_TYPE_LATEST if is_open else CONTENT_TYPE_PLAIN_0_0_4
        return await asyncio.to_thread(_encoded, encode, self._registry), media_type

    async def _pulse(self) -> None:
        while True:
            self._refresh()
            await asyncio.sleep(PAUSE)

    def _refresh(self) -> None:
        """Look at what is not counted when it happens."""
        if self._sources is None:
            return
        self._instruments.queue.set(self._sources.backlog())
        records = self._sources.records
        if records is not None:
            self._instruments.behind.set(records.behind)
            failures = records.failures
            self._instruments.failures.inc(failures - self._failures)
            self._failures = failures


def _encoded(encode: Callable[[CollectorRegistry], bytes], registry: CollectorRegistry) -> bytes:
    try:
        return encode(registry)
    except struct.error:
        # A worker that starts had made its file, and had not written to it.
        return encode(registry)
