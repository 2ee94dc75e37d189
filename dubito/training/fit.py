"""Fitting a network: Keras' own training, then Monte-Carlo layers in place of the plain ones."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dubito.training.architecture import build
from dubito.training.data import Table
from dubito.training.monte_carlo import with_monte_carlo
from dubito.training.recipe import Parts, Recipe
from dubito.types import Floats

STEM_ROWS = 64


def fit(
    recipe: Recipe,
    training: Table,
    validation: Table,
    imputed: Sequence[float | None],
    classes: int,
    seed: int,
    verbose: str | int = "auto",
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.Model:
    """Train on one part, watch the other, return the network with Monte-Carlo layers.

    The same recipe, rows, seed and machine give the same weights, bit for bit. Sets the global
    seeds of Python, NumPy and TensorFlow, which Keras' shuffling uses.

    Args:
        recipe: what is trained and how; it has learnt what its network is built on.
        training: the rows that weights and normalisation are adapted to.
        validation: the rows whose loss decides when to stop and which weights are kept.
        imputed: what stands for a missing value, by column, or None.
        classes: number of classes.
        seed: of initial weights, dropout and shuffling; below 2³².
        verbose: Keras' progress bar.
        callbacks: told of every epoch besides early stopping; they draw no random numbers.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    parts = _parts(recipe, training.features, imputed, classes, seed)
    steps = recipe.epochs * -(-len(training.labels) // recipe.batch)
    parts.head.compile(
        optimizer=recipe.make_optimizer(steps),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    parts.head.fit(
        *_arrays(parts, training),
        validation_data=_arrays(parts, validation),
        batch_size=recipe.batch,
        epochs=recipe.epochs,
        callbacks=[*_callbacks(recipe), *callbacks],
        verbose=verbose,
    )
    if recipe.average is not None:
        parts.head.optimizer.finalize_variable_values(parts.head.trainable_variables)
    return with_monte_carlo(parts.model)


def _parts(
    recipe: Recipe, rows: Floats, imputed: Sequence[float | None], classes: int, seed: int
) -> Parts:
    if recipe.network is not None:
        return recipe.network.build(rows, imputed, classes, seed)
    layer = None if recipe.features is None else recipe.features()
    model = build(recipe.architecture, rows, imputed, classes, layer, seed)
    return Parts(model, stem=None, head=model)


def _callbacks(recipe: Recipe) -> list[keras.callbacks.Callback]:
    """Early stopping, save where averaged weights are what is wanted in the end."""
    if recipe.average is not None:
        return []
    return [keras.callbacks.EarlyStopping(patience=recipe.patience, restore_best_weights=True)]


def _arrays(parts: Parts, table: Table) -> tuple[Any, np.ndarray]:
    """What the head is fitted on: what the stem makes of the rows is computed once."""
    if parts.stem is None:
        return table.features.astype(np.float32), table.labels
    made = parts.stem.predict(table.features, batch_size=STEM_ROWS, verbose=0)
    return [values.astype(np.float32) for values in made], table.labels
