"""Replaces the plain dropout layers of a trained network by Monte-Carlo layers."""

from typing import Any

import keras

from dubito.layers.monte_carlo import MONTE_CARLO_LAYERS
from dubito.training.twins import Twins, has_twins

MONTE_CARLO_OF: dict[Any, Any] = {kind.__bases__[-1]: kind for kind in MONTE_CARLO_LAYERS}
"""Monte-Carlo layer classes by the plain Keras class that each replaces."""


def with_monte_carlo(model: keras.Model) -> keras.Model:
    """Copy `model` with the same weights and with dropout layers that stay random in inference.

    Calling the model with `training=True` would not do: it also switches BatchNormalization to the
    statistics of the batch. So layers that are always on replace the dropout layers, as in the
    study.
    """
    if has_twins(model):
        copy = Twins(_twin).copied(model)
    else:
        copy = keras.models.clone_model(model, clone_function=_twin, recursive=True)
        copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers():  # noqa: SLF001 - Keras has no public way into nested models
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    # Keras copies the optimiser as well, which only training needs.
    copy.compiled, copy.optimizer = False, None
    return copy


def _twin(layer: Any) -> Any:
    kind = MONTE_CARLO_OF.get(type(layer), type(layer))
    return kind.from_config(layer.get_config())
