"""Exchanges: counted in memory, and written once in a while, whatever the records do."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.count_keys import CountKey, summed
from app.errors import RecordingFailed
from app.monitoring.log_bins import MOST, bounds, place
from app.monitoring.metrics import Metrics
from app.monitoring.request_counts import DIGEST, GRADING, WATCHING, Exchanges
from app.monitoring.statistics import LATENCY_LEVELS
from app.record_events import Draft, Entry
from app.watched_bundle import WatchedBundle
from tests.app.monitoring.plain import service

ROUTES = ["/predict", "/predict/mc", "/reviews", "/model", "-", *sorted(WATCHING)]
STATUSES = [200, 304, 404, 422, 429, 431, 499, 500, 501, 503, 504]
ASKED = st.lists(
    st.tuples(
        st.sampled_from(ROUTES),
        st.sampled_from(["GET", "POST", "BREW"]),
        st.sampled_from(STATUSES),
        st.one_of(st.floats(0, 2), st.floats(0, 700)),
    ),
    max_size=60,
)


class Writer:
    """Takes entries, unless a test says that it cannot."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.behind = self.failures = 0
        self.trouble: str | None = None
        self.refuses = self.fails = self.hangs = False

    def introduce(self, served: Sequence[WatchedBundle]) -> None:
        raise NotImplementedError

    def leave(self, entry: Entry | Draft) -> None:
        assert isinstance(entry, Entry)
        if self.refuses or self.trouble is not None:
            raise RecordingFailed
        self.entries.append(entry)

    def put(self, entry: Entry | Draft) -> "asyncio.Future[bool]":
        if self.refuses:
            raise RecordingFailed
        written = asyncio.get_running_loop().create_future()
        if self.fails:
            written.set_exception(RecordingFailed())
            return written
        self.leave(entry)
        if not self.hangs:
            written.set_result(True)
        return written

    @property
    def written(self) -> dict[CountKey, int]:
        assert all(() == entry.events for entry in self.entries)
        tallies = [entry.tally for entry in self.entries if entry.tally is not None]
        assert {DIGEST} >= {tally.digest for tally in tallies}
        return summed(tally.counts for tally in tallies)


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def exchanges(writer: Writer) -> Exchanges:
    return Exchanges(writer)


def asking(exchanges: Exchanges) -> Metrics:
    metrics = Metrics()
    metrics.traffic.record(exchanges)
    return metrics


@given(ASKED)
def test_figures_are_those_of_what_was_asked(asked: list[tuple[str, str, int, float]]) -> None:
    """Beside a slow count; quantiles lie in the bin that holds NumPy's."""
    writer = Writer()
    exchanges = Exchanges(writer)
    metrics = asking(exchanges)
    for route, method, status, seconds in asked:
        metrics.traffic(route, method, status, seconds)
    asyncio.run(exchanges.write())
    found = service(writer.written)
    counted = [(route, status) for route, _, status, _ in asked if route not in WATCHING]
    check(found, [status for _, status in counted])
    check(found["grading"], [status for route, status in counted if route in GRADING])
    graded = [one[3] for one in asked if one[0] in GRADING and one[2] < 400]
    for level in LATENCY_LEVELS:
        told = found["latency"][str(level)]
        if not graded:
            assert None is told
            continue
        exact = float(np.quantile(graded, level, method="inverted_cdf"))
        low, high = bounds(place(exact / 60), MOST)
        assert low * 60 <= told <= high * 60


def check(found: dict[str, Any], statuses: list[int]) -> None:
    """Compare figures with the statuses themselves."""
    assert len(statuses) == found["requests"]
    assert Counter(map(str, statuses)) == found["statuses"]
    errors = [one for one in statuses if one >= 500 and one not in (503, 504)]
    refused = [one for one in statuses if one in (429, 503, 504)]
    invalid = [one for one in statuses if 400 <= one < 500 and one != 429]
    assert (len(errors), len(refused), len(invalid)) == (
        found["errors"],
        found["refused"],
        found["invalid"],
    )


def test_where_nothing_was_counted_nothing_is_written(exchanges: Exchanges, writer: Writer) -> None:
    """Also where the service was only watched."""
    metrics = asking(exchanges)
    for route in WATCHING:
        metrics.traffic(route, "GET", 200, 0.001)
    asyncio.run(exchanges.write())
    exchanges.leave()
    assert [] == writer.entries


def test_each_is_written_once(exchanges: Exchanges, writer: Writer) -> None:
    """In turns, and the rest at the end."""
    metrics = asking(exchanges)
    for _ in range(3):
        metrics.traffic("/predict", "POST", 200, 0.002)
        asyncio.run(exchanges.write())
        asyncio.run(exchanges.write())
    metrics.traffic("/predict", "POST", 200, 0.002)
    exchanges.leave()
    exchanges.leave()
    assert 4 == len(writer.entries)
    assert {"status.200": 4, "grading.200": 4, f"latency.{place(0.002 / 60)}": 4} == writer.written


@pytest.mark.parametrize("how", ["trouble", "refuses", "fails"])
def test_what_cannot_be_written_is_written_later(
    exchanges: Exchanges, writer: Writer, how: str
) -> None:
    """Whether the writer says so before, at once or afterwards; counting goes on."""
    metrics = asking(exchanges)
    setattr(writer, how, "the disk is full" if how == "trouble" else True)
    for _ in range(5):
        metrics.traffic("/predict/mc", "POST", 503, 0.001)
        asyncio.run(exchanges.write())
    assert {} == writer.written
    setattr(writer, how, None if how == "trouble" else False)
    metrics.traffic("/predict/mc", "POST", 200, 0.001)
    asyncio.run(exchanges.write())
    assert {"503": 5, "200": 1} == service(writer.written)["statuses"]


def test_what_comes_while_it_is_written_is_counted(exchanges: Exchanges, writer: Writer) -> None:
    """An end in the middle of a write neither loses nor doubles what is under way."""
    metrics = asking(exchanges)
    writer.hangs = True

    async def run() -> None:
        metrics.traffic("/predict", "POST", 200, 0.001)
        writing = asyncio.create_task(exchanges.write())
        await asyncio.sleep(0)
        metrics.traffic("/predict", "POST", 422, 0.001)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        exchanges.leave()

    asyncio.run(run())
    assert {"200": 1, "422": 1} == service(writer.written)["statuses"]


def test_an_end_without_records_is_an_end(exchanges: Exchanges, writer: Writer) -> None:
    """What cannot be left is lost, and raises nothing."""
    asking(exchanges).traffic("/predict", "POST", 200, 0.001)
    writer.trouble = "the disk is full"
    exchanges.leave()
    assert [] == writer.entries
