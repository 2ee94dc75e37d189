"""Fits a network with Keras, then replaces its dropout layers by Monte-Carlo layers."""

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
    """Train a network with early stopping and return it with Monte-Carlo layers.

    The same recipe, rows, seed and machine give the same weights, bit for bit. Sets the global
    seeds of Python, NumPy and TensorFlow, which Keras' shuffling uses.

    Args:
        recipe: network and optimiser; its network builder, if any, has learnt from the fit rows.
        training: the rows that weights and normalisation are fitted to.
        validation: the rows whose loss decides when to stop and which epoch's weights are used.
        imputed: for each column, the value that replaces a missing one, or None.
        classes: number of classes.
        seed: seed of initial weights, dropout and shuffling; below 2³².
        verbose: Keras' setting of its progress bar.
        callbacks: Keras callbacks besides early stopping; they must draw no random numbers.
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
    """Return early stopping; nothing for averaged weights, which are used after the last epoch."""
    if recipe.average is not None:
        return []
    return [keras.callbacks.EarlyStopping(patience=recipe.patience, restore_best_weights=True)]


def _arrays(parts: Parts, table: Table) -> tuple[Any, np.ndarray]:
    """Return inputs and labels of the trained head; the fixed stem's output is computed once."""
    if parts.stem is None:
        return table.features.astype(np.float32), table.labels
    made = parts.stem.predict(table.features, batch_size=STEM_ROWS, verbose=0)
    return [values.astype(np.float32) for values in made], table.labels
