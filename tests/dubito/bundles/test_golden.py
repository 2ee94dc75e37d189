"""Golden rows: what they find that a file alone cannot show."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dubito.bundles.golden import golden_faults, golden_rows
from dubito.bundles.manifest import GoldenRow
from dubito.engine.compiler.compiler import engine_of
from dubito.targets import ClassTarget
from dubito.types import Floats, Query, Summary
from dubito.uncertainty.decomposition import summarise
from tests.networks import engine, family, filled, rows

GOLDEN = golden_rows(engine("study"), rows(3, 5, missing=True), 50, seed=9)
TARGET = ClassTarget(tuple("ABCDEFG"))


def found(ran: Any, golden: tuple[GoldenRow, ...] = GOLDEN) -> list[str]:
    return list(golden_faults(ran, golden, TARGET))


class Changed:
    """An engine whose answers are changed on the way out."""

    members = 1

    def __init__(self, change: Callable[[Floats], Floats]) -> None:
        self.inner, self.change, self.shape = engine("study"), change, (9, 7)

    def predict(self, given: Floats) -> Floats:
        return self.change(self.inner.predict(given))

    def reduced(self, draws: Floats) -> Summary:
        return summarise(draws)

    def draws(self, query: Query) -> Floats:
        return self.change(self.inner.draws(query))

    def summarise(self, queries: list[Query]) -> list[Summary]:
        return self.inner.summarise(queries)


def test_the_same_network_has_no_fault() -> None:
    """What was stored is given again."""
    assert found(engine("study")) == []


def test_stored_answers_are_the_engines() -> None:
    """A golden row holds the features, with null for a missing one, and the answers as they are."""
    stored = GOLDEN[1]
    row = rows(3, 5, missing=True)[1:2]
    (summary,) = engine("study").summarise([Query(row, 50, 10)])
    assert (stored.seed, stored.passes) == (10, 50)
    assert stored.mean == tuple(summary.mean[0])
    assert stored.std == tuple(summary.std[0])
    assert stored.deterministic == tuple(engine("study").predict(row)[0])
    assert GOLDEN[0].features[2] is None


def test_another_width_is_found() -> None:
    """Other numbers of features or classes are told, and nothing else is tried."""
    changed = Changed(lambda values: values)
    changed.shape = (8, 7)
    assert found(changed) == [
        "maps 8 features to 7 classes where the signature has 9 and 7",
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda values: values * np.nan, "answers golden row 0 with numbers that are not finite"),
        (lambda values: values + np.inf, "answers golden row 0 with numbers that are not finite"),
        (lambda values: values * 2, "answers golden row 0 with numbers that are not probabilities"),
        (lambda values: values - 0.5, "answers golden row 0 with numbers that are not probab"),
        (lambda values: values * 1.001, "answers golden row 0 with numbers that are not probab"),
    ],
)
def test_answers_that_are_no_probabilities_are_found(
    change: Callable[[Floats], Floats], sentence: str
) -> None:
    """Not finite, outside of [0, 1] or not summing to 1: each is told."""
    with np.errstate(invalid="ignore"):
        assert found(Changed(change))[0].startswith(sentence)


def test_other_weights_are_found() -> None:
    """A network of other weights does not give the stored answers."""
    other = engine_of(filled(family(), 77))
    assert "does not give the answer stored for golden row 0" in found(other)


@pytest.mark.parametrize("field", ["deterministic", "mean", "std"])
def test_a_stored_answer_that_is_off_is_found(field: str) -> None:
    """Each kind of stored answer is compared, within 1e-4 and not beyond."""
    values = getattr(GOLDEN[2], field)
    changed: list[dict[str, Any]] = [
        {field: (values[0] + distance, *values[1:])} for distance in (9e-5, 1.1e-4)
    ]
    near, far = (replace(GOLDEN[2], **change) for change in changed)
    assert found(engine("study"), (*GOLDEN[:2], near)) == []
    assert found(engine("study"), (*GOLDEN[:2], far)) == [
        "does not give the answer stored for golden row 2"
    ]


def test_certainty_without_dropout_is_found() -> None:
    """Draws that are all the same have no Monte-Carlo deviation."""

    def flat(values: Floats) -> Floats:
        return np.repeat(values[:1], len(values), axis=0) if values.ndim == 3 else values

    assert found(Changed(flat))[-1].startswith("has no Monte-Carlo deviation")


def test_a_rate_of_almost_nothing_is_found() -> None:
    """Dropout that hardly ever drops reports false certainty, and is found."""
    quiet = engine_of(family(rate=2**-15))
    golden = golden_rows(quiet, rows(2), 2)
    assert found(quiet, golden)[-1].startswith("has no Monte-Carlo deviation")
