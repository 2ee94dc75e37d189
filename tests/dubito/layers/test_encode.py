"""The encoding layer: a loop over rows gives the same, in Keras and in NumPy."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dubito.layers.encode import Encode
from dubito.numerics.encoding import InputEncoding

INPUTS = (
    InputEncoding("number"),
    InputEncoding("log"),
    InputEncoding("number", 0, 2.5, (-10.0, 0.5, 2.5, 1e3)),
    InputEncoding("log", 0, -3.0, (-1e5, 1e5)),
    InputEncoding("category", 3),
    InputEncoding("category", 4, 3.0),
    InputEncoding("category", 2, 0.0),
)
"""The last two categories have a slot of its own for missing, and that of a listed one."""
WIDTH = 1 + 1 + 2 + 3 + 2 + 1 + 3 + 4 + 2
NUMBERS = st.floats(-1e6, 1e6, width=32)
MISSING = st.just(math.nan)


def places(slots: int) -> st.SearchStrategy[float]:
    return st.integers(0, slots - 1).map(float)


ROWS = st.lists(
    st.tuples(
        NUMBERS,
        NUMBERS,
        NUMBERS | MISSING,
        NUMBERS | MISSING,
        places(3),
        places(3) | MISSING,
        places(2) | MISSING,
    ),
    min_size=1,
    max_size=20,
)


def layer(**settings: Any) -> Any:
    return Encode(
        [one.kind for one in INPUTS],
        [one.slots for one in INPUTS],
        [one.imputed for one in INPUTS],
        [one.edges for one in INPUTS],
        **settings,
    )


def encoded(row: tuple[float, ...]) -> list[float]:
    """One row, encoded value by value."""
    found: list[float] = []
    for one, value in zip(INPUTS, row, strict=True):
        known = one.imputed if math.isnan(value) and one.imputed is not None else value
        if one.kind == "category":
            found += [float(known == slot) for slot in range(one.slots)]
            continue
        found.append(math.copysign(math.log1p(abs(known)), known) if one.kind == "log" else known)
        if one.imputed is not None:
            found.append(float(math.isnan(value)))
        for low, high in pairwise(one.edges):
            found.append(min(max((known - low) / (high - low), 0.0), 1.0))
    return found


def some_rows(count: int = 50) -> NDArray[np.float32]:
    """Rows `(N, 7)`, some with gaps where one may be."""
    random = np.random.default_rng(4)
    rows = random.normal(0, 100, (count, len(INPUTS)))
    rows[:, 4:] = random.integers(0, 2, (count, 3))
    gaps = (random.random(rows.shape) < 0.2) & [one.imputed is not None for one in INPUTS]
    return np.where(gaps, np.nan, rows).astype(np.float32)


@settings(deadline=None)
@given(rows=ROWS)
def test_rows_are_encoded_value_by_value(rows: list[tuple[float, ...]]) -> None:
    """Keras and NumPy give what a loop over rows, columns and slots gives."""
    single = np.array(rows, np.float32)
    keras_own, numpy_own = np.asarray(layer()(single)), layer().compute(np, single)
    assert keras_own.dtype == numpy_own.dtype == np.float32
    # TensorFlow takes numbers below 1e-38 for 0.
    for found in (keras_own, numpy_own):
        expected = [encoded(row) for row in rows]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-37)
    np.testing.assert_allclose(numpy_own, keras_own, rtol=1e-6, atol=1e-37)


def test_a_missing_category_has_a_slot() -> None:
    """A gap sets its own slot or that of the category that replaces it, and no other."""
    row = np.array([[0, 0, 0, 0, 2, math.nan, math.nan]], np.float32)
    assert np.asarray(layer()(row))[0, -9:].tolist() == [0, 0, 1, 0, 0, 0, 1, 1, 0]


@pytest.mark.parametrize("leading", [(), (3,), (3, 2)])
def test_the_shape_is_told_before_it_is_computed(leading: tuple[int, ...]) -> None:
    """Any leading axes stay, and the last has a number for each output."""
    shape = (5, *leading, len(INPUTS))
    found = np.asarray(layer()(np.ones(shape, np.float32))).shape
    assert layer().compute_output_shape(shape) == found == (5, *leading, WIDTH)
    assert layer()(keras.Input(shape[1:])).shape == (None, *leading, WIDTH)


def test_the_encoding_travels_in_the_configuration() -> None:
    """A layer made of a configuration has the same one, and encodes the same."""
    made = layer(name="encode", dtype="float64")
    config = made.get_config()
    again = Encode.from_config(config)
    assert again.get_config() == config
    assert again.formula.fills.dtype == np.float64
    rows = some_rows().astype(np.float64)
    np.testing.assert_array_equal(np.asarray(again(rows)), np.asarray(made(rows)))


def test_the_encoding_travels_in_a_file(tmp_path: Path) -> None:
    """A model saved and loaded in safe mode answers as before."""
    inputs = keras.Input((len(INPUTS),))
    model = keras.Model(inputs, layer()(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    found = np.asarray(loaded(some_rows()))
    assert not np.isnan(found).any()
    np.testing.assert_array_equal(found, np.asarray(model(some_rows())))
