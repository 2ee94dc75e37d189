"""Fits a network with Keras, then replaces its dropout layers by Monte-Carlo layers."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dubito.layers.encode import Encode
from dubito.layers.impute import Impute
from dubito.training.architecture import build
from dubito.training.data import Rows
from dubito.training.heads import ClassHead, Head
from dubito.training.monte_carlo import with_monte_carlo
from dubito.training.recipe import Parts, Recipe
from dubito.types import Floats

STEM_ROWS = 64


def fit(
    recipe: Recipe,
    training: Rows,
    validation: Rows,
    imputed: Sequence[float | None],
    head: Head,
    seed: int,
    encode: Encode | None = None,
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
        head: the output layers.
        seed: seed of initial weights, dropout and shuffling; below 2³².
        encode: the layer that encodes rows instead, for a recipe that is of encoded rows.
        verbose: Keras' setting of its progress bar.
        callbacks: Keras callbacks besides early stopping; they must draw no random numbers.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    parts = _parts(recipe, training.features, imputed, encode, head, seed)
    steps = recipe.epochs * -(-len(training) // recipe.batch)
    parts.head.compile(
        optimizer=recipe.make_optimizer(steps),
        loss=head.loss,
        metrics=head.metrics,
    )
    parts.head.fit(
        *_arrays(parts, training, head),
        validation_data=_arrays(parts, validation, head),
        batch_size=recipe.batch,
        epochs=recipe.epochs,
        callbacks=[*_callbacks(recipe, head.monitor), *callbacks],
        verbose=verbose,
    )
    if recipe.average is not None:
        parts.head.optimizer.finalize_variable_values(parts.head.trainable_variables)
    return with_monte_carlo(head.finished(parts.model))


def _parts(
    recipe: Recipe,
    rows: Floats,
    imputed: Sequence[float | None],
    encode: Encode | None,
    head: Head,
    seed: int,
) -> Parts:
    if recipe.network is not None:
        assert isinstance(head, ClassHead)  # noqa: S101 - such networks are for classes
        return recipe.network.build(rows, imputed, head.classes, seed)
    derived = [] if recipe.features is None else [recipe.features()]
    prepared = [Impute(imputed, name="impute"), *derived] if encode is None else [encode]
    model = build(recipe.architecture, rows, prepared, head, seed, recipe.scaling)
    return Parts(model, stem=None, head=model)


def _callbacks(recipe: Recipe, monitor: str) -> list[keras.callbacks.Callback]:
    """Return early stopping; nothing for averaged weights, which are used after the last epoch."""
    if recipe.average is not None:
        return []
    return [
        keras.callbacks.EarlyStopping(
            monitor, mode="min", patience=recipe.patience, restore_best_weights=True
        )
    ]


def _arrays(parts: Parts, rows: Rows, head: Head) -> tuple[Any, np.ndarray]:
    """Return inputs and truth of the trained head; the fixed stem's output is computed once."""
    if parts.stem is None:
        return rows.features.astype(np.float32), head.truth(rows)
    made = parts.stem.predict(rows.features, batch_size=STEM_ROWS, verbose=0)
    return [values.astype(np.float32) for values in made], head.truth(rows)
