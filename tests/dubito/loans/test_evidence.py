"""Grade evidence: a mixture of explanations, as SciPy computes it."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp, softmax

from dubito.loans.layers.evidence import GradeEvidence

CLASSES, KEPT, WIDTH = 4, 6, 10


def given(rows: int = 5, spread: float = 3.0) -> list[Any]:
    """Hypotheses, scores and general logits in double precision."""
    random = np.random.default_rng(1)
    hypotheses = random.normal(size=(rows, KEPT, WIDTH))
    hypotheses[..., :CLASSES] = np.eye(CLASSES)[random.integers(0, CLASSES, (rows, KEPT))]
    scores, general = (
        random.normal(0, spread, shape) for shape in ((rows, KEPT, 1), (rows, CLASSES))
    )
    return [hypotheses, scores, general]


def mixture(inputs: list[Any], temperature: float) -> Any:
    hypotheses, scores, general = inputs
    each = np.broadcast_to(scores, (*scores.shape[:2], CLASSES))
    terms = np.concatenate([each, general[:, None]], 1)
    ones = np.ones_like(general)[:, None]
    members = np.concatenate([hypotheses[..., :CLASSES], ones], axis=1)
    return softmax(logsumexp(terms, axis=1, b=members) / temperature, axis=-1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 20.0])
def test_the_odds_are_a_mixture_of_explanations(temperature: float) -> None:
    """SciPy's logsumexp over each grade's hypotheses and its general logit, by either way."""
    layer, inputs = GradeEvidence(temperature, dtype="float64"), given()
    expected = mixture(inputs, temperature)

    np.testing.assert_allclose(layer.compute(np, *inputs), expected, atol=1e-9)
    np.testing.assert_allclose(np.asarray(layer(inputs)), expected, atol=1e-9)


@pytest.mark.parametrize("spread", [1.0, 100.0, 1e6])
def test_probabilities_sum_to_one(spread: float) -> None:
    """However large scores are, in single precision as well."""
    inputs = [values.astype(np.float32) for values in given(50, spread)]
    found = GradeEvidence().compute(np, *inputs)

    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-6)


def test_a_hypothesis_speaks_for_its_grade() -> None:
    """The grade of the one hypothesis that fits wins; the order is that of the classes."""
    inputs = given(CLASSES)
    inputs[0][..., :CLASSES] = np.eye(CLASSES)[:, None]
    inputs[1][:] = 20.0

    assert (GradeEvidence().compute(np, *inputs).argmax(axis=-1) == np.arange(CLASSES)).all()


def test_passes_come_before_rows_or_after() -> None:
    """More leading axes give the same as rows alone."""
    hypotheses, scores, general = given()
    found = GradeEvidence().compute(np, hypotheses[:, None], scores[:, None], general[:, None])

    np.testing.assert_allclose(
        found[:, 0], GradeEvidence().compute(np, hypotheses, scores, general), rtol=1e-12
    )


@pytest.mark.parametrize("spread", [1.0, 50.0, 1e4])
def test_the_gradient_is_finite(spread: float) -> None:
    """Training moves scores and logits by finite steps."""
    hypotheses, scores, general = (tf.constant(v, tf.float32) for v in given(8, spread))
    with tf.GradientTape() as tape:
        tape.watch([scores, general])
        loss = -tf.reduce_sum(tf.math.log(GradeEvidence()([hypotheses, scores, general]) + 1e-7))

    for gradient in tape.gradient(loss, [scores, general]):
        assert np.isfinite(gradient).all()


def test_the_temperature_travels_in_the_configuration() -> None:
    """A layer read back in safe mode is as certain as it was."""
    config = keras.saving.serialize_keras_object(GradeEvidence(1.7))

    assert keras.saving.deserialize_keras_object(config, safe_mode=True).temperature == 1.7
