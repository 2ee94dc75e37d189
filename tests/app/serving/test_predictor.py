"""The predictor: rows in, grades with uncertainty out, nothing crossed, refused once begun."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from app.errors import Overloaded
from app.serving.batcher import Batcher
from app.serving.compute import ComputeThread
from app.serving.predictor import BATCH_WORK, Predictor
from dubito.errors import Ungradable
from dubito.features import FeatureStats, NumberFeature
from dubito.prediction import MonteCarloPrediction
from dubito.targets import ClassTarget
from dubito.types import Floats, Query, Signature, Summary
from dubito.uncertainty.decomposition import summarise
from dubito.uncertainty.passes import PROBABILITIES, checkpoints
from tests.networks import bits, engine
from tests.networks import rows as loans
from tests.service import ROOT

CLASSES = ("low", "middle", "high")
PATIENCE = 60


def feature(name: str, *, nullable: bool = False) -> NumberFeature:
    seen = FeatureStats(0.0, 10.0, {"0.5": 5.0}, (0.0, 10.0), (1,), 0)
    imputed = 5.0 if nullable else None
    return NumberFeature(name, name, (), "float", "", nullable, imputed, 0.0, 1e6, seen)


SIGNATURE = Signature((feature("x"), feature("y", nullable=True)), ClassTarget(CLASSES))


class Toy:
    """An engine whose answers are a function of row and seed alone, and that can be held up."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.let = threading.Event()
        self.let.set()
        self.begun = threading.Event()
        self.fail = False

    def predict(self, rows: Floats) -> Floats:
        self._begin(len(rows))
        return _probabilities(np.nan_to_num(rows, nan=5.0))

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        self._begin(sum(len(query.features) * query.passes for query in queries))
        return [summarise(_draws(query)) for query in queries]

    def reduced(self, draws: Floats) -> Summary:
        return summarise(draws)

    def draws(self, query: Query) -> Floats:
        self._begin(len(query.features) * query.passes)
        return _draws(query)

    def _begin(self, work: int) -> None:
        self.batches.append(work)
        self.begun.set()
        assert self.let.wait(PATIENCE)
        if self.fail:
            raise MemoryError


def _probabilities(rows: Floats) -> Floats:
    logits = np.stack([rows[:, 0], rows[:, 1], rows.sum(axis=1) / 2], axis=1) / 3
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    whole: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return whole


def _draws(query: Query) -> Floats:
    noise = np.random.default_rng(query.seed).normal(size=(query.passes, 1, 2))
    rows = np.nan_to_num(query.features, nan=5.0)
    return np.stack([_probabilities(rows + one) for one in noise])


@pytest.fixture
def toy() -> Toy:
    return Toy()


SIGNATURE_OF_NINE = Signature(SIGNATURE.features[:1] * 9, ClassTarget(tuple("ABCDEFG")))


@pytest.fixture
def shipped() -> Iterator[Predictor]:
    """One with the engine of a shipped bundle."""
    predictor = Predictor(ComputeThread(engine("2")), SIGNATURE_OF_NINE, queue=10**9)
    yield predictor
    predictor.close()


@pytest.fixture
def predictor(toy: Toy) -> Iterator[Predictor]:
    predictor = Predictor(ComputeThread(toy), SIGNATURE, queue=100_000)
    yield predictor
    toy.let.set()
    predictor.close()


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


def rows(count: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).uniform(0, 10, (count, 2))


def test_grades_are_the_most_probable(predictor: Predictor, toy: Toy) -> None:
    """A grade is the argmax; a tie goes to the lower class."""
    asked = np.array([[9.0, 1.0], [1.0, 9.0], [4.0, 4.0]])
    graded = run(predictor.predict(asked))
    assert [0, 1, 0] == graded.predicted.tolist()
    assert toy.predict(asked).tolist() == graded.probabilities.tolist()


@pytest.mark.parametrize("keep", [False, True])
def test_doubt_is_of_the_draws(predictor: Predictor, *, keep: bool) -> None:
    """The summary is that of the passes, whether or not they are kept."""
    query = Query(rows(4), 25, 7)
    doubted = run(predictor.predict_mc(query, keep_draws=keep))
    wanted = summarise(_draws(query))

    assert wanted.mean.tolist() == doubted.summary.mean.tolist()
    assert wanted.std.tolist() == doubted.summary.std.tolist()
    assert (_draws(query).tolist() if keep else None) == (
        None if doubted.draws is None else doubted.draws.tolist()
    )
    assert query is doubted.query


def test_notices_are_told_by_row(predictor: Predictor) -> None:
    """A missing value and one out of range are told with their row, by either way of grading."""
    asked = np.array([[1.0, 1.0], [16.0, np.nan], [0.0, 10.0]])
    plain = run(predictor.predict(asked)).notices
    doubted = run(predictor.predict_mc(Query(asked, 3, 0))).notices

    assert plain == doubted
    assert [[], [("out_of_range", "x", 16.0), ("missing", "y", None)], []] == [
        [(notice.kind, notice.feature, notice.value) for notice in row] for row in plain
    ]


@pytest.mark.parametrize("seed", range(4))
def test_mixed_requests_are_not_crossed(predictor: Predictor, seed: int) -> None:
    """Plain, doubted and drawn requests of any size, passes and seed get their own answers."""
    random = np.random.default_rng(seed)

    async def client(at: int) -> None:
        asked = rows(int(random.integers(1, 9)), at)
        query = Query(asked, int(random.integers(1, 30)), at)
        await asyncio.sleep(float(random.random()) * 0.02)
        if at % 3 == 0:
            graded = await predictor.predict(asked)
            assert _probabilities(asked).tolist() == graded.probabilities.tolist()
            return
        doubted = await predictor.predict_mc(query, keep_draws=at % 3 == 1)
        assert summarise(_draws(query)).mean.tolist() == doubted.summary.mean.tolist()
        assert query is doubted.query
        if doubted.draws is not None:
            assert _draws(query).tolist() == doubted.draws.tolist()

    async def many() -> None:
        await asyncio.gather(*(client(at) for at in range(150)))

    run(many())


def test_batches_are_bounded_by_work(predictor: Predictor, toy: Toy) -> None:
    """What gathers is bounded in rows × passes, not in requests."""

    async def many() -> None:
        toy.let.clear()
        tasks = [asyncio.create_task(predictor.predict_mc(Query(rows(1), 1, 0)))]
        await asyncio.to_thread(toy.begun.wait, PATIENCE)
        tasks += [
            asyncio.create_task(predictor.predict_mc(Query(rows(10), 99, 0))) for _ in range(10)
        ]
        await asyncio.sleep(0)
        toy.let.set()
        await asyncio.gather(*tasks)

    run(many())
    assert 1 == toy.batches[0]
    assert 10 * 990 == sum(toy.batches[1:])
    assert max(toy.batches) <= BATCH_WORK


def test_a_full_queue_refuses_the_next(predictor: Predictor, toy: Toy) -> None:
    """What would not fit is refused at once, and what waits is answered."""

    async def full() -> int:
        toy.let.clear()
        tasks = [asyncio.create_task(predictor.predict_mc(Query(rows(1), 1, 0)))]
        await asyncio.to_thread(toy.begun.wait, PATIENCE)
        tasks += [
            asyncio.create_task(predictor.predict_mc(Query(rows(10), 10_000, at))) for at in (1,)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await predictor.predict_mc(Query(rows(1), 1, 0))
        toy.let.set()
        await asyncio.gather(*tasks)
        await predictor.predict_mc(Query(rows(1), 1, 0))
        return refused.value.retry_after

    assert run(full()) >= 1


def test_a_batch_that_never_ends_is_trouble(toy: Toy) -> None:
    """After a stated time, until it ends all the same; the compute's own trouble is told too."""

    async def use() -> None:
        predictor = Predictor(compute, SIGNATURE, queue=100_000, longest=0.1)
        toy.let.clear()
        asked = asyncio.create_task(predictor.predict(rows(1)))
        await asyncio.to_thread(toy.begun.wait, PATIENCE)
        troubles = [predictor.trouble]
        await asyncio.sleep(0.15)
        troubles.append(predictor.trouble)
        toy.let.set()
        await asked
        told = "the engine has computed one batch for more than 0.1 s"
        assert [None, told, None] == [*troubles, predictor.trouble]

    compute = ComputeThread(toy)
    run(use())
    compute.close()


@pytest.mark.parametrize("keep", [False, True])
def test_an_engine_that_fails_may_recover(predictor: Predictor, toy: Toy, *, keep: bool) -> None:
    """A failure reaches who waits for it, and the next request is answered."""
    query = Query(rows(2), 5, 0)
    toy.fail = True
    with pytest.raises(MemoryError):
        run(predictor.predict_mc(query, keep_draws=keep))
    toy.fail = False
    assert (
        summarise(_draws(query)).mean.tolist()
        == run(predictor.predict_mc(query)).summary.mean.tolist()
    )


def test_the_request_path_does_not_import_keras() -> None:
    """The serving layer stands without the network."""
    program = (
        "import sys, app.serving.predictor, app.http.predict, app.settings;"
        "never = ('keras', 'tensorflow', 'dubito.layers', 'dubito.training');"
        "sys.exit(any(name in sys.modules for name in never))"
    )
    assert 0 == subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode


def check(found: MonteCarloPrediction, tolerance: float) -> None:
    """Each row's passes are the first look that is within the tolerance, and so is its answer."""
    query, estimate = found.query, found.estimate
    for at, row in enumerate(query.features):
        passes = int(estimate.passes[at])
        for looked in checkpoints(query.passes):
            (summary,) = engine("2").summarise([Query(row[None], looked, query.seed)])
            (width,) = PROBABILITIES.half_widths(summary.std, looked)
            if looked == passes:
                assert bits(summary)[0] == bits(found.summary)[at]
                assert width == estimate.half_widths[at]
                assert width <= tolerance or looked == query.passes
                break
            assert width > tolerance


@pytest.mark.parametrize(
    ("most", "tolerance"), [(2000, 0.02), (1024, 0.01), (300, 0.05), (40, 0.02), (1, 0.5), (64, 1)]
)
def test_each_row_stops_by_itself(shipped: Predictor, most: int, tolerance: float) -> None:
    """Rows of one query stop at their own first look; at the last they are answered as they are."""
    found = run(shipped.predict_mc(Query(loans(24, 5), most, 77), tolerance=tolerance))
    check(found, tolerance)
    assert tolerance == found.tolerance
    if most > 1000:
        assert len(set(found.estimate.passes.tolist())) > 2


def test_neighbours_change_nothing(shipped: Predictor) -> None:
    """A row alone, among others and beside other requests stops at one look with the same bits."""
    features = loans(16, 6)

    async def mixed() -> tuple[
        list[MonteCarloPrediction], list[MonteCarloPrediction], MonteCarloPrediction
    ]:
        alone = [
            shipped.predict_mc(Query(features[at : at + 1], 1000, 3), tolerance=0.02)
            for at in range(16)
        ]
        others = [
            shipped.predict_mc(Query(loans(3, at), 50 * at + 7, at), keep_draws=at % 2 == 0)
            for at in range(6)
        ]
        together = shipped.predict_mc(Query(features, 1000, 3), tolerance=0.02)
        found = await asyncio.gather(*alone, *others, together)
        return found[:16], found[16:22], found[22]

    alone, others, together = run(mixed())
    assert [bits(one.summary)[0] for one in alone] == bits(together.summary)
    assert [int(one.estimate.passes[0]) for one in alone] == together.estimate.passes.tolist()
    for at, other in enumerate(others):
        (wanted,) = engine("2").summarise([Query(loans(3, at), 50 * at + 7, at)])
        assert bits(wanted) == bits(other.summary)


def test_draws_are_those_of_the_most_passes(shipped: Predictor) -> None:
    """Draws are kept for the row with the most passes; another row's are the first of them."""
    query = Query(loans(8, 5), 1000, 77)
    found = run(shipped.predict_mc(query, tolerance=0.03, keep_draws=True))
    most = int(found.estimate.passes.max())
    wanted = engine("2").draws(Query(query.features, most, 77))
    assert found.draws is not None
    assert wanted.tobytes() == found.draws.tobytes()
    check(found, 0.03)


def test_looks_that_cannot_be_enough_are_left_out(predictor: Predictor, toy: Toy) -> None:
    """No pass is made for a look at which the floor alone is above the tolerance."""
    run(predictor.predict_mc(Query(np.ones((1, 2)), 600, 1), tolerance=0.00125))
    assert [512, 600] == toy.batches


def test_a_request_that_was_begun_is_not_refused(toy: Toy) -> None:
    """A queue that is full by then refuses new requests; a begun one goes on to its last look."""

    async def full() -> tuple[MonteCarloPrediction, int]:
        predictor = Predictor(ComputeThread(toy), SIGNATURE, queue=100)
        row = np.ones((1, 2))
        auto = asyncio.create_task(predictor.predict_mc(Query(row, 128, 1), tolerance=0.008))
        filling = [asyncio.create_task(predictor.predict_mc(Query(row, 90, 1))) for _ in range(40)]
        refused = await asyncio.gather(*filling, return_exceptions=True)
        found = await auto
        predictor.close()
        return found, sum(isinstance(one, Overloaded) for one in refused)

    found, refused = run(full())
    assert refused > 30
    assert 128 == found.estimate.passes[0]
    assert {64, 128} <= set(toy.batches)


def test_an_answer_that_is_no_number_ends_it() -> None:
    """NaN is never within a tolerance, and is an error at the first look."""

    class Broken(Toy):
        def summarise(self, queries: Any) -> Any:
            found = super().summarise(queries)
            for summary in found:
                summary.mean[:] = np.nan
            return found

    toy = Broken()
    predictor = Predictor(ComputeThread(toy), SIGNATURE, queue=100_000)
    with pytest.raises(Ungradable):
        run(predictor.predict_mc(Query(np.ones((1, 2)), 256, 1), tolerance=0.04))
    predictor.close()
    assert [64] == toy.batches


@pytest.mark.parametrize(("count", "passes"), [(1, 27_001), (2, 3_250), (90, 100), (40, 333)])
def test_a_request_in_pieces_answers_what_the_whole_does(
    shipped: Predictor, count: int, passes: int
) -> None:
    """Cut by rows or by passes, a large request has the bits of one call of the engine."""
    query = Query(loans(count, 3), passes, 5)
    found = run(shipped.predict_mc(query)).summary
    (wanted,) = engine("2").summarise([query])
    assert bits(found) == bits(wanted)


def test_parts_of_large_requests_are_no_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a quiet time the next large request is computed in one go, though the last was cut."""
    monkeypatch.setattr("app.serving.batcher.QUIET_AFTER", 0.05)
    toy = Toy()
    predictor = Predictor(ComputeThread(toy), SIGNATURE, queue=10**9)

    async def ask() -> list[int]:
        await predictor.predict_mc(Query(np.ones((1, 2)), 100, 1))
        cut = predictor.predict_mc(Query(np.ones((1, 2)), 10_000, 1))
        await asyncio.gather(cut, asyncio.sleep(0.06))
        toy.batches.clear()
        await predictor.predict_mc(Query(np.ones((1, 2)), 10_000, 1))
        return toy.batches

    assert [10_000] == run(ask())
    predictor.close()


@pytest.mark.parametrize("small", [0, 1])
def test_a_rows_passes_are_cut_while_others_ask(small: int) -> None:
    """Who asks for one row would wait for all of them; without anybody that costs more."""
    toy = Toy()
    predictor = Predictor(ComputeThread(toy), SIGNATURE, queue=10**9)

    async def ask() -> None:
        for _ in range(small):
            await predictor.predict_mc(Query(np.ones((1, 2)), 100, 1))
        await predictor.predict_mc(Query(np.ones((1, 2)), 10_000, 1))

    run(ask())
    predictor.close()
    pieces = toy.batches[small:]
    assert 10_000 == sum(pieces)
    assert (1 < len(pieces) and max(pieces) <= 6_400) if small else len(pieces) == 1


@pytest.mark.parametrize(("affordable", "passes"), [(130.0, 102), (51.0, 51), (1e9, 9_999)])
def test_an_ensemble_degrades_to_a_multiple_of_its_members(
    monkeypatch: pytest.MonkeyPatch, affordable: float, passes: int
) -> None:
    """What time is left for is cut to blocks that give every network as many passes."""
    ran = engine("ensemble")
    monkeypatch.setattr(Batcher, "affordable", lambda *_: affordable)

    async def ask() -> int:
        predictor = Predictor(ComputeThread(ran), SIGNATURE_OF_NINE, queue=10**9, members=3)
        found = await predictor.predict_mc(Query(loans(1), 9_999, 1), degrade=True)
        predictor.close()
        return int(found.passes[0])

    assert asyncio.run(ask()) == passes
