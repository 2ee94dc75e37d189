"""`passes=auto`: every row stops by itself, and answers what that number of passes answers."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import numpy as np
import pytest

from app.errors import Overloaded
from app.serving.compute import Thread
from app.serving.predictor import MonteCarloPrediction, Predictor
from dubito.errors import Ungradable
from dubito.types import Floats, Query
from dubito.uncertainty.passes import checkpoints, half_widths
from tests.app.serving.test_predictor import SIGNATURE, Toy
from tests.networks import bits, engine, rows

PATIENCE = 60


@pytest.fixture
def predictor() -> Iterator[Predictor]:
    predictor = Predictor(Thread(engine("2")), SIGNATURE_OF_NINE, queue=10**9)
    yield predictor
    predictor.close()


SIGNATURE_OF_NINE = type(SIGNATURE)(SIGNATURE.features[:1] * 9, tuple("ABCDEFG"))


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


def fixed(row: Floats, passes: int, seed: int) -> bytes:
    (summary,) = engine("2").summarise([Query(row[None], passes, seed)])
    return bits(summary)[0]


def check(doubted: MonteCarloPrediction, tolerance: float) -> None:
    """Each row's passes are the first look that is within the tolerance, and so is its answer."""
    query, look = doubted.query, doubted.look
    for at, row in enumerate(query.features):
        passes = int(look.passes[at])
        assert fixed(row, passes, query.seed) == bits(look.summary)[at]
        for looked in checkpoints(query.passes):
            (summary,) = engine("2").summarise([Query(row[None], looked, query.seed)])
            (width,) = half_widths(summary.std, looked)
            if looked == passes:
                assert width == look.half_widths[at]
                assert width <= tolerance or looked == query.passes
                break
            assert width > tolerance


@pytest.mark.parametrize(
    ("most", "tolerance"), [(2000, 0.02), (1024, 0.01), (300, 0.05), (40, 0.02), (1, 0.5), (64, 1)]
)
def test_each_row_stops_by_itself(predictor: Predictor, most: int, tolerance: float) -> None:
    """Rows of one query stop at their own first look; at the last they are answered as they are."""
    doubted = run(predictor.predict_mc(Query(rows(24, 5), most, 77), tolerance=tolerance))
    check(doubted, tolerance)
    assert tolerance == doubted.tolerance
    if most > 1000:
        assert len(set(doubted.estimate.passes.tolist())) > 2


def test_neighbours_change_nothing(predictor: Predictor) -> None:
    """A row alone, among others and beside other requests stops at one look with the same bits."""
    features = rows(16, 6)

    async def mixed() -> tuple[
        list[MonteCarloPrediction], list[MonteCarloPrediction], MonteCarloPrediction
    ]:
        alone = [
            predictor.predict_mc(Query(features[at : at + 1], 1000, 3), tolerance=0.02)
            for at in range(16)
        ]
        others = [
            predictor.predict_mc(Query(rows(3, at), 50 * at + 7, at), keep_draws=at % 2 == 0)
            for at in range(6)
        ]
        together = predictor.predict_mc(Query(features, 1000, 3), tolerance=0.02)
        found = await asyncio.gather(*alone, *others, together)
        return found[:16], found[16:22], found[22]

    alone, others, together = run(mixed())
    assert [bits(one.summary)[0] for one in alone] == bits(together.summary)
    assert [int(one.estimate.passes[0]) for one in alone] == together.estimate.passes.tolist()
    for at, other in enumerate(others):
        (wanted,) = engine("2").summarise([Query(rows(3, at), 50 * at + 7, at)])
        assert bits(wanted) == bits(other.summary)


def test_draws_are_those_of_the_most_passes(predictor: Predictor) -> None:
    """Draws are kept for the row with the most passes; another row's are the first of them."""
    query = Query(rows(8, 5), 1000, 77)
    doubted = run(predictor.predict_mc(query, tolerance=0.03, keep_draws=True))
    most = int(doubted.estimate.passes.max())
    wanted = engine("2").draws(Query(query.features, most, 77))
    assert doubted.draws is not None
    assert wanted.tobytes() == doubted.draws.tobytes()
    check(doubted, 0.03)


def test_looks_that_cannot_be_enough_are_left_out() -> None:
    """No pass is made for a look at which the floor alone is above the tolerance."""
    toy = Toy()
    predictor = Predictor(Thread(toy), SIGNATURE, queue=100_000)
    run(predictor.predict_mc(Query(np.ones((1, 2)), 600, 1), tolerance=0.00125))
    predictor.close()
    assert [512, 600] == toy.batches


def test_a_request_that_was_begun_is_not_refused() -> None:
    """A queue that is full by then refuses new requests; a begun one goes on to its last look."""
    toy = Toy()

    async def full() -> tuple[MonteCarloPrediction, int]:
        predictor = Predictor(Thread(toy), SIGNATURE, queue=100)
        auto = asyncio.create_task(
            predictor.predict_mc(Query(np.ones((1, 2)), 128, 1), tolerance=0.008)
        )
        filling = [
            asyncio.create_task(predictor.predict_mc(Query(np.ones((1, 2)), 90, 1)))
            for _ in range(40)
        ]
        refused = await asyncio.gather(*filling, return_exceptions=True)
        doubted = await auto
        predictor.close()
        return doubted, sum(isinstance(one, Overloaded) for one in refused)

    doubted, refused = run(full())
    assert refused > 30
    assert 128 == doubted.estimate.passes[0]
    assert {64, 128} < set(toy.batches)


def test_an_answer_that_is_no_number_ends_it() -> None:
    """NaN is never within a tolerance, and is an error at the first look."""

    class Broken(Toy):
        def summarise(self, queries: Any) -> Any:
            found = super().summarise(queries)
            for summary in found:
                summary.mean[:] = np.nan
            return found

    toy = Broken()
    predictor = Predictor(Thread(toy), SIGNATURE, queue=100_000)
    with pytest.raises(Ungradable):
        run(predictor.predict_mc(Query(np.ones((1, 2)), 256, 1), tolerance=0.04))
    predictor.close()
    assert [64] == toy.batches


@pytest.mark.parametrize(("count", "passes"), [(1, 7_001), (2, 3_250), (90, 100), (40, 333)])
def test_a_request_in_pieces_answers_what_the_whole_does(count: int, passes: int) -> None:
    """Cut by rows or by passes, a large request has the bits of one call of the engine."""
    query = Query(rows(count, 3), passes, 5)
    predictor = Predictor(Thread(engine("2")), SIGNATURE_OF_NINE, queue=10**9)
    found = asyncio.run(predictor.predict_mc(query)).summary
    predictor.close()
    (wanted,) = engine("2").summarise([query])
    assert bits(found) == bits(wanted)
