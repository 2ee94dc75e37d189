"""Layers that are a formula: Keras and NumPy give the same, and every value is finite."""

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dubito.layers.formula import FormulaLayer
from dubito.layers.impute import Impute
from dubito.loans.columns import FEATURES
from dubito.loans.layers.features import LoanFeatures
from tests.networks import IMPUTED, engine, rows

LAYERS: dict[str, Any] = {"Impute": lambda: Impute(IMPUTED), "LoanFeatures": LoanFeatures}
MAXIMA = [column.maximum for column in FEATURES]


def number(maximum: float) -> st.SearchStrategy[float]:
    edges = st.sampled_from([0.0, 0.01, 1.0, 2.0, 4.0, 1e3, 28_002.0, maximum])
    return (
        edges | st.floats(0, min(maximum, 1e5)).map(lambda x: round(x, 2)) | st.floats(0, maximum)
    )


LOANS = st.tuples(*map(number, MAXIMA)).map(lambda values: np.array([values]))


@pytest.mark.parametrize("name", list(LAYERS))
def test_keras_and_numpy_give_the_same(name: str) -> None:
    """A formula of real-sized rows is the same by `keras.ops` and by NumPy, to 1e-5."""
    layer, given_rows = LAYERS[name](), rows(500, 7).astype(np.float32)
    theirs = np.asarray(layer(given_rows))
    ours = layer.compute(np, given_rows.astype(layer.compute_dtype))
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@given(row=LOANS)
@example(row=np.zeros((1, 9)))
@example(row=np.array([MAXIMA]))
@example(row=np.array([[0, 0, 0, 0, 0, 2, 0, 0, 0.0]]))
@example(row=np.array([[1, 5e4, 10, 5, 0, 4, 0, 0, 0.0]]))
@example(row=np.array([[14_000, 5e4, 10, 5, 0, 28_002, 0, 0, 0.0]]))
@example(row=np.array([[1, 5e4, 10, 5, 0, 4, 3, 0, 0.0]]))
@example(row=np.array([[0, 0, 0, 0, 0, 1e12, 1e12, 0, 0.0]]))
def test_loan_features_are_finite(row: Any) -> None:
    """Every allowed loan has finite features, by either way and without a NumPy warning."""
    layer, single = LoanFeatures(), row.astype(np.float32)
    assert np.isfinite(np.asarray(layer(single))).all()
    with np.errstate(under="ignore"):
        assert np.isfinite(layer.compute(np, single)).all()


@pytest.mark.parametrize("version", ["1", "2", "3"])
@given(row=LOANS)
@example(row=np.array([[14_000, 5e4, 10, 5, 0, 28_002, 0, 0, 0.0]]))
@example(row=np.array([MAXIMA]))
def test_every_allowed_loan_is_graded(version: str, row: Any) -> None:
    """A shipped network answers any loan within the signature's ranges with probabilities."""
    with np.errstate(all="ignore"):
        plain = engine(version).predict(row)
    assert np.isfinite(plain).all()
    assert abs(plain.sum() - 1) < 1e-5


@given(values=arrays(np.float32, (3, 9), elements=st.floats(0, 1e9, width=32) | st.just(np.nan)))
def test_imputing_replaces_missing_values_alone(values: Any) -> None:
    """NaN becomes the column's constant; a column without one, and every number, stays."""
    expected = values.copy()
    expected[np.isnan(values[:, 2]), 2] = 17.5
    for found in (np.asarray(Impute(IMPUTED)(values)), Impute(IMPUTED).compute(np, values)):
        np.testing.assert_array_equal(found, expected)


def test_the_constants_travel_in_the_configuration() -> None:
    """An imputing layer read back has its constants."""
    config = keras.saving.serialize_keras_object(Impute(IMPUTED))
    assert keras.saving.deserialize_keras_object(config, safe_mode=True).values == IMPUTED


def test_a_formula_layer_without_a_formula_says_so() -> None:
    """The base class has nothing to compute."""
    with pytest.raises(NotImplementedError):
        FormulaLayer().compute(np, np.ones(3))
