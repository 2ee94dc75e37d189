"""The lattice: the true hypothesis is kept, Keras and NumPy agree, neighbours change no bit."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest

from dubito.engine.backends.native.library import FORMS
from dubito.loans.columns import LAYOUT
from dubito.loans.formulas.lattice import Lattice
from dubito.loans.formulas.scoring import scoring_library
from dubito.loans.layers.lattice import AmortizationLattice
from dubito.loans.shapes import HYPOTHESIS_WIDTH
from dubito.training.data import read_table
from dubito.types import Floats
from tests.dubito.loans.lender import NORTH, SOUTH, loans

CLASSES, KEPT = 4, 32
SCORE = -1
"""Of the last column: the score less the best."""
RATE = CLASSES + 8 + 5 + 2
FIT = 7 + 8 + 5 + 3
"""First feature of how a hypothesis of seven grades fits."""
STORIES = list(range(7 + HYPOTHESIS_WIDTH - 7, 7 + HYPOTHESIS_WIDTH))
"""Weights of the stories, and the scores: sums that have logarithms in them."""
LOGS = [*(FIT + at for at in (0, 1, 6, 9, 11, 15, 19, 21, 25, 26, 27, 29, 32)), *STORIES]
PART = 500
"""Loans computed at a time."""


def lattice(classes: int = CLASSES) -> AmortizationLattice:
    layer = AmortizationLattice(classes, KEPT, **NORTH.book().to_config())
    assert layer.formula.scoring is not None
    return layer


def real() -> Floats:
    return read_table(None, LAYOUT).features[:400]


def extreme() -> Floats:
    """Every corner of amount, principal, interest and fees, and random orders of magnitude."""
    random = np.random.default_rng(4)
    corners = list(itertools.product((0.0, 0.01, 1.0, 999.995, 25_000.0, 1e12), repeat=3))
    rows = np.ones((len(corners) + 300, 9))
    rows[: len(corners), [0, 5, 6]] = corners
    rows[len(corners) :] = 10 ** random.uniform(-3, 12, (300, 9))
    return np.concatenate([rows, np.full((1, 9), 1e12), np.zeros((1, 9))])


@pytest.mark.parametrize("given", [real, extreme], ids=["real", "extreme"])
def test_keras_and_numpy_give_the_same(given: Any) -> None:
    """Both compute every number within 1e-9, finite and in float64, of any valid loan."""
    layer, rows = lattice(7), given()
    theirs = np.asarray(layer(rows))
    ours = layer.compute(np, rows)

    assert ours.dtype == theirs.dtype == np.float64
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("given", [real, extreme], ids=["real", "extreme"])
def test_neighbours_change_no_bit(given: Any) -> None:
    """A row alone is what it is among others, at another place and behind another axis."""
    layer, rows = lattice(7), given()[::3]
    together = layer.compute(np, rows[:, None])
    backwards = layer.compute(np, rows[::-1])[::-1]

    assert together.shape == (len(rows), 1, KEPT, 7 + HYPOTHESIS_WIDTH)
    assert together[:, 0].tobytes() == backwards.tobytes()
    for row, found in zip(rows, together, strict=True):
        assert layer.compute(np, row[None, None]).tobytes() == found.tobytes()


def on_a_limit() -> Floats:
    """Loans under one of whose hypotheses a residual is the most days there may be, exactly."""
    rows = np.ones((40, 9))
    rows[:, 0] = np.arange(1, 41) * 200.0
    rows[0] = [8000.0, 73000.0, 10.83, 26.0, 3.0, 876.66, 152.16, 0.0, 0.0]
    rows[1:, 5] = 876.66 / 8000.0 * rows[1:, 0]
    rows[1:, 6] = 152.16 / 8000.0 * rows[1:, 0]
    return rows


@pytest.mark.parametrize("given", [real, extreme, on_a_limit], ids=["real", "extreme", "limit"])
def test_the_shortlist_leaves_out_none_of_the_best(given: Any) -> None:
    """With a shortlist or by comparing every hypothesis: the same to the last bit."""
    layer, rows = lattice(7), given()
    assert layer.compute(np, rows).tobytes() == layer.formula.exhaustive(np, rows).tobytes()


def test_the_shortlist_is_long_enough_for_usual_loans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a lender's own loans hardly any needs to be compared with every hypothesis."""
    layer, rows = lattice(), loans(NORTH, 400, 1).rows
    compared, exhaustive = [], Lattice.exhaustive

    def counted(self: Lattice, xp: Any, rows: Any) -> Any:
        compared.append(len(rows))
        return exhaustive(self, xp, rows)

    monkeypatch.setattr(Lattice, "exhaustive", counted)
    layer.compute(np, rows)
    assert sum(compared) <= len(rows) // 50


@pytest.mark.parametrize("form", FORMS[: scoring_library().dubito_forms()])
@pytest.mark.parametrize("given", [real, extreme, on_a_limit], ids=["real", "extreme", "limit"])
def test_scores_are_numpys(form: str, given: Any) -> None:
    """In every form of the kernel: within rounding of logarithms, as all else is equal."""
    layer, rows = lattice(7), given()
    scoring = layer.formula.scoring_in(form)
    assert scoring is not None
    expected = layer.formula.every_score(np, rows)
    money = rows[:, [0, 5, 6]].max(axis=1)
    allowed = 1e-13 + 1e-15 * np.abs(expected).max(axis=1) + 1e-13 * money
    assert (np.abs(scoring.scores(rows) - expected).max(axis=1) <= allowed).all()


def jittered(count: int) -> Floats:
    """Real loans, then, ten times as many, others whose sums are off by cents, or by far."""
    random, table = np.random.default_rng(6), read_table(None, LAYOUT).features
    loans = table[random.choice(len(table), max(1, count // 11), replace=False)]
    moved = np.repeat(loans, 10, axis=0)
    money = moved[:, [0, 5, 6]]
    money *= np.exp(
        random.normal(0, np.resize([1e-6, 1e-4, 1e-2, 0.3], (len(moved), 1)), (len(moved), 3))
    )
    money += random.integers(-3, 4, money.shape) / 100
    moved[:, [0, 5, 6]] = np.maximum(money, 0.0)
    return np.concatenate([loans, moved])


def in_parts(compute: Callable[[Floats], Floats], rows: Floats) -> Iterator[Floats]:
    for at in range(0, len(rows), PART):
        yield compute(rows[at : at + PART])


@pytest.mark.parametrize("form", FORMS[: scoring_library().dubito_forms()])
@pytest.mark.claim("native hypotheses", test=550, proof=110_000)
def test_choices_and_flags_are_numpys_bit_for_bit(
    form: str, count: int, record_property: Callable[[str, object], None]
) -> None:
    """Of real loans and jittered ones: all that has no logarithm, and logarithms within 2 ulp."""
    formula, rows = lattice(7).formula, jittered(count)
    scoring, far = formula.scoring_in(form), 0.0
    pairs = zip(
        in_parts(partial(scoring.described, classes=7), rows),
        in_parts(partial(formula, np), rows),
        strict=True,
    )
    for found, expected in pairs:
        assert np.delete(found, LOGS, axis=-1).tobytes() == np.delete(expected, LOGS, -1).tobytes()
        logs = [values[..., LOGS[: -len(STORIES)]] for values in (found, expected)]
        apart = np.abs(logs[0] - logs[1]) / np.spacing(np.abs(logs[1]))
        far = max(far, float(apart.max()))
        np.testing.assert_allclose(found[..., STORIES], expected[..., STORIES], rtol=0, atol=1e-12)
    record_property("figure", f"{len(rows):,} loans; logarithms at most {far:.0f} ulp apart")
    assert far <= 2


@pytest.mark.parametrize("form", FORMS[: scoring_library().dubito_forms()])
@pytest.mark.parametrize("given", [real, extreme, on_a_limit], ids=["real", "extreme", "limit"])
def test_the_kernel_describes_as_numpy(form: str, given: Any) -> None:
    """With the formula's own constants: flags, choices, and all else within rounding of logs."""
    layer, rows = lattice(7), given()
    found, expected = layer.formula.scoring_in(form).described(rows, 7), layer.compute(np, rows)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_the_native_constants_change_no_flag_of_real_loans() -> None:
    """Powers and logarithms that are rounded otherwise: the rest is within a millionth."""
    layer, rows = lattice(7), real()
    np.testing.assert_allclose(
        layer.formula.native(rows), layer.compute(np, rows), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("given", [real, extreme, on_a_limit], ids=["real", "extreme", "limit"])
def test_all_forms_of_the_native_kernel_have_the_same_bits(given: Any) -> None:
    """Of the hypotheses of loans, and of enormous ones."""
    formula, rows = lattice(7).formula, given()
    forms = FORMS[: scoring_library().dubito_forms()]
    found = {formula.native_in(form).described(rows, 7).tobytes() for form in forms}
    assert 1 == len(found)


@pytest.mark.parametrize("shape", [(1, 9), (5, 9), (2, 3, 9)])
def test_the_shape_is_as_stated(shape: tuple[int, ...]) -> None:
    """Nine features become kept hypotheses of the stated width, over all leading axes."""
    layer, stated = lattice(), (*shape[:-1], KEPT, CLASSES + HYPOTHESIS_WIDTH)

    assert layer.compute_output_shape(shape) == stated
    assert layer.compute(np, np.ones(shape)).shape == stated


def test_the_grade_is_one_hot_and_the_best_score_is_the_best() -> None:
    """Each hypothesis has one grade; the best is 0 below itself and no other is above it."""
    found = lattice().compute(np, loans(NORTH, 50, 1).rows)

    assert (np.sort(found[..., :CLASSES], axis=-1) == [0.0] * (CLASSES - 1) + [1.0]).all()
    assert (found[..., SCORE].max(axis=-1) == 0).all()


def test_the_book_travels_in_the_configuration() -> None:
    """A lattice read back in safe mode computes the same bits."""
    layer, rows = lattice(), loans(NORTH, 9, 5).rows
    config = keras.saving.serialize_keras_object(layer)
    twin = keras.saving.deserialize_keras_object(config, safe_mode=True)

    assert twin.get_config() == layer.get_config()
    assert twin.compute(np, rows).tobytes() == layer.compute(np, rows).tobytes()


@pytest.mark.parametrize("lender", [NORTH, SOUTH], ids=["north", "south"])
def test_loans_on_time_rank_their_grade_first(lender: Any) -> None:
    """The best hypothesis of a loan on time has its grade, for 99.5% of loans."""
    classes = max(lender.grades) + 1
    made = loans(lender, 600, 7)
    found = AmortizationLattice(classes, KEPT, **lender.book().to_config()).compute(np, made.rows)
    best = found[..., SCORE].argmax(axis=-1)
    grades = found[np.arange(600), best, :classes].argmax(axis=-1)

    assert (grades == made.labels).mean() >= 0.995


@pytest.mark.parametrize("story", ["on time", "paid off", "late", "extra"])
def test_the_true_rate_is_kept(story: str) -> None:
    """Paid off early, late or with a round sum more: the true rate is kept for 99% of loans."""
    made = loans(NORTH, 500, 8, story)
    rates = lattice().compute(np, made.rows)[..., RATE] * 100 / 5

    assert (np.abs(rates - made.rates[:, None]) < 1e-6).any(axis=-1).mean() >= 0.99


def test_money_is_read_to_the_cent() -> None:
    """What is below half a cent changes nothing."""
    rows = loans(NORTH, 20, 9).rows
    nearly = rows.copy()
    nearly[:, [0, 5, 6]] += 0.004

    assert lattice().compute(np, rows).tobytes() == lattice().compute(np, nearly).tobytes()
