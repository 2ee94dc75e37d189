"""From a network trained with plain dropout to one with Monte-Carlo dropout, same weights."""

from typing import Any

import keras

from dubito.layers.monte_carlo import (
    MCAlphaDropout,
    MCDropout,
    MCGaussianDropout,
    MCSpatialDropout1D,
)

MONTE_CARLO: dict[Any, Any] = {
    keras.layers.Dropout: MCDropout,
    keras.layers.AlphaDropout: MCAlphaDropout,
    keras.layers.SpatialDropout1D: MCSpatialDropout1D,
    keras.layers.GaussianDropout: MCGaussianDropout,
}
"""Plain layers and what takes their place."""


def with_monte_carlo(model: keras.Model) -> keras.Model:
    """A copy of `model` whose dropout layers stay random after training.

    The study's way: with BatchNormalization in the network `training=True` must not be used, so
    layers that are always on take the dropout layers' place.
    """
    copy = keras.models.clone_model(model, clone_function=_twin, recursive=True)
    copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers():  # noqa: SLF001 - Keras has no public way into nested models
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    # Keras copies the optimiser as well, which a network to be served has no use for.
    copy.compiled, copy.optimizer = False, None
    return copy


def _twin(layer: Any) -> Any:
    kind = MONTE_CARLO.get(type(layer), type(layer))
    return kind.from_config(layer.get_config())
