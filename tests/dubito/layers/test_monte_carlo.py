"""The Monte-Carlo layers: what they drop, what they keep, and that they never rest."""

from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dubito.bundles.validation import allow_list, own_layers
from dubito.errors import NetworkError
from dubito.layers.monte_carlo import (
    MONTE_CARLO_LAYERS,
    MCAlphaDropout,
    MCDropout,
    MCGaussianDropout,
    MCGaussianNoise,
    MCSpatialDropout1D,
)
from dubito.numerics.rng import PassRange
from dubito.training import monte_carlo

MASKED = (MCDropout, MCAlphaDropout)
NORMAL = (MCGaussianDropout, MCGaussianNoise)
KINDS = (*MASKED, *NORMAL)
OF_RATES = tuple(kind for kind in MONTE_CARLO_LAYERS if kind is not MCGaussianNoise)
PLAIN = {ours: plain for plain, ours in monte_carlo.MONTE_CARLO_OF.items()}


def test_kept_units_are_scaled_so_that_the_expectation_stays() -> None:
    """At a rate of 0.75 kept units are multiplied by 4 and dropped ones are 0."""
    values = np.full((1, 4), 14_400_000, np.float32)
    keep = np.array([[1, 0, 0, 1]], np.float32)
    assert MCDropout(0.75).noise.drop(values, keep).tolist() == [[57_600_000, 0, 0, 57_600_000]]


@given(rate=st.floats(0.01, 0.95), seed=st.integers(0, 1_000))
@pytest.mark.parametrize("kind", MASKED)
def test_the_expectation_over_masks_is_the_input(kind: Any, rate: float, seed: int) -> None:
    """Averaged by probability over keeping and dropping, Dropout's output is its input."""
    values = np.random.default_rng(seed).normal(size=(1, 8))
    noise = kind(rate).noise
    mean = (1 - rate) * noise.drop(values, 1.0) + rate * noise.drop(values, 0.0)
    if kind is MCDropout:
        np.testing.assert_allclose(mean, values, rtol=1e-9)
    else:
        factor = (1 - rate) * ((1 - rate) * (1 + rate * 1.7580993408473766**2)) ** -0.5
        np.testing.assert_allclose(mean, values * factor, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
def test_alpha_dropout_keeps_mean_and_variance_of_selu(rate: float) -> None:
    """Inputs of mean 0 and variance 1 leave with mean 0 and variance 1."""
    random = np.random.default_rng(4)
    values = random.normal(size=(1_000_000,))
    keep = (random.random(values.shape) >= rate).astype(float)
    dropped = MCAlphaDropout(rate).noise.drop(values, keep)
    assert abs(dropped.mean()) < 5e-3
    assert abs(dropped.var() - 1) < 1e-2


@pytest.mark.parametrize("kind", MASKED)
@pytest.mark.parametrize("rate", [0.1, 0.4, 0.75])
def test_drop_is_keras_formula(kind: Any, rate: float) -> None:
    """`drop` gives what Keras' plain layer gives in training, for the mask that Keras drew."""
    values = np.random.default_rng(1).normal(size=(64, 33)).astype(np.float32) + 0.01
    theirs = np.asarray(PLAIN[kind](rate, seed=3)(values, training=True))
    dropped_value = kind(rate).noise.drop(values, np.zeros_like(values))
    keep = (np.abs(theirs - dropped_value) > 1e-6).astype(np.float32)
    assert 0 < keep.mean() < 1
    np.testing.assert_allclose(kind(rate).noise.drop(values, keep), theirs, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("training", [None, False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_keras_calls_drop_whatever_training_says(kind: Any, training: bool | None) -> None:
    """Called by Keras, two calls differ, in training and outside of it."""
    layer, values = kind(0.5, seed=1), np.ones((4, 64), np.float32)
    first, second = (np.asarray(layer(values, training=training)) for _ in range(2))
    assert (first != second).any()
    assert len(np.unique(first)) == 2 or kind in NORMAL


@pytest.mark.parametrize("kind", KINDS)
def test_predict_of_keras_drops(kind: Any) -> None:
    """`model.predict` draws too: no way of calling the model makes it inert."""
    model = keras.Sequential([keras.Input((32,)), kind(0.5, seed=1)])
    first, second = (model.predict(np.ones((2, 32)), verbose=0) for _ in range(2))
    assert (first != second).any()


SETTINGS: list[tuple[Any, dict[str, Any]]] = [
    (MCDropout, {"noise_shape": (None, 1, 6)}),
    (MCDropout, {"noise_shape": None}),
    (MCAlphaDropout, {"noise_shape": (None, 1, 6)}),
    (MCSpatialDropout1D, {}),
    (MCGaussianDropout, {}),
    (MCGaussianNoise, {}),
]


@pytest.mark.parametrize(("kind", "settings"), SETTINGS)
def test_survives_serialisation(kind: Any, settings: dict[str, Any]) -> None:
    """A layer comes back from its configuration, in safe mode, as what it was."""
    layer = kind(0.3, seed=9, name="drop", **settings)
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == f"dubito>{kind.__name__}"
    read = keras.saving.deserialize_keras_object(config, safe_mode=True)
    assert type(read) is kind
    assert (read.noise, read.name) == (kind.kind(0.3), "drop")
    assert read.get_config() == layer.get_config()
    assert read.get_config().items() >= settings.items()


def test_every_kind_is_known_wherever_kinds_are_listed() -> None:
    """What the files may hold, what the engine runs and what conversion makes are the same."""
    assert {kind.__name__ for kind in MONTE_CARLO_LAYERS} == set(own_layers.MONTE_CARLO)
    assert set(monte_carlo.MONTE_CARLO_OF.values()) == set(MONTE_CARLO_LAYERS)
    assert {kind.__name__ for kind in monte_carlo.MONTE_CARLO_OF} < set(allow_list.INERT)


@pytest.mark.parametrize(
    ("noise", "expected"),
    [(None, (5, 6)), ((None, 1, 6), (1, 6)), ((1, 5, 1), (5, 1)), ((None, None, 1), (5, 1))],
)
def test_the_mask_has_the_shape_of_the_noise(
    noise: tuple[int | None, ...] | None, expected: tuple[int, ...]
) -> None:
    """A mask is as wide as `noise_shape` says, and as the input where that is open."""
    assert MCDropout(0.5, noise_shape=noise).unit_shape((None, 5, 6)) == expected


def test_the_noise_of_other_layers_has_their_shape() -> None:
    """Whole channels are dropped together; normal noise has a number for every unit."""
    assert MCSpatialDropout1D(0.5).unit_shape((None, 5, 6)) == (1, 6)
    assert MCGaussianDropout(0.5).unit_shape((None, 5, 6)) == (5, 6)


@pytest.mark.parametrize("noise", [(2, 5, 6), (None, 7, 6), (None, 5), (5, 6)])
def test_a_mask_that_cannot_be_is_refused(noise: tuple[int | None, ...]) -> None:
    """A mask that depends on the batch or does not fit the input is refused."""
    with pytest.raises(NetworkError, match=r"^the mask of layer drop does not have a fixed shape"):
        MCDropout(0.5, noise_shape=noise, name="drop").unit_shape((None, 5, 6))


@pytest.mark.parametrize("kind", MONTE_CARLO_LAYERS)
def test_an_open_dimension_is_refused(kind: Any) -> None:
    """A sequence of any length has no noise of fixed shape."""
    with pytest.raises(NetworkError, match="does not have a fixed shape of its own"):
        kind(0.5).unit_shape((None, None, 6))


@pytest.mark.parametrize("rate", [0.0, 1e-9, 1.0])
@pytest.mark.parametrize("kind", OF_RATES)
def test_a_rate_that_drops_nothing_or_everything_is_refused_by_name(kind: Any, rate: float) -> None:
    """Such a layer is refused, and named."""
    with pytest.raises(NetworkError, match=f"^layer drop: a Monte-Carlo rate of {rate} drops"):
        kind(rate, name="drop").unit_shape((None, 5, 6))


@pytest.mark.parametrize("deviation", [0.0, 1.1, float("nan")])
def test_a_deviation_that_is_none_is_refused_by_name(deviation: float) -> None:
    """Keras itself refuses a negative one."""
    layer = MCGaussianNoise(0.1, name="hiss")
    layer.stddev = deviation
    with pytest.raises(NetworkError, match=r"^layer hiss: a standard deviation of"):
        layer.unit_shape((None, 5, 6))


@pytest.mark.parametrize("deviation", [0.05, 0.9])
def test_gaussian_noise_is_added(deviation: float) -> None:
    """Values leave with normals of mean 0 beside them, as from Keras' own layer."""
    noise, values = MCGaussianNoise(deviation).noise, np.full((2_000, 50), 3.0)
    ours = noise.drop(values, noise.drawn([PassRange(3, 0, 2_000)], 0, (50,)))
    theirs = np.asarray(PLAIN[MCGaussianNoise](deviation, seed=1)(values, training=True))
    assert stats.kstest(ours.ravel(), "norm", (3, deviation)).pvalue > 1e-4
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-4


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_gaussian_dropout_multiplies_by_normals_of_mean_one(rate: float) -> None:
    """Ones leave as normals of mean 1 and variance rate / (1 − rate), as Keras' own do."""
    deviation = (rate / (1 - rate)) ** 0.5
    noise, ones = MCGaussianDropout(rate).noise, np.ones((2_000, 50))
    ours = noise.drop(ones, noise.drawn([PassRange(3, 0, 2_000)], 0, (50,)))
    theirs = np.asarray(PLAIN[MCGaussianDropout](rate, seed=1)(ones, training=True))
    assert stats.kstest(ours.ravel(), "norm", (1, deviation)).pvalue > 1e-4
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-4


def test_whole_channels_are_dropped() -> None:
    """Each channel is 0 at every step or kept at every step, scaled as Dropout's units are."""
    layer, ones = MCSpatialDropout1D(0.75), np.ones((40, 5, 6))
    masks = layer.noise.drawn([PassRange(1, 0, 40)], 0, layer.unit_shape((None, 5, 6)))
    ours = layer.noise.drop(ones, masks)
    assert (ours == ours[:, :1]).all()
    assert set(np.unique(ours)) == {0, 4}


@pytest.mark.parametrize("training", [None, False, True])
def test_keras_calls_drop_channels_whatever_training_says(training: bool | None) -> None:
    """Called by Keras, spatial dropout drops other channels at every call."""
    layer, values = MCSpatialDropout1D(0.5, seed=1), np.ones((4, 3, 64), np.float32)
    first, second = (np.asarray(layer(values, training=training)) for _ in range(2))
    assert (first != second).any()
    assert (first == first[:, :1]).all()


def test_the_engines_drop_is_not_keras_call() -> None:
    """`drop` is a pure function: it draws nothing and calls no Keras random."""
    with patch.object(keras.random, "dropout", side_effect=AssertionError):
        values = np.ones((2, 3), np.float32)
        assert (MCDropout(0.5).noise.drop(values, values) == 2).all()
