"""Collects the application's Prometheus metrics and renders the page of `/metrics`."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

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
from app.monitoring.inference_metrics import InferenceMetrics, ModelStatistics, read_statistics
from app.monitoring.instruments import Instruments
from app.monitoring.multiprocess_dir import folder
from app.monitoring.prediction_metrics import PredictionMetrics
from app.monitoring.report import Report
from app.monitoring.shadow_metrics import ShadowMetrics
from app.monitoring.statistics_gauges import Latest
from dubito.targets import Target
from dubito.types import Identity

Read = TypeVar("Read")
OPENMETRICS = "application/openmetrics-text"
PAUSE = 1.0
"""Seconds between updates of the gauges that other workers show for this worker."""
REFUSALS = (
    *("queue_full", "deadline_unmeetable", "deadline_passed", "abandoned"),
    *("engine_lost", "unready", "crowded", "unrecorded", "unreadable"),
)


class WriterState(Protocol):
    """State of the record writer that metrics show."""

    @property
    def behind(self) -> int:
        """Number of events that wait to be written."""

    @property
    def failures(self) -> int:
        """Number of groups of events that could not be written."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Functions and objects that are queried at every scrape."""

    backlogs: Mapping[str, Callable[[], int]]
    """Queued work by model, rows × passes."""
    records: WriterState | None = None
    figures: Mapping[str, Callable[[], Report | None]] = field(default_factory=dict)
    """Newest report of `/uncertainty` by model; called on the event loop."""


class Metrics:
    """Metrics in memory or, with several workers, in the folder that they share."""

    def __init__(self) -> None:
        # The `_created` series serve no purpose here, and do not exist with several workers.
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
        """Counts HTTP requests."""
        for reason in REFUSALS:
            self._instruments.refusals.labels(reason).inc(0)

    def predictions(self, identity: Identity, target: Target) -> PredictionMetrics:
        """Create the metrics of a bundle's answers."""
        return PredictionMetrics(self._instruments, identity, target)

    def shadow(self, identity: Identity) -> ShadowMetrics:
        """Create the metrics of a shadow."""
        return ShadowMetrics(self._instruments, identity.name, str(identity.version))

    def refused(self, reason: str) -> None:
        """Count a request that was refused."""
        self._instruments.refusals.labels(reason).inc()

    def inferences(self, identity: Identity) -> InferenceMetrics:
        """Create the metrics of a model's requests of the Open Inference Protocol."""
        return InferenceMetrics(self._instruments, identity.name, str(identity.version))

    async def statistics(self) -> Mapping[tuple[str, str], ModelStatistics]:
        """Return the statistics of these requests of all workers, by a model's name and version."""
        self._refresh()
        return await asyncio.to_thread(_collected, read_statistics, self._registry)

    @asynccontextmanager
    async def watching(self, sources: Sources) -> AsyncIterator[None]:
        """Query sources within a block: at every scrape, if shared also every `PAUSE` seconds."""
        self._sources = sources
        pulse = asyncio.create_task(self._pulse()) if self._is_shared else None
        try:
            yield
        finally:
            self._sources = None
            if pulse is not None:
                pulse.cancel()

    async def page(self, accept: str) -> tuple[bytes, str]:
        """Render the metrics; returns content and media type, OpenMetrics if `accept` allows it."""
        self._refresh()
        if self._sources is not None:
            self._latest.take(self._sources.figures)
        is_open = OPENMETRICS in accept
        encode = openmetrics.generate_latest if is_open else generate_latest
        media_type = openmetrics.CONTENT_TYPE_LATEST if is_open else CONTENT_TYPE_PLAIN_0_0_4
        return await asyncio.to_thread(_collected, encode, self._registry), media_type

    async def _pulse(self) -> None:
        while True:
            self._refresh()
            await asyncio.sleep(PAUSE)

    def _refresh(self) -> None:
        """Update the gauges that are read from the sources, and flush what is buffered."""
        self._instruments.buffer.flush()
        if self._sources is None:
            return
        for model, backlog in self._sources.backlogs.items():
            self._instruments.queue.labels(model).set(backlog())
        records = self._sources.records
        if records is not None:
            self._instruments.behind.set(records.behind)
            failures = records.failures
            self._instruments.failures.inc(failures - self._failures)
            self._failures = failures


def _collected(read: Callable[[CollectorRegistry], Read], registry: CollectorRegistry) -> Read:
    try:
        return read(registry)
    except struct.error:
        # A starting worker had created its file, but not written to it yet: the second attempt
        # succeeds.
        return read(registry)
