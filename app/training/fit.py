"""Fitting a network: Keras' own training, then Monte-Carlo layers in place of the plain ones."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from app.network.architecture import build
from app.network.conversion import with_monte_carlo
from app.training.data import Table
from app.training.recipe import Recipe


def fit(
    recipe: Recipe,
    training: Table,
    validation: Table,
    imputed: Sequence[float | None],
    classes: int,
    seed: int,
    verbose: str | int = "auto",
) -> keras.Model:
    """Train on one part, watch the other, return the network with Monte-Carlo layers.

    The same recipe, rows, seed and machine give the same weights, bit for bit. Sets the global
    seeds of Python, NumPy and TensorFlow, which Keras' shuffling uses.

    Args:
        recipe: what is trained and how.
        training: the rows that weights and normalisation are adapted to.
        validation: the rows whose loss decides when to stop and which weights are kept.
        imputed: what stands for a missing value, by column, or None.
        classes: number of classes.
        seed: of initial weights, dropout and shuffling; below 2³².
        verbose: Keras' progress bar.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = build(
        recipe.architecture, training.features, imputed, classes, recipe.feature_layer(), seed
    )
    steps = recipe.epochs * -(-len(training.labels) // recipe.batch)
    model.compile(
        optimizer=recipe.make_optimizer(steps),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        *_arrays(training),
        validation_data=_arrays(validation),
        batch_size=recipe.batch,
        epochs=recipe.epochs,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=recipe.patience, restore_best_weights=True)
        ],
        verbose=verbose,
    )
    return with_monte_carlo(model)


def _arrays(table: Table) -> tuple[np.ndarray, np.ndarray]:
    return table.features.astype(np.float32), table.labels
