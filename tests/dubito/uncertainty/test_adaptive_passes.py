"""`adaptive`: every row stops by itself, and has the answer of that number of passes."""

from collections.abc import Sequence

import numpy as np
import pytest

from dubito.types import Query, Summary
from dubito.uncertainty.adaptive_passes import RowStatistics, adaptive
from dubito.uncertainty.decomposition import summarise
from dubito.uncertainty.passes import PROBABILITIES, checkpoints
from tests.dubito.uncertainty.driven import driven
from tests.networks import bits, engine, rows


def computed(query: Query) -> Summary:
    """What the engine says of a query."""
    (summary,) = engine("2").summarise([query])
    return summary


def scattered(query: Query) -> Summary:
    """Two classes whose probabilities scatter, in every row alike."""
    first = np.random.default_rng(query.seed).uniform(0, 1, (query.passes, 1))
    draws = np.stack([first, 1 - first], axis=2)
    return summarise(np.repeat(draws, len(query.features), axis=1))


def work(asked: Sequence[Query]) -> list[int]:
    """Rows × passes of queries."""
    return [len(query.features) * query.passes for query in asked]


def check(query: Query, found: RowStatistics, tolerance: float) -> None:
    """Each row's passes are the first look that is within the tolerance, and so is its answer."""
    for at, row in enumerate(query.features):
        passes = int(found.passes[at])
        alone = computed(Query(row[None], passes, query.seed))
        assert bits(alone)[0] == bits(found.summary)[at]
        for looked in checkpoints(query.passes):
            summary = computed(Query(row[None], looked, query.seed))
            (width,) = PROBABILITIES.half_widths(summary.std, looked)
            if looked == passes:
                assert width == found.half_widths[at]
                assert width <= tolerance or looked == query.passes
                break
            assert width > tolerance


@pytest.mark.parametrize(
    ("most", "tolerance"), [(2000, 0.02), (1024, 0.01), (300, 0.05), (40, 0.02), (1, 0.5), (64, 1)]
)
def test_each_row_stops_by_itself(most: int, tolerance: float) -> None:
    """Rows of one query stop at their own first look; at the last they are answered as they are."""
    query = Query(rows(24, 5), most, 77)
    found, asked = driven(computed, query, tolerance)
    check(query, found, tolerance)
    if most > 1000:
        assert len(set(found.passes.tolist())) > 2
    # A row that has stopped is not asked about again.
    open_rows = [int((found.passes >= one.passes).sum()) for one in asked]
    assert open_rows == [len(one.features) for one in asked]


def test_neighbours_change_nothing() -> None:
    """A row alone and among others stops at one look with the same bits."""
    features = rows(16, 6)
    together, _ = driven(computed, Query(features, 1000, 3), 0.02)
    for at in range(16):
        alone, _ = driven(computed, Query(features[at : at + 1], 1000, 3), 0.02)
        assert bits(alone.summary)[0] == bits(together.summary)[at]
        assert alone.passes[0] == together.passes[at]


def test_looks_that_cannot_be_enough_are_left_out() -> None:
    """No pass is asked for a look at which the floor alone is above the tolerance."""
    _, asked = driven(scattered, Query(np.ones((1, 2)), 600, 1), 0.00125)
    assert [512, 600] == work(asked)


@pytest.mark.parametrize(
    ("least", "most", "looks"),
    [
        (1, 300, [64]),
        (64, 300, [64]),
        (65, 300, [128]),
        (100, 300, [128]),
        (300, 300, [300]),
        (301, 300, [64]),
        (100, 40, [40]),
    ],
)
def test_no_row_stops_where_nothing_is_promised(least: int, most: int, looks: list[int]) -> None:
    """Below the least, no pass is asked for; it is left aside where the most is below it too."""
    found, asked = driven(scattered, Query(np.ones((3, 2)), most, 1), 1.0, least)
    assert [3 * passes for passes in looks] == work(asked)
    assert [looks[-1]] * 3 == found.passes.tolist()


def test_an_answer_that_is_no_number_ends_it() -> None:
    """NaN is never within a tolerance, and will not be after more passes."""

    def broken(query: Query) -> Summary:
        summary = scattered(query)
        summary.mean[:] = summary.std[:] = np.nan
        return summary

    found, asked = driven(broken, Query(np.ones((1, 2)), 256, 1), 0.04)
    assert [64] == work(asked)
    assert np.isnan(found.summary.mean).all()


def test_what_is_asked_is_the_query_with_fewer_passes_or_rows() -> None:
    """Every look begins from pass 0 with the query's seed, at the rows that are open, in order."""
    query = Query(rows(24, 5), 2000, 77)
    found, asked = driven(computed, query, 0.02)
    for one in asked:
        is_open = query.features[found.passes >= one.passes]
        assert (0, 77) == (one.first, one.seed)
        assert is_open.tobytes() == one.features.tobytes()


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    """The first query is there at once, and the next only once that is answered."""
    query = Query(np.ones((2, 2)), 300, 1)
    steps = adaptive(query, 1e-9, PROBABILITIES)
    # No look but the last can be enough.
    assert query.passes == next(steps).passes
    with pytest.raises(StopIteration) as end:
        steps.send(scattered(query))
    assert [300, 300] == end.value.value.passes.tolist()
