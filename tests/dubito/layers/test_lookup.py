"""The lookup layers: dictionaries and loops give the same, in Keras and in NumPy."""

import bisect
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dubito.layers.lookup import Discretize, Lookup, SelectColumns

SINGLE = st.floats(-1e6, 1e6, width=32, allow_subnormal=False).map(lambda value: value + 0.0)
"""Numbers of single precision, with one zero; TensorFlow takes those below 1e-38 for it."""
VALUES = st.lists(SINGLE, min_size=1, max_size=20)
KEYS = st.lists(SINGLE, min_size=1, max_size=30, unique=True).map(sorted)


def both(layer: Any, values: list[float]) -> tuple[list[float], list[float]]:
    """What Keras and NumPy make of numbers `(N, 1)`."""
    given = np.array(values, np.float32)[:, None]
    found = np.asarray(layer(given))
    own = layer.compute(np, given)
    assert found.dtype == own.dtype == np.float32
    assert found.shape == own.shape == given.shape
    return found[:, 0].tolist(), own[:, 0].tolist()


@settings(deadline=None, max_examples=50)
@given(keys=KEYS, others=VALUES, data=st.data())
def test_a_lookup_is_a_dictionary(keys: list[float], others: list[float], data: Any) -> None:
    """Known numbers get their index, and others that of the unknown."""
    indices = data.draw(st.lists(st.integers(-1, 99), min_size=len(keys), max_size=len(keys)))
    known = dict(zip(keys, indices, strict=True))
    values = [*others, *keys]
    expected = [float(known.get(value, 7)) for value in values]
    assert (expected, expected) == both(Lookup(keys, indices, 7), values)


@settings(deadline=None, max_examples=50)
@given(boundaries=KEYS, others=VALUES)
def test_a_boundary_belongs_to_the_bin_above_it(
    boundaries: list[float], others: list[float]
) -> None:
    """Bins are those of `bisect`, and of Keras' own layer."""
    values = [*others, *boundaries]
    expected = [float(bisect.bisect_right(boundaries, value)) for value in values]
    assert (expected, expected) == both(Discretize(boundaries), values)
    theirs = keras.layers.Discretization(boundaries)(np.array(values, np.float32)[:, None])
    assert expected == np.asarray(theirs)[:, 0].tolist()


@pytest.mark.parametrize("leading", [(), (3,)])
@pytest.mark.parametrize("indices", [[2], [0, 3, 0]])
def test_columns_are_taken_in_the_order_asked_for(
    leading: tuple[int, ...], indices: list[int]
) -> None:
    """From the last axis, the same one twice too; the shape is told before."""
    rows = np.random.default_rng(0).normal(size=(5, *leading, 4)).astype(np.float32)
    layer = SelectColumns(indices)
    expected = np.stack([rows[..., at] for at in indices], axis=-1)
    np.testing.assert_array_equal(np.asarray(layer(rows)), expected)
    np.testing.assert_array_equal(layer.compute(np, rows), expected)
    assert layer(keras.Input(rows.shape[1:])).shape == (None, *expected.shape[1:])


@pytest.mark.parametrize(
    "layer",
    [
        SelectColumns([1, 0], name="a"),
        Lookup([1, 2], [0, 3], 2, dtype="float64"),
        Discretize([0.5, 2.5]),
    ],
)
def test_a_lookup_travels_in_its_configuration(layer: Any) -> None:
    """A layer made of a configuration has the same one, and gives the same."""
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    rows = np.array([[1.0, 2.0], [0.5, 9.0]])
    np.testing.assert_array_equal(np.asarray(again(rows)), np.asarray(layer(rows)))
