"""Nonconformity scores against loops over the classes, one row at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubito.types import Floats
from dubito.uncertainty.scores import METHODS, class_scores, label_scores


def drawn(seed: int, number: int, classes: int, spread: float, coarse: bool) -> Floats:
    """Probabilities `(N, C)`; coarse ones have ties and zeros."""
    random = np.random.default_rng(seed)
    if coarse:
        return random.multinomial(8, np.full(classes, 1 / classes), number) / 8
    return random.dirichlet(np.full(classes, spread), number)


PROBABILITIES = st.builds(
    drawn,
    seed=st.integers(0, 2**32 - 1),
    number=st.integers(1, 8),
    classes=st.integers(2, 9),
    spread=st.sampled_from([0.05, 0.5, 5.0]),
    coarse=st.booleans(),
)


def by_probability(row: list[float]) -> list[int]:
    """The classes, most probable first, ties from the lower index."""
    return sorted(range(len(row)), key=lambda label: (-row[label], label))


def by_neighbourhood(row: list[float]) -> list[int]:
    """The classes in the order in which the interval around the grade reaches them."""
    inside = [by_probability(row)[0]]
    order = list(inside)
    while len(inside) < len(row):
        around = [at for at in (min(inside) - 1, max(inside) + 1) if 0 <= at < len(row)]
        order.append(max(around, key=lambda label: (row[label], -label)))
        inside = sorted(order)
    return order


def masses(row: list[float], order: list[int]) -> list[float]:
    """The mass reached at each class, in class order."""
    return [sum(row[label] for label in order[: order.index(at) + 1]) for at in range(len(row))]


@given(probabilities=PROBABILITIES, penalty=st.floats(0, 1), free=st.integers(0, 9))
def test_scores_are_those_of_a_loop(probabilities: Floats, penalty: float, free: int) -> None:
    """Each method gives every class the score that its definition gives it, ties included."""
    for at, row in enumerate(probabilities.tolist()):
        order = by_probability(row)
        mass = masses(row, order)
        places = [order.index(label) + 1 for label in range(len(row))]
        fines = [penalty * max(0, place - free) for place in places]
        expected = {
            "lac": [1 - probability for probability in row],
            "aps": mass,
            "raps": [part + fine for part, fine in zip(mass, fines, strict=True)],
            "adjacent": masses(row, by_neighbourhood(row)),
        }
        assert expected.keys() == set(METHODS)
        for method, scores in expected.items():
            found = class_scores(method, probabilities, penalty, free)[at]
            np.testing.assert_allclose(found, scores, rtol=1e-12, atol=1e-12)


@given(probabilities=PROBABILITIES)
def test_adjacent_classes_within_a_score_are_an_interval(probabilities: Floats) -> None:
    """At any threshold the classes of `adjacent` have no gap, and hold the grade if any."""
    scores = class_scores("adjacent", probabilities, 0, 0)
    grades = probabilities.argmax(axis=1)
    for row, grade in zip(scores, grades, strict=True):
        for threshold in row:
            inside = np.flatnonzero(row < threshold)
            assert (np.diff(inside) == 1).all()
            assert len(inside) == 0 or grade in inside


def test_a_row_by_hand() -> None:
    """The four scores of one row, worked out on paper."""
    row = np.array([[0.25, 0.0625, 0.5, 0.125, 0.0625]])
    assert class_scores("lac", row, 0, 0).tolist() == [[0.75, 0.9375, 0.5, 0.875, 0.9375]]
    assert class_scores("aps", row, 0, 0).tolist() == [[0.75, 0.9375, 0.5, 0.875, 1.0]]
    assert class_scores("raps", row, 0.5, 2).tolist() == [[0.75, 1.9375, 0.5, 1.375, 2.5]]
    assert class_scores("adjacent", row, 0, 0).tolist() == [[0.9375, 0.6875, 0.5, 0.625, 1.0]]


@pytest.mark.parametrize("method", METHODS)
def test_label_scores_are_the_labels_class_scores(method: str) -> None:
    """A calibration row's score is that of its right class."""
    probabilities = drawn(1, 50, 7, 0.5, coarse=False)
    labels = np.random.default_rng(2).integers(0, 7, 50)
    expected = class_scores(method, probabilities, 0.1, 2)[np.arange(50), labels]
    assert label_scores(method, probabilities, labels, 0.1, 2).tolist() == expected.tolist()


def test_an_unknown_method_is_an_error() -> None:
    """There is no default score."""
    with pytest.raises(KeyError, match="margin"):
        class_scores("margin", np.array([[0.5, 0.5]]), 0, 0)
