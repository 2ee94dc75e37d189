"""The determinism contract: seed in, the same bits out, whatever is computed beside it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

import dubito.engine.engine as engine_module
from dubito.bundles.manifest_parser import parse_manifest
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.engine import BlockEngine, Engine
from dubito.types import Floats, Query, Summary
from dubito.uncertainty.passes import balanced
from tests.claims import sample
from tests.networks import FEATURES, GENERAL, ROOT, SCALES, bits, engine, on_both, rows

Record = Callable[[str, object], None]
KINDS = (
    "study",
    "wide",
    "gaussian",
    "encoded",
    "embedded",
    "sigmoid",
    "normal",
    "quantiles",
    "ensemble",
)

PASSES = (1, 2, 7, 31, 49, 50, 51, 64, 99, 100, 101, 128, 150, 151, 200, 299, 300)
THREADS = 8
PAIRS = 24
LOANS = 6
POOL = 72


@cache
def pool() -> Floats:
    """Rows `(72, 9)`: made up, with a missing value, at the ends of the range, and real loans."""
    random = np.random.default_rng(17)
    ends = random.choice([0.0, 1.0, 1e6], (8, FEATURES)) * np.where(SCALES > 1e3, 1e6, 1.0)
    shipped = ROOT / "models" / "loan-grade" / "3" / "bundle.json"
    golden = [row.features for row in parse_manifest(shipped.read_bytes()).golden]
    loans = np.array(golden, dtype=np.float64)[:LOANS]
    return np.concatenate([rows(POOL - 8 - len(loans), 23, missing=True), ends, loans])


class Alone:
    """What each row of the pool answers by itself, for some seeds and passes."""

    def __init__(self, ran: Engine) -> None:
        self._ran = ran
        self._summaries: dict[tuple[int, tuple[int, int]], bytes] = {}
        random = np.random.default_rng(5)
        self.pairs = [
            (balanced(int(passes), ran.members), int(seed))
            for passes, seed in zip(
                [*PASSES, *random.choice(PASSES, PAIRS - len(PASSES))],
                random.integers(0, 2**53, PAIRS),
                strict=True,
            )
        ]
        self.plain = [ran.predict(pool()[at : at + 1]).tobytes() for at in range(POOL)]

    def summary(self, at: int, pair: tuple[int, int]) -> bytes:
        """The bits of a row's statistics for passes and a seed, computed when first asked for."""
        if (at, pair) not in self._summaries:
            query = Query(pool()[at : at + 1], *pair)
            self._summaries[at, pair] = bits(self._ran.summarise([query])[0])[0]
        return self._summaries[at, pair]


@cache
def alone(name: str) -> Alone:
    return Alone(engine(name))


def mismatches(name: str, seed: int) -> int:
    """Rows of one random co-batching whose bits are not those of the row alone."""
    random, known = np.random.default_rng([3, seed]), alone(name)
    left, groups = int(random.integers(1, 65)), []
    while left:
        size = int(random.integers(1, left + 1)) if random.random() < 0.5 else min(left, 2)
        chosen = random.integers(0, POOL, size)
        groups.append((chosen, known.pairs[random.integers(PAIRS)]))
        left -= size
    queries = [Query(pool()[chosen], *pair) for chosen, pair in groups]
    found = engine(name).summarise(queries)
    wrong = sum(
        got != known.summary(int(at), pair)
        for (chosen, pair), summary in zip(groups, found, strict=True)
        for at, got in zip(chosen, bits(summary), strict=True)
    )
    mixed = np.concatenate([chosen for chosen, _ in groups])
    plain = engine(name).predict(pool()[mixed])
    return wrong + sum(
        got.tobytes() != known.plain[at] for at, got in zip(mixed, plain, strict=True)
    )


def check(name: str, count: int, record: Record) -> None:
    alone(name)
    with ThreadPoolExecutor(THREADS) as threads:
        wrong = list(threads.map(lambda seed: mismatches(name, seed), range(count)))
    record("figure", f"{sum(wrong)} rows differ, {engine(name).path}")
    assert sum(wrong) == 0


@pytest.mark.claim("determinism", test=40, proof=10_000)
@pytest.mark.parametrize("name", on_both([*KINDS, "2", "3"]))
def test_neighbours_change_no_bit(name: str, count: int, record_property: Record) -> None:
    """Rows in random batches from eight threads equal the row alone, bit for bit."""
    check(name, count, record_property)


@pytest.mark.claim("determinism", test=3, proof=500)
@pytest.mark.parametrize("name", sample(GENERAL, ("convolution", "attention")))
def test_neighbours_change_no_bit_in_the_general_execution(
    name: str, count: int, record_property: Record
) -> None:
    """Where a layer has no kernel, rows in random batches equal the row alone, bit for bit."""
    check(name, count, record_property)


@pytest.mark.parametrize(
    "name", on_both(["batch-norm", "selu", "branches", "nested", "operators", "1"])
)
def test_neighbours_change_no_bit_in_other_networks(name: str) -> None:
    """Normalised, self-normalising, branched and nested networks keep the contract as well."""
    features = np.nan_to_num(pool()[:24])
    queries = [
        Query(features[:9], 51, 1),
        Query(features[9:10], 130, 2),
        Query(features[10:], 3, 1),
    ]
    together = [row for summary in engine(name).summarise(queries) for row in bits(summary)]
    single = [
        bits(engine(name).summarise([Query(row[None], query.passes, query.seed)])[0])[0]
        for query in queries
        for row in query.features
    ]
    assert together == single


@pytest.mark.parametrize("name", ["gelu", *on_both(["study", "2", "3", "selu", "operators"])])
@pytest.mark.parametrize("layout", ["columns", "strided", "reversed"])
def test_the_memory_layout_of_rows_changes_no_bit(name: str, layout: str) -> None:
    """Rows stored by columns, with gaps or backwards answer what rows stored in order do."""
    features = np.nan_to_num(pool()[:40])
    spread = np.zeros((80, 18))
    spread[::2, ::2] = features
    same = {
        "columns": np.asfortranarray(features),
        "strided": spread[::2, ::2],
        "reversed": features[::-1].copy()[::-1],
    }[layout]
    (expected,) = engine(name).summarise([Query(features, 70, 3)])
    (found,) = engine(name).summarise([Query(same, 70, 3)])
    assert bits(found) == bits(expected)
    assert (engine(name).predict(same) == engine(name).predict(features)).all()


@pytest.mark.parametrize(
    "name",
    ["gelu", "spatial", *on_both(["study", "2", "3", "wide", "nested", "gaussian"])],
)
def test_fewer_draws_are_the_first_of_more(name: str) -> None:
    """The draws of T passes are the first T of 300, bit for bit."""
    features = np.nan_to_num(pool()[:5])
    longest = engine(name).draws(Query(features, 300, 8))
    for passes in (1, 49, 50, 51, 100, 128, 299):
        assert (engine(name).draws(Query(features, passes, 8)) == longest[:passes]).all()


@pytest.mark.parametrize("name", ["gelu", *on_both(["study", "2", "3", "gaussian"])])
def test_a_row_alone_has_the_draws_it_has_in_a_batch(name: str) -> None:
    """Draws themselves, not only their statistics, are equal to the last bit."""
    features = np.nan_to_num(pool()[-12:])
    together = engine(name).draws(Query(features, 120, 4))
    single = [engine(name).draws(Query(row[None], 120, 4)) for row in features]
    assert (np.concatenate(single, axis=1) == together).all()


@pytest.mark.parametrize("numbers", [1, 10_000, 100_000])
@pytest.mark.parametrize("name", on_both(["study", "3"]))
def test_pieces_answer_what_the_whole_does(
    name: str, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that the engine cuts to stay within its bound answers what it does uncut."""
    features = pool()
    queries = [Query(features, 70, 1), Query(features[:3], 300, 2), Query(features[3:30], 70, 1)]
    whole = engine(name).summarise(queries)
    monkeypatch.setattr(engine_module, "BATCH_NUMBERS", numbers)
    pieces = engine(name).summarise(queries)
    assert [bits(summary) for summary in pieces] == [bits(summary) for summary in whole]


def test_a_request_beyond_the_bound_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work over the bound reaches the execution in several pieces, none of them over it."""
    ran, sizes = engine_of(rebuilt(), backend="numpy"), []
    assert isinstance(ran, BlockEngine)
    inner = ran._execution.draws  # noqa: SLF001 - the execution is no part of the interface

    def draws(blocks: object) -> object:
        sizes.append(len(blocks.rows) * blocks.length)  # type: ignore[attr-defined]
        return inner(blocks)  # type: ignore[arg-type]

    monkeypatch.setattr(ran._execution, "draws", draws)  # noqa: SLF001 - see above
    ran.summarise([Query(rows(1_000), 1_000, 0)])
    assert len(sizes) > 1
    assert sum(sizes) == 1_000 * 20
    assert max(sizes) * 50 * 7 <= engine_module.BATCH_NUMBERS


def rebuilt() -> object:
    from tests.networks import family

    return family()


def test_a_network_built_twice_answers_the_same() -> None:
    """Two engines over equal weights give equal bits, also to threads that share neither."""
    results: list[list[Summary]] = []

    def run() -> None:
        results.append(engine_of(rebuilt()).summarise([Query(rows(8), 90, 6)]))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({b"".join(bits(summary)) for (summary,) in results}) == 1


STARTS = {
    "one thread": {"OPENBLAS_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"},
    "many threads": {"OPENBLAS_NUM_THREADS": "8", "TF_NUM_INTRAOP_THREADS": "8"},
}


@pytest.mark.claim("determinism", test=1, proof=1)
@pytest.mark.parametrize("start", sample(STARTS, ("many threads",)))
def test_another_process_gives_the_same_bits(start: str) -> None:
    """A restart answers the same to the last bit, whatever number of threads is asked for."""
    from tests.networks import answers

    known = ["study", "2", "3", "wide", "selu", "gaussian", "embedded", "quantiles"]
    names = on_both(known) + list(GENERAL)
    command = [sys.executable, str(ROOT / "tests" / "networks.py"), *names]
    variables = {**os.environ, **STARTS[start], "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "77"}
    done = subprocess.run(command, env=variables, capture_output=True, check=True, text=True)
    theirs = dict(zip(names, done.stdout.split(), strict=True))
    assert theirs == {name: answers(name) for name in names}
