"""Prometheus metrics of the requests of the Open Inference Protocol, by model.

Its `statistics` are read from them, so that they tell of all workers.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, get_args

from prometheus_client import CollectorRegistry

from app.monitoring.instruments import Instruments

InferencePart = Literal[
    "success", "fail", "cache_hit", "compute_input", "compute_infer", "compute_output"
]
PARTS: tuple[InferencePart, ...] = get_args(InferencePart)
"""All that is counted and timed: whole requests by their end, and the parts of those that succeed.
The time in the queue is a part of `compute_infer`."""
COMPUTING = PARTS[3:]
"""The parts of a request that is computed, in order."""


@dataclass(frozen=True, slots=True)
class Duration:
    """How often something happened, and how long it took together, seconds."""

    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """What a model has done since the service started, in all workers."""

    rows: int = 0
    batches: int = 0
    last: float = 0.0
    """Time of the last request that succeeded, seconds since 1970; 0 if there was none."""
    parts: Mapping[InferencePart, Duration] = field(default_factory=dict)


class Stopwatch:
    """Times the parts of one request."""

    __slots__ = ("_start", "metrics", "parts")

    def __init__(self, metrics: "InferenceMetrics") -> None:
        """Start for a model, unless it turns out that another one answers."""
        self._start = time.perf_counter()
        self.metrics = metrics
        self.parts: list[float] = []

    def lap(self) -> None:
        """End a part of the request; the next begins."""
        self.parts.append(self.seconds - sum(self.parts))

    @property
    def seconds(self) -> float:
        """Seconds since the request began."""
        return time.perf_counter() - self._start


class InferenceMetrics:
    """Counts and times the requests for one model."""

    def __init__(self, instruments: Instruments, model: str, version: str) -> None:
        """Initialise all series, so that each starts at 0."""
        self._buffer = instruments.buffer
        labels = model, version
        self._counts = {part: instruments.inferences.labels(*labels, part) for part in PARTS}
        self._seconds = {
            part: instruments.inference_seconds.labels(*labels, part) for part in PARTS
        }
        self._rows = instruments.inference_rows.labels(*labels)
        self._batches = instruments.inference_batches.labels(*labels)
        self._last = instruments.last_inference.labels(*labels)

    def batch(self) -> None:
        """Count a batch that was computed."""
        self._buffer.count(self._batches)

    @contextmanager
    def watching(self) -> Iterator[Stopwatch]:
        """Time a request: it failed if an error leaves the block."""
        watch = Stopwatch(self)
        try:
            yield watch
        except BaseException:
            watch.metrics.failed(watch)
            raise

    def failed(self, watch: Stopwatch) -> None:
        """Count a request that was not answered."""
        self._add("fail", watch.seconds)

    def succeeded(self, watch: Stopwatch, rows: int) -> None:
        """Count a request that was answered, with its rows."""
        for part, seconds in zip(COMPUTING, watch.parts, strict=True):
            self._add(part, seconds)
        self._add("success", watch.seconds)
        self._buffer.count(self._rows, rows)
        self._last.set(time.time())

    def repeated(self, watch: Stopwatch) -> None:
        """Count a request that was answered with an earlier answer to its idempotency key."""
        self._add("success", watch.seconds)
        self._add("cache_hit", watch.seconds)

    def _add(self, part: InferencePart, seconds: float) -> None:
        self._buffer.count(self._counts[part])
        self._buffer.count(self._seconds[part], seconds)


def read_statistics(registry: CollectorRegistry) -> dict[tuple[str, str], ModelStatistics]:
    """Read the statistics of all models from a registry, by name and version."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name in SERIES:
                labels = sample.labels
                of_model = found.setdefault((labels["model"], labels["version"]), {})
                of_model[sample.name + labels.get("part", "")] = sample.value
    return {key: _statistics(values) for key, values in found.items()}


REQUESTS, SECONDS = "dubito_inferences_total", "dubito_inference_seconds_total"
ROWS, BATCHES = "dubito_inference_rows_total", "dubito_inference_batches_total"
LAST = "dubito_last_inference_timestamp_seconds"
SERIES = frozenset({REQUESTS, SECONDS, ROWS, BATCHES, LAST})
"""Names of the series that statistics are read from."""


def _statistics(values: Mapping[str, float]) -> ModelStatistics:
    return ModelStatistics(
        int(values.get(ROWS, 0)),
        int(values.get(BATCHES, 0)),
        values.get(LAST, 0.0),
        {
            part: Duration(int(values.get(REQUESTS + part, 0)), values.get(SECONDS + part, 0.0))
            for part in PARTS
        },
    )
