"""The native backend: one order of operations, so that no form, batch or rounding changes a bit."""

import copy
import ctypes
import ctypes.util
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from typing import Any

import keras
import numpy as np
import pytest

import dubito
import tests.networks
from dubito.engine.backends.choice import engine_for
from dubito.engine.backends.native.engine import NativeEngine
from dubito.engine.backends.native.library import KERNEL, Library, compiled, kernel
from dubito.engine.backends.native.lowering import lowered
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.compiler.flattening import flatten
from dubito.engine.compiler.lowering import program_of
from dubito.engine.engine import BlockEngine
from dubito.engine.program import Operation, Program
from dubito.errors import BackendUnavailable
from dubito.layers.impute import Impute
from dubito.layers.monte_carlo import MCDropout
from dubito.loans.columns import LAYOUT
from dubito.loans.formulas import scoring
from dubito.numerics.kernels import Dense, Formula, Mixture, linear, softmax
from dubito.numerics.noise import Call, Dropout
from dubito.numerics.rng import PassRange, keep_masks
from dubito.training.data import read_table
from dubito.training.split import split_rows
from dubito.types import ALONE, MAX_SEED, MEASURES, Floats, Query, Summary, Threads
from tests.networks import GENERAL, ROOT, SCALES, between, bits, family, loop, network, rows

TOLERANCE = 1e-6
NETWORKS: dict[str, Any] = {
    **{name: partial(network, name) for name in (*tests.networks.SINGLE, "5")},
    **{
        name: partial(between, keras.layers.Dense(10, activation=name))
        for name in ("tanh", "softplus", "exponential", "linear")
    },
    "hidden": lambda: family(widths=(64, 33), placement="hidden", rate=0.2),
    "one unit": lambda: family(widths=(1,), rate=0.5),
    "very wide": lambda: family(widths=(257, 130), rate=0.1),
    "one mask": lambda: between(MCDropout(0.4, noise_shape=(None, 1))),
    "maximum": lambda: between(most_of_two),
}


def most_of_two(inputs: Any) -> Any:
    one, other = keras.layers.Dense(8)(inputs), keras.layers.Dense(8)(MCDropout(0.2)(inputs))
    most = keras.layers.Maximum()([one, other])
    return keras.layers.Minimum()([most, one])


@cache
def program(name: str) -> Program:
    found = program_of(flatten(made(name)))
    assert found is not None
    return found


@cache
def made(name: str) -> Any:
    return NETWORKS[name]()


def native(name: str, form: str | None = None, threads: Threads = ALONE) -> NativeEngine:
    network = lowered(program(name))
    assert network is not None
    return NativeEngine(Library(compiled(KERNEL), form), network, program(name), threads)


def forms() -> tuple[str, ...]:
    return kernel().forms


@pytest.mark.parametrize("name", NETWORKS)
def test_it_agrees_with_the_plain_loop(name: str) -> None:
    """Over Keras' own calls, pass by pass, and so do the statistics over them with NumPy's."""
    has_fill = any(isinstance(layer, Impute) for layer in made(name).layers)
    features, passes = rows(20, missing=has_fill), 40
    wanted = loop(made(name), features, passes, 7)
    query = Query(features, passes, 7)
    ran = native(name)
    np.testing.assert_allclose(ran.draws(query), wanted, rtol=0, atol=TOLERANCE)
    (found,), (expected,) = (
        one.summarise([query]) for one in (ran, engine_for([program(name)], "numpy"))
    )
    for field in ("mean", "std", *MEASURES):
        np.testing.assert_allclose(
            getattr(found, field), getattr(expected, field), rtol=0, atol=TOLERANCE
        )
    np.testing.assert_allclose(
        ran.predict(features),
        engine_for([program(name)], "numpy").predict(features),
        atol=TOLERANCE,
    )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.claim("native forms", test=40, proof=100_000)
def test_all_forms_have_the_same_bits(name: str, count: int) -> None:
    """The scalar form is the oracle of the others, for loans and for enormous and tiny values."""
    # The lattice is in double precision, and its own test compares its forms.
    extreme = [] if name == "5" else [rows(3) * 1e30, rows(2) * 1e-42]
    features = np.concatenate([rows(count), *extreme])
    query = Query(features, 5, 11)
    oracle, *others = (native(name, form) for form in forms())
    for other in others:
        assert bits(oracle.summarise([query])[0]) == bits(other.summarise([query])[0])
        assert oracle.draws(query).tobytes() == other.draws(query).tobytes()
        assert oracle.predict(features).tobytes() == other.predict(features).tobytes()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.claim("native compilers", test=20, proof=10_000)
def test_another_compiler_gives_the_same_bits(
    name: str, count: int, of_clang: dict[str, ctypes.CDLL], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GCC's kernels and clang's, in every form."""
    features = rows(count)
    query = Query(features, 5, 11)
    expected = native(name)
    wanted, plain = bits(expected.summarise([query])[0]), expected.predict(features).tobytes()
    monkeypatch.setattr(scoring, "scoring_library", lambda: of_clang["lattice"])
    for form in forms():
        # A copy, whose formulas have not loaded a kernel yet.
        again = lowered(copy.deepcopy(program(name)))
        assert again is not None
        ran = NativeEngine(Library(of_clang["kernel"], form), again, program(name))
        assert wanted == bits(ran.summarise([query])[0])
        assert plain == ran.predict(features).tobytes()


@pytest.mark.parametrize("name", ["study", "wide", "5"])
@pytest.mark.claim("native batches", test=60, proof=10_000)
def test_no_batch_changes_a_row(name: str, count: int) -> None:
    """Whatever rows, seeds, passes and threads are computed beside it: the bits are the same."""
    random, features = np.random.default_rng(5), rows(200)
    ran, threaded = native(name), native(name, threads=Threads(3, shared=0))
    alone: dict[tuple[int, int, int], list[bytes]] = {}

    def asked() -> list[tuple[int, int, int]]:
        few = random.integers(1, 9)
        numbers = random.integers(200, size=few), random.integers(3, size=few)
        passes = random.choice([1, 31, 32, 65], size=few)
        return list(zip(*(part.tolist() for part in (*numbers, passes)), strict=True))

    def computed(keys: list[tuple[int, int, int]]) -> list[list[bytes]]:
        queries = [Query(features[at : at + 1], passes, seed) for at, seed, passes in keys]
        return list(map(bits, (threaded if len(keys) % 2 else ran).summarise(queries)))

    batches = [asked() for _ in range(count)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(computed, batches))
    for keys, together in zip(batches, found, strict=True):
        for key, summary in zip(keys, together, strict=True):
            if key not in alone:
                (alone[key],) = computed([key])
            assert alone[key] == summary


def test_passes_do_not_depend_on_how_many_there_are() -> None:
    """Nor on which of them is computed first, or on the rows beside."""
    ran, query = native("study"), Query(rows(9), 130, MAX_SEED)
    whole = ran.draws(query)
    for first, passes in ((0, 1), (0, 129), (7, 31), (64, 66)):
        part = ran.draws(replace(query, passes=passes, first=first))
        assert whole[first : first + passes].tobytes() == part.tobytes()
    large = native("study").summarise([Query(np.tile(rows(9), (4_000, 1)), 40, 3)])[0]
    assert bits(large.where(slice(9))) == bits(ran.summarise([Query(rows(9), 40, 3)])[0])


@pytest.mark.parametrize("units", [1, 15, 16, 17, 32, 33, 257])
def test_masks_are_those_of_the_random_stream(units: int) -> None:
    """A network that adds up what is kept shows each unit's mask."""
    wanted = keep_masks([PassRange(123, 5, 40)], 0, (units,), 0.3)
    np.testing.assert_array_equal(_masks(units, 0.3, 123, 5, 40), wanted)


def _masks(units: int, rate: float, seed: int, first: int, passes: int) -> Any:
    """Which units a dropout keeps: a unit's class is likelier than the last where it is kept."""
    inputs = keras.Input((units,))
    outputs = keras.layers.Dense(units + 1, "softmax")(MCDropout(rate)(inputs))
    model = keras.Model(inputs, outputs)
    weights = np.eye(units, units + 1, dtype=np.float32)
    model.layers[-1].set_weights([weights, np.zeros(units + 1)])
    found = program_of(flatten(model))
    assert found is not None
    drawn = engine_for([found], "native").draws(Query(np.ones((1, units)), passes, seed, first))[
        :, 0
    ]
    return drawn[:, :units] > drawn[:, units:]


@contextmanager
def floating_point(**changes: int) -> Iterator[None]:
    """The caller's rounding mode, or flushing of denormals."""
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    before = library.fegetround()
    library.fesetround(changes["rounding"])
    try:
        yield
    finally:
        library.fesetround(before)


@pytest.mark.parametrize("rounding", [0x000, 0x400, 0x800, 0xC00])
def test_the_caller_s_rounding_changes_nothing(rounding: int) -> None:
    """And it is the caller's again afterwards; the numbers are x86's."""
    ran, query = native("study"), Query(rows(30), 50, 1)
    expected = ran.draws(query).tobytes()
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    with floating_point(rounding=rounding):
        found = ran.draws(query).tobytes()
        kept = library.fegetround()
    assert (expected, rounding) == (found, kept)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the state is that of x86")
@pytest.mark.parametrize("name", ["study", "5"])
def test_a_caller_that_flushes_denormals_changes_nothing(name: str, library: ctypes.CDLL) -> None:
    """As programs beside fast-math libraries do; the caller flushes on afterwards."""
    ran, query = native(name), Query(rows(30) * 1e-40, 50, 1)
    expected = ran.draws(query).tobytes()
    library.set_flush(1)
    try:
        found = ran.draws(query).tobytes()
        kept = library.is_flush()
    finally:
        library.set_flush(0)
    assert (expected, 1) == (found, kept)


def test_rows_may_lie_in_memory_in_any_way() -> None:
    """By columns, with gaps, or as other numbers: the kernel gets a copy in its own layout."""
    ran, features = native("study"), np.floor(rows(40))
    expected = ran.draws(Query(features, 40, 2)).tobytes()
    spread = np.repeat(features, 2, axis=1)[:, ::2]
    others: tuple[Any, ...] = np.asfortranarray(features), spread, features.astype(np.int64)
    for laid in others:
        assert expected == ran.draws(Query(laid, 40, 2)).tobytes()
        assert ran.predict(features).tobytes() == ran.predict(laid).tobytes()


def test_overflow_reads_as_no_number() -> None:
    """Callers refuse such rows, as with the other backends."""
    (summary,) = native("study").summarise([Query(np.full((2, 9), 3e38), 20, 1)])
    assert not np.isfinite(summary.mean).any()


def test_what_it_does_not_run_is_a_sentence() -> None:
    """An activation, a layer or a dtype without a native form."""
    for name in GENERAL:
        with pytest.raises(BackendUnavailable, match="layers that the native backend does not run"):
            engine_of(network(name), backend="native")
    double = replace(program("study"), result_dtype="float64")
    assert lowered(double) is None
    assert isinstance(engine_for([double], "auto"), BlockEngine)


def test_a_bundle_loads_on_it() -> None:
    """Its golden rows hold, and its environment is the backend's version alone."""
    folder = ROOT / "models" / "loan-grade" / "1"
    bundle = dubito.load(folder, backend="native")
    assert {"engine": "native 1"} == bundle.environment.facts
    features = np.floor(rows(50, missing=True))
    one, other = (
        dubito.load(folder, backend=backend).predict_mc(features, passes=100, seed=42)
        for backend in ("native", "numpy")
    )
    np.testing.assert_allclose(one.mean, other.mean, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(one.std, other.std, rtol=0, atol=TOLERANCE)


@dataclass(frozen=True)
class Table:
    """A formula that brings its own kernel: a row's products with the numbers 1 to 8, `(8, 8)`."""

    def __call__(self, xp: Any, values: Any) -> Any:
        return self.native(values)

    def native(self, values: Floats) -> Floats:
        found: Floats = values[..., :8, None] * np.arange(1.0, 9.0) / 40
        return found


def mixed(shape: tuple[int, ...] | None) -> Program:
    """Candidates that are scored behind a dropout of some shape; None: it is behind the mixture."""
    random = np.random.default_rng(4)
    call = Call(0, Dropout(0.5), shape or (3,))

    def dense(inputs: int, units: int, activate: Any = linear) -> Dense:
        weights = random.normal(0, 0.5, (inputs, units)).astype(np.float32)
        return Dense(weights, np.zeros(units, np.float32), activate)

    def step(run: Any, inputs: tuple[int, ...], output: int, *, random: bool, shape: Any) -> Any:
        dtype = "float64" if output == 1 else "float32"
        return Operation(run, inputs, output, dtype, random, shape)

    is_random = shape is not None
    steps = [
        step(Formula(Table()), (0,), 1, random=False, shape=(8, 8)),
        *([step(call, (1,), 2, random=True, shape=(8, 8))] if is_random else []),
        step(dense(8, 1), (2 if is_random else 1,), 3, random=is_random, shape=(8, 1)),
        step(dense(9, 3), (0,), 4, random=False, shape=(3,)),
        step(Formula(Mixture(1.5)), (1, 3, 4), 5, random=is_random, shape=(3,)),
    ]
    if not is_random:
        steps.append(step(call, (5,), 6, random=True, shape=(3,)))
        steps.append(step(dense(3, 3, softmax), (6,), 7, random=True, shape=(3,)))
    return Program(tuple(steps), (call,), steps[-1].output, (9, 3), "float64", "float32")


@pytest.mark.parametrize("shape", [(8, 1), (1, 8), (8, 8), (1, 1)])
def test_noise_of_any_shape_is_numpys(shape: tuple[int, ...]) -> None:
    """Over values of two axes, also where both are as long; a row has its own bits in a batch."""
    made, features = mixed(shape), rows(7) / SCALES
    network = lowered(made)
    assert network is not None
    ran = NativeEngine(kernel(), network, made)
    query = Query(features, 50, 3)
    wanted = engine_for([made], "numpy").draws(query)
    drawn = ran.draws(query)
    np.testing.assert_allclose(drawn, wanted, rtol=0, atol=1e-5)
    for passes in (3, 50):
        together = ran.draws(replace(query, passes=passes))
        for at in range(7):
            alone = ran.draws(Query(features[at : at + 1], passes, 3))
            assert together[:, at].tobytes() == alone[:, 0].tobytes()


def test_a_mixture_that_is_equal_in_all_passes_is_left_to_numpy() -> None:
    """It would read what only tiles of passes have."""
    assert lowered(mixed(None)) is None


HASHES = """
import hashlib, sys
import dubito
import numpy as np
from dubito.types import Query
scales = [1e4, 5e4, 20, 25, 0.5, 2e3, 1e3, 1, 0.1]
rows = np.random.default_rng(0).exponential(scales, (400, 9)).round(2)
found = dubito.load(sys.argv[1], backend="native").engine.draws(Query(rows, 5, 3))
print(hashlib.sha256(found.tobytes()).hexdigest())
"""


def test_numpys_instructions_change_nothing() -> None:
    """The lattice's constants too have the same bits where NumPy has no vectors."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", ())
    folder = str(ROOT / "models" / "loan-grade" / "5")
    hashes = set()
    for disabled in ("", " ".join(found)):
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "NPY_DISABLE_CPU_FEATURES": disabled}
        command = [sys.executable, "-W", "ignore", "-c", HASHES, folder]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr
        hashes.add(done.stdout)
    assert 1 == len(hashes)


@pytest.mark.claim("no set or decision differs", test=4, proof=12)
def test_no_grade_set_or_decision_differs_on_held_out_loans(count: int) -> None:
    """Between the native backend and NumPy's, which calibrated the served version."""
    table = read_table(None, LAYOUT)
    held_out = table.where(split_rows(table.labels, 0, calibrated=True).test).features
    folder = ROOT / "models" / "loan-grade" / "5"
    ours, numpys = (dubito.load(folder, backend=backend) for backend in ("native", "numpy"))
    asked = list(product((0.01, 0.02, 0.05), ("lac", "aps", "raps", "adjacent")))
    for at in range(count):
        # A step of 5 takes all 12 in the end, and of the first 4 each method once.
        target, method = asked[5 * at % len(asked)]
        one, other = (
            bundle.predict_mc(held_out, passes=100, seed=7, target=target, method=method)
            for bundle in (ours, numpys)
        )
        assert one.judgement is not None
        assert other.judgement is not None
        np.testing.assert_array_equal(one.predicted, other.predicted)
        np.testing.assert_array_equal(one.judgement.sets.sets, other.judgement.sets.sets)
        assert one.judgement.decisions == other.judgement.decisions
        assert np.abs(one.mean - other.mean).max() < TOLERANCE


def test_statistics_are_those_of_the_definitions() -> None:
    """Computed from the draws themselves, in exact sums."""
    query = Query(rows(40), 77, 9)
    ran = native("hidden")
    draws: Floats = ran.draws(query)
    (found,) = ran.summarise([query])
    expected = Summary(
        draws.mean(0),
        draws.std(0),
        _nats(draws.mean(0)),
        _nats(draws).mean(0),
        np.maximum(_nats(draws.mean(0)) - _nats(draws).mean(0), 0),
        1 - np.stack([np.bincount(row, minlength=7).max() for row in draws.argmax(2).T]) / 77,
    )
    for field in ("mean", "std", *MEASURES):
        np.testing.assert_allclose(
            getattr(found, field), getattr(expected, field), rtol=0, atol=1e-12
        )


def _nats(probabilities: Floats) -> Floats:
    logs = np.log(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    found: Floats = -(probabilities * logs).sum(-1)
    return found
