"""Heads in training: losses against other libraries, and outputs in the target's unit."""

import math
from collections.abc import Iterator
from itertools import count
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import mean_pinball_loss

from dubito.features import FeatureStats
from dubito.targets import HEAD_OUTPUTS, NumberTarget
from dubito.targets import NumberHead as HeadKind
from dubito.training.data import NumberRows
from dubito.training.feature_stats import number_stats
from dubito.training.heads import LEAST_VARIANCE, RegressionHead, nll, normal_loss, pinball_loss

LEVELS = (0.05, 0.5, 0.9)
MEAN, STD = 740.0, 120.0
WIDTH = 5
KINDS: tuple[HeadKind, ...] = ("point", "normal", "quantiles")


def normal_batch(count: int = 200) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Truths `(N, 1)`, and means and variances `(N, 2)` of very different sizes."""
    random = np.random.default_rng(3)
    outputs = np.column_stack([random.normal(0, 2, count), 10 ** random.uniform(-3, 2, count)])
    return random.normal(0, 2, (count, 1)), outputs


def head_of(kind: HeadKind) -> RegressionHead:
    return RegressionHead(kind, LEVELS if kind == "quantiles" else (), MEAN, STD, 0.5)


def initializers() -> Iterator[Any]:
    return (keras.initializers.GlorotNormal(seed=seed) for seed in count())


def models(kind: HeadKind) -> tuple[Any, Any]:
    """A model with the head in standard units, and the finished one."""
    inputs = keras.Input((WIDTH,))
    head = head_of(kind)
    model = keras.Model(inputs, head.connect(inputs, initializers()), name="small")
    return model, head.finished(model)


def given_rows(count: int = 500) -> NDArray[np.float32]:
    """Inputs from tiny to so large that softplus is linear."""
    random = np.random.default_rng(5)
    scales = 10 ** random.uniform(-2, 2, (count, 1))
    return (random.normal(0, 1, (count, WIDTH)) * scales).astype(np.float32)


def answers(model: Any, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """A model's outputs `(N, C)`."""
    return np.asarray(model.predict(rows, verbose=0), np.float64)


def gradients(loss: Any, truth: Any, outputs: Any) -> Any:
    """Gradients `(N, C)` of the summed loss."""
    watched = tf.constant(outputs)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        total = tf.reduce_sum(loss(tf.constant(truth), watched))
    return np.asarray(tape.gradient(total, watched))


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_a_normal_loss_is_the_weighted_likelihood(beta: float) -> None:
    """Each row's loss is SciPy's negative log density less its constant, times variance^beta."""
    truth, outputs = normal_batch()
    mean, variance = outputs[:, 0], outputs[:, 1]
    density = stats.norm.logpdf(truth[:, 0], mean, np.sqrt(variance))
    expected = variance**beta * (-density - math.log(2 * math.pi) / 2)
    found = np.asarray(normal_loss(beta)(tf.constant(truth), tf.constant(outputs)))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_with_beta_one_a_mean_learns_as_from_squared_errors() -> None:
    """The gradient of the mean is that of half the squared error, that of the variance is not."""
    truth, outputs = normal_batch()
    found = gradients(normal_loss(1.0), truth, outputs)
    half = gradients(lambda truth, outputs: tf.square(truth - outputs[:, :1]) / 2, truth, outputs)
    np.testing.assert_allclose(found[:, 0], half[:, 0], rtol=1e-10)
    errors = (truth - outputs[:, :1])[:, 0]
    # The factor variance^beta is a weight: it is not differentiated itself.
    np.testing.assert_allclose(found[:, 1], 0.5 - errors**2 / outputs[:, 1] / 2, rtol=1e-9)


def test_the_likelihood_that_is_watched_has_no_weights() -> None:
    """The figure beside a weighted loss is the loss of beta 0."""
    truth, outputs = map(tf.constant, normal_batch())
    found, expected = nll(truth, outputs), normal_loss(0.0)(truth, outputs)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_a_pinball_loss_is_scikit_learns() -> None:
    """The mean over rows is scikit-learn's loss of each level, averaged."""
    random = np.random.default_rng(1)
    truth, outputs = random.normal(0, 2, (300, 1)), random.normal(0, 2, (300, 3))
    expected = [
        mean_pinball_loss(truth[:, 0], outputs[:, at], alpha=level)
        for at, level in enumerate(LEVELS)
    ]
    found = np.asarray(pinball_loss(LEVELS)(tf.constant(truth), tf.constant(outputs)))
    assert found.shape == (300,)
    assert found.mean() == pytest.approx(np.mean(expected), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_model_answers_in_the_unit(kind: HeadKind) -> None:
    """Values are mean + std times the standard ones, a variance is std squared times its own."""
    model, finished = models(kind)
    standard, found = (answers(one, given_rows()) for one in (model, finished))
    names = HEAD_OUTPUTS[kind]
    assert found.shape == standard.shape == (500, len(names))
    for at, name in enumerate(names):
        scale, offset = (STD**2, 0.0) if name == "variance" else (STD, MEAN)
        np.testing.assert_allclose(
            found[:, at], offset + scale * standard[:, at], rtol=1e-5, atol=1e-2
        )
    assert finished.name == model.name == "small"


def test_quantiles_never_cross() -> None:
    """Lower, value and upper ascend for any input, in standard units and in the target's."""
    for model in models("quantiles"):
        lower, value, upper = answers(model, given_rows()).T
        assert (lower <= value).all()
        assert (value <= upper).all()
        assert (lower < upper).any()


def test_a_variance_has_a_least() -> None:
    """However sure the network is, the variance stays above 0."""
    model, finished = models("normal")
    standard = answers(model, given_rows() * 1e3)[:, 1]
    assert standard.min() == pytest.approx(LEAST_VARIANCE)
    assert answers(finished, given_rows() * 1e3)[:, 1].min() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_is_in_standard_units(kind: HeadKind) -> None:
    """The numbers of the fit rows have mean 0 and deviation 1, as a column of float32."""
    values = np.random.default_rng(2).lognormal(5, 1, 400)
    seen = FeatureStats(0.0, 1.0, {"0.5": 0.5}, (0.0, 1.0), (1,), 0)
    levels = LEVELS if kind == "quantiles" else ()
    target = NumberTarget("rent", "", (), "€", kind, levels, 7.0, seen)
    head = RegressionHead.of(target, values, 0.5)
    found = head.truth(NumberRows(np.zeros((400, 1)), values, "", ""))
    assert found.shape == (400, 1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], stats.zscore(values), rtol=1e-5, atol=1e-6)
    assert (head.kind, head.levels) == (kind, levels)
    # Without any spread in the fit rows the unit is that of all rows.
    assert RegressionHead.of(target, np.zeros(9), 0.5).std == 7.0


def test_a_number_below_zero_is_scaled_by_the_size_of_its_mean() -> None:
    """A negative unit would turn quantiles around."""
    values = np.array([-30.0, -20.0, -10.0])
    seen = number_stats(values, "float")
    levels = (0.05, 0.5, 0.95)
    target = NumberTarget("loss", "loss", (), "", "quantiles", levels, 8.0, seen)
    head = RegressionHead.of(target, values, 0.5, "mean")
    assert (head.mean, head.std) == (0.0, 20.0)
