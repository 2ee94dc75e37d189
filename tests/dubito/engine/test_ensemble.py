"""Ensembles: pass t belongs to member t mod K, with masks of its own."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from dubito.engine.compiler.compiler import engine_of
from dubito.engine.engine import Engine
from dubito.engine.ensemble import Ensemble, combined
from dubito.types import SEED_BITS, Backend, Floats, Query
from dubito.uncertainty.passes import MeanPrecision
from tests.networks import ENSEMBLE, bits, engine, loop, members, network, on_both, rows

Record = Callable[[str, object], None]
MEMBERS = len(ENSEMBLE)
TOLERANCE = 1e-6


def expected(features: Floats, passes: int, seed: int) -> Floats:
    """Draws `(T, N, C)` of the plain loops of the members' own Keras models, in turn."""
    own = passes // MEMBERS
    each = [
        loop(model, features, own, seed + (at << SEED_BITS)) for at, model in enumerate(members())
    ]
    return np.stack(each, axis=1).reshape(passes, len(features), -1)


@pytest.mark.claim("oracle", test=12, proof=999)
@pytest.mark.parametrize("name", on_both(["ensemble"]))
def test_agrees_with_the_members_loops(name: str, count: int, record_property: Record) -> None:
    """Mean and std are those of the members' plain loops in turn, given the same noise."""
    features = rows(12, 2)
    (summary,) = engine(name).summarise([Query(features, count, 42)])
    draws = expected(features, count, 42)
    distance = max(
        float(np.abs(summary.mean - draws.mean(axis=0)).max()),
        float(np.abs(summary.std - draws.std(axis=0)).max()),
    )
    record_property("figure", f"furthest {distance:.1e}")
    assert distance < TOLERANCE


@pytest.mark.parametrize("name", on_both(["ensemble"]))
def test_parts_of_the_spread_add_up(name: str) -> None:
    """Between and within the members: of variances, and of information, against NumPy and SciPy."""
    query = Query(rows(40, 3), 90, 5)
    (summary,) = engine(name).summarise([query])
    apart = engine(name).draws(query).reshape(30, MEMBERS, 40, -1)
    within, between = apart.var(axis=0).mean(axis=0), apart.mean(axis=0)
    assert summary.within_std is not None
    assert summary.between_std is not None
    np.testing.assert_allclose(summary.within_std**2, within, atol=1e-9)
    np.testing.assert_allclose(summary.between_std**2, between.var(axis=0), atol=1e-7)
    np.testing.assert_allclose(summary.std**2, within + between.var(axis=0), atol=1e-9)

    information = stats.entropy(between.mean(axis=0), axis=1) - stats.entropy(between, axis=2).mean(
        axis=0
    )
    assert summary.between_members is not None
    np.testing.assert_allclose(summary.between_members, information, atol=1e-6)
    own = stats.entropy(between, axis=2) - stats.entropy(apart, axis=3).mean(axis=0)
    chain = summary.between_members + own.mean(axis=0)
    np.testing.assert_allclose(summary.mutual_information, chain, atol=1e-6)


@pytest.mark.parametrize("name", on_both(["ensemble"]))
@pytest.mark.parametrize(("first", "passes"), [(0, 7), (50, 100), (100, 2), (150, 31), (1, 60)])
def test_a_part_of_the_passes_is_of_the_whole(name: str, first: int, passes: int) -> None:
    """Any run of passes has the bits that it has among all, though it ends within a round."""
    features, seed = rows(3, 4), 11
    whole = engine(name).draws(Query(features, 200, seed))
    part = engine(name).draws(Query(features, passes, seed, first))
    assert part.tobytes() == whole[first : first + passes].tobytes()


@pytest.mark.parametrize("name", on_both(["ensemble"]))
def test_statistics_of_draws_have_the_bits_of_statistics(name: str) -> None:
    """Also of many rows, which are computed in parts."""
    ran = engine(name)
    query = Query(rows(30, 6), 66, 1)
    assert bits(ran.reduced(ran.draws(query))) == bits(ran.summarise([query])[0])


def test_large_requests_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of the rows change no bit."""
    ran, query = engine("ensemble"), Query(rows(30, 6), 66, 1)
    (whole,) = ran.summarise([query])
    monkeypatch.setattr("dubito.engine.ensemble.PART_NUMBERS", 66 * 7 * 4)
    assert bits(ran.summarise([query])[0]) == bits(whole)


def test_the_first_member_has_the_bits_it_has_alone() -> None:
    """Its masks are those of the seed, and the others' are masks of their own."""
    query = Query(rows(5, 7), 60, 3)
    draws = engine("ensemble").draws(query)
    alone = [engine_of(model).draws(Query(query.features, 20, 3)) for model in members()]
    assert draws[0::MEMBERS].tobytes() == alone[0].tobytes()
    assert not np.allclose(draws[1::MEMBERS], alone[1], atol=1e-3)


def test_one_pass_without_dropout_is_the_members_mean() -> None:
    """`predict` is the mean of the members' own."""
    features = rows(9, 8)
    own = [engine_of(model).predict(features) for model in members()]
    np.testing.assert_allclose(engine("ensemble").predict(features), np.mean(own, 0), atol=1e-9)


@pytest.mark.parametrize("backend", ["auto", "numpy"])
def test_members_may_need_keras(backend: Backend) -> None:
    """One of them on the compiled graph, another in kernels: the environment names both."""
    ran = combined([engine_of(network("study"), backend=backend), engine("gelu")])
    assert ran.path.endswith(", graph")
    assert ran.programs == ()
    (summary,) = ran.summarise([Query(rows(4, 1), 100, 2)])
    alone = ran.summarise([Query(rows(4, 1)[1:2], 100, 2)])[0]
    assert bits(summary)[1] == bits(alone)[0]


def test_unequal_shares_are_refused() -> None:
    """Statistics of passes that are no multiple of the members would weigh one more."""
    with pytest.raises(ValueError, match="multiple of 3"):
        engine("ensemble").summarise([Query(rows(1), 100, 0)])


def test_one_network_is_no_ensemble() -> None:
    """It keeps its own engine, whose statistics say nothing of members."""
    ran = engine("study")
    assert combined([ran]) is ran
    (summary,) = ran.summarise([Query(rows(2), 10, 0)])
    assert summary.within_std is None
    assert summary.between_std is None
    assert summary.between_members is None
    assert isinstance(engine("ensemble"), Ensemble)


@pytest.mark.parametrize("passes", [60, 240])
def test_a_half_width_holds_what_more_passes_give(passes: int) -> None:
    """The interval of the mean holds in 95 of 100 cases, though the members are given in it."""
    ran: Engine = engine("ensemble")
    features = rows(3, 9)
    truth = ran.summarise([Query(features, 60_000, 1)])[0].mean
    precision, held, total = MeanPrecision(members=MEMBERS), 0, 0
    for seed in range(2, 202):
        (summary,) = ran.summarise([Query(features, passes, seed)])
        widths = precision.half_widths(summary.sampling_std, passes)
        wide = precision.half_widths(summary.std, passes)
        largest = summary.sampling_std.argmax(axis=1)
        at = np.arange(len(features)), largest
        held += int((np.abs(summary.mean[at] - truth[at]) <= widths).sum())
        total += len(features)
        assert (widths <= wide).all()
    assert held / total >= 0.94


def test_the_precision_of_a_round_is_that_of_one_pass() -> None:
    """With one pass a member nothing is known of the deviation within."""
    precision = MeanPrecision(members=MEMBERS)
    assert precision.half_widths(np.zeros((2, 7)), MEMBERS).tolist() == [1.0, 1.0]
    (width,) = precision.half_widths(np.full((1, 7), 0.1), 2 * MEMBERS)
    assert width == pytest.approx(2 * np.sqrt(0.1**2 / 3 + (1 / 24) ** 2))
