"""The watch over all streams."""

import json
import math
import time

import numpy as np
import pytest

from dubito.types import Floats
from dubito.uncertainty.bins import BinCounts, Bins, of_reference
from dubito.uncertainty.drift_alarm import MOST_ROWS, Watch


def bins(streams: int = 3, rows: int = 7_000) -> dict[str, Bins]:
    random = np.random.default_rng(0)
    return {f"s{at}": of_reference(random.normal(size=rows).tolist()) for at in range(streams)}


def counts(of: Bins, values: Floats) -> BinCounts:
    return dict(enumerate(np.bincount(of.indices(values), minlength=of.size).tolist()))


def minute(
    of: dict[str, Bins], random: np.random.Generator, rows: int, **shifts: float
) -> dict[str, BinCounts]:
    return {
        name: counts(one, random.normal(shifts.get(name, 0.0), size=rows))
        for name, one in of.items()
    }


def test_the_strongest_stream_speaks_for_all() -> None:
    """Evidence is the largest of the streams', divided by their number; that stream is named."""
    random, of = np.random.default_rng(1), bins()
    watch = Watch.begin(of)
    assert watch.evidence == pytest.approx(-math.log(3))
    assert watch.largest == -math.log(3)
    for _ in range(30):
        watch = watch.advance(minute(of, random, 10, s1=1.0), random)
    assert watch.foremost == "s1"
    assert watch.largest == pytest.approx(watch.streams["s1"].largest - math.log(3))
    strongest = max(stream.evidence for stream in watch.streams.values())
    assert watch.evidence == strongest - math.log(3)
    assert watch.largest > math.log(100)
    assert watch.rows == 300


def test_the_order_of_counts_does_not_matter() -> None:
    """Equal counts and an equal seed give an equal state, however they are written down."""
    of = bins()
    first = minute(of, np.random.default_rng(2), 40)
    second = {
        name: dict(sorted(one.items(), reverse=True)) for name, one in sorted(first.items())[::-1]
    }
    states = [Watch.begin(of).advance(one, np.random.default_rng(3)) for one in (first, second)]
    assert states[0] == states[1]


def test_a_state_survives_json() -> None:
    """To the last bit, so that it goes on as it would have."""
    random, of = np.random.default_rng(4), bins()
    watch = Watch.begin(of).advance(minute(of, random, 500, s0=3.0), random)
    again = Watch.from_json(json.loads(json.dumps(watch.to_json(), allow_nan=False)))
    assert again == watch
    more = minute(of, random, 100)
    after = [one.advance(more, np.random.default_rng(5)) for one in (watch, again)]
    assert after[0] == after[1]


def test_streams_may_have_different_rows() -> None:
    """One that has none, is not named or is empty stays as it was."""
    random, of = np.random.default_rng(6), bins()
    watch = Watch.begin(of).advance({"s0": {3: 7}, "s1": {}}, random)
    assert [stream.rows for stream in watch.streams.values()] == [7, 0, 0]
    assert watch.streams["s2"].bag == of["s2"].reference
    assert watch.rows == 7


def test_of_a_busy_minute_a_sample_is_looked_at() -> None:
    """At most 2,000 rows of a stream, drawn without a look at their values."""
    random, of = np.random.default_rng(7), bins(1)
    (one,) = of.values()
    busy = counts(one, random.normal(size=100_000))
    (stream,) = Watch.begin(of).advance({"s0": busy}, random).streams.values()
    assert stream.rows == MOST_ROWS
    taken = np.array(stream.bag) - np.array(one.reference)
    expected = np.array([busy[at] for at in range(one.size)]) * MOST_ROWS / 100_000
    assert (np.abs(taken - expected) <= 5 * np.sqrt(expected + 1)).all()


def test_a_stream_that_is_not_watched_is_an_error() -> None:
    with pytest.raises(KeyError, match="unknown"):
        Watch.begin(bins()).advance({"unknown": {1: 1}}, np.random.default_rng(8))


def test_a_minute_is_quickly_looked_at() -> None:
    """2,000 rows of ten streams take less than half a second."""
    random, of = np.random.default_rng(9), bins(10)
    watch, rows = Watch.begin(of), minute(bins(10), random, MOST_ROWS)
    begun = time.perf_counter()
    watch.advance(rows, random)
    assert time.perf_counter() - begun < 0.5
