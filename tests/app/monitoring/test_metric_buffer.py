"""What is buffered arrives, as if it had been counted and observed one by one."""

from itertools import pairwise

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter

from app.monitoring.metric_buffer import MOST_VALUES, BulkHistogram, MetricBuffer

BOUNDS = (0, 0.5, 1, 2, 5)


def samples(registry: CollectorRegistry) -> dict[str, float]:
    return {
        f"{sample.name}{sample.labels}": sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def instruments(registry: CollectorRegistry) -> tuple[Counter, BulkHistogram]:
    return (
        Counter("rows", "Rows.", ("version",), registry=registry).labels("1"),
        BulkHistogram("nats", "Nats.", ("version",), buckets=BOUNDS, registry=registry).labels("1"),
    )


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_buffer_changes_no_metric(is_shared: bool) -> None:
    """Values on a bound, between two and beyond the last, in any number."""
    random = np.random.default_rng(5)
    values: list[float] = [*BOUNDS, *(sum(pair) / 2 for pair in pairwise(BOUNDS)), 9.0, -0.0]
    values += random.choice(np.array(values), 3 * MOST_VALUES).tolist()
    buffered, alone = CollectorRegistry(), CollectorRegistry()
    buffer = MetricBuffer(is_shared=is_shared)
    (counter, histogram), (one, other) = instruments(buffered), instruments(alone)
    for value in values:
        buffer.observe(histogram, value)
        buffer.count(counter, 3)
        other.observe(value)
        one.inc(3)
    if not is_shared:
        assert samples(buffered) != samples(alone)
    buffer.flush()
    assert samples(alone) == pytest.approx(samples(buffered))
    buffer.flush()
    assert samples(alone) == pytest.approx(samples(buffered))
