"""From plain dropout to Monte-Carlo dropout: weights, calls and normalisation stay."""

from typing import Any

import keras
import numpy as np
import pytest

from dubito.layers.monte_carlo import MCAlphaDropout, MCDropout
from dubito.training.monte_carlo import with_monte_carlo
from tests.networks import FEATURES, called, filled, inert, plain, rows

layers = keras.layers
CHOICES: dict[str, dict[str, Any]] = {
    "study": {},
    "batch-norm": {"batch_norm": True},
    "selu": {"activation": "selu"},
    "residual": {"residual": True, "placement": "hidden"},
    "loan": {"loan": True},
}


@pytest.mark.parametrize("name", list(CHOICES))
def test_the_weights_are_the_same(name: str) -> None:
    """Every weight of the copy has the bits of the original's."""
    model = plain(**CHOICES[name])
    for ours, theirs in zip(with_monte_carlo(model).weights, model.weights, strict=True):
        assert ours is not theirs
        assert np.asarray(ours).tobytes() == np.asarray(theirs).tobytes()


@pytest.mark.parametrize("name", list(CHOICES))
def test_without_masks_the_copy_is_the_original(name: str) -> None:
    """With its Monte-Carlo layers left out the copy answers as the original, bit for bit."""
    model, features = plain(**CHOICES[name]), rows(40, 2, missing=True)
    assert (inert(with_monte_carlo(model), features) == called(model, features)).all()


@pytest.mark.parametrize("name", list(CHOICES))
def test_every_dropout_layer_is_exchanged_and_nothing_else(name: str) -> None:
    """The copy has the original's layers, in order, by name, with the same settings."""
    model = plain(**CHOICES[name])
    exchanged: dict[Any, Any] = {layers.Dropout: MCDropout, layers.AlphaDropout: MCAlphaDropout}
    for ours, theirs in zip(with_monte_carlo(model).layers, model.layers, strict=True):
        assert type(ours) is exchanged.get(type(theirs), type(theirs))
        assert ours.get_config() == theirs.get_config()


def test_normalization_keeps_what_it_was_adapted_to() -> None:
    """A Normalization layer in the copy scales by the original's mean and variance."""
    layer = layers.Normalization()
    layer.adapt(rows(100, 4).astype(np.float32))
    inputs = keras.Input((FEATURES,))
    copy = with_monte_carlo(filled(keras.Model(inputs, layers.Dropout(0.5)(layer(inputs)))))
    assert (np.asarray(copy.layers[1].mean) == np.asarray(layer.mean)).all()
    assert (inert(copy, rows(5)) == np.asarray(layer(rows(5).astype(np.float32)))).all()


def test_the_original_is_left_as_it_was() -> None:
    """Converting changes neither the original's layers nor its weights."""
    model = plain(batch_norm=True)
    before = [np.asarray(weight).tobytes() for weight in model.weights]
    with_monte_carlo(model)
    assert [np.asarray(weight).tobytes() for weight in model.weights] == before
    assert not any(isinstance(layer, MCDropout) for layer in model.layers)


def test_calls_leave_batch_normalization_alone() -> None:
    """Keras' calls of the copy move no weight, though its dropout is on."""
    copy = with_monte_carlo(plain(batch_norm=True))
    before = [np.asarray(weight).tobytes() for weight in copy.weights]
    drawn = [called(copy, rows(8)) for _ in range(5)]
    assert (drawn[0] != drawn[1]).any()
    assert [np.asarray(weight).tobytes() for weight in copy.weights] == before


def test_a_compiled_model_gives_a_copy_without_an_optimizer() -> None:
    """What was trained leaves its optimiser behind."""
    model = plain()
    model.compile(optimizer="adamw", loss="sparse_categorical_crossentropy")
    assert getattr(with_monte_carlo(model), "optimizer", None) is None


def test_the_copy_is_called_as_the_original_is() -> None:
    """`model(rows)` works on the copy as on the original, without a warning."""
    copy = with_monte_carlo(plain())
    assert copy(rows(2).astype(np.float32)).shape == (2, 7)


def test_a_sequential_model_is_converted() -> None:
    """A Sequential model's dropout is exchanged as well."""
    model = keras.Sequential([keras.Input((9,)), layers.Dropout(0.5), layers.Dense(3)])
    copy = with_monte_carlo(filled(model))
    assert [type(layer) for layer in copy.layers[-2:]] == [MCDropout, layers.Dense]
    assert (inert(copy, rows(2)) == called(model, rows(2))).all()


def test_dropout_inside_a_nested_model_is_converted() -> None:
    """No plain dropout is left at any depth, and a nested Normalization keeps its state."""
    normalization = layers.Normalization()
    normalization.adapt(rows(50).astype(np.float32))
    deep = keras.Sequential([keras.Input((9,)), normalization, layers.Dropout(0.5)])
    model = keras.Sequential([keras.Input((9,)), deep, layers.Dense(3)])
    copy = with_monte_carlo(model)
    assert (inert(copy, rows(4)) == called(model, rows(4))).all()
    kinds = [type(layer) for layer in copy._flatten_layers()]  # noqa: SLF001 - at any depth
    assert layers.Dropout not in kinds
    assert MCDropout in kinds
