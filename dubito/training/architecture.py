"""Multilayer perceptrons of the study: hyperparameters to an untrained Keras model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from dubito.layers.impute import Impute
from dubito.types import Floats

Placement = Literal["every", "hidden", "output"]

INITIALIZERS = {"relu": keras.initializers.HeNormal, "selu": keras.initializers.LecunNormal}
"""Kernel initializers by activation (He et al. 2015; Klambauer et al. 2017); Glorot's uniform
initializer for the other activations."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Hyperparameters of a network's hidden part; the defaults are the study's own network."""

    widths: tuple[int, ...] = (16, 16)
    activation: str = "relu"
    rate: float = 0.4
    """Probability of dropping a unit."""
    placement: Placement = "every"
    """Position of dropout: before every Dense layer, before every Dense layer but the first, or
    only before the output layer."""
    batch_norm: bool = False
    residual: bool = False
    """Whether every hidden layer after the first adds its output to its input."""
    l1: float = 0.0
    """Factor of the L1 penalty on the hidden kernels."""
    l2: float = 0.0
    """Factor of the L2 penalty on the hidden kernels."""

    def __post_init__(self) -> None:
        """Check that a network with these hyperparameters can be built.

        Raises:
            ValueError: no width, a rate outside (0, 1), or residual layers of unequal widths.
        """
        if not self.widths or not 0 < self.rate < 1:
            raise ValueError("a network needs a hidden layer and a dropout rate between 0 and 1")
        if self.residual and len(set(self.widths)) > 1:
            raise ValueError("residual layers have one common width")


def build(
    architecture: Architecture,
    rows: Floats,
    imputed: Sequence[float | None],
    classes: int,
    features: keras.layers.Layer | None = None,
    seed: int = 0,
) -> keras.Model:
    """Build an untrained classifier of raw rows, normalised on `rows`, with Keras' plain dropout.

    Plain dropout is active in training steps and inactive in validation;
    `dubito.training.monte_carlo` replaces it by Monte-Carlo layers after training.

    Args:
        architecture: hyperparameters of the hidden part.
        rows: `(N, F)` training rows; NaN only where `imputed` has a value.
        imputed: for each of the `F` columns, the value that replaces a missing one, or None.
        classes: number of classes.
        features: a layer of domain features between the imputed rows and the normalisation.
        seed: seed of the initial weights and of dropout; the global Keras seed is not touched.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(4 * len(architecture.widths) + 8))
    builder = _Builder(architecture, (int(value) for value in seeds))
    inputs = keras.Input((rows.shape[1],), name="features")
    prepared = [Impute(imputed, name="impute"), *([] if features is None else [features])]
    outputs, values = inputs, rows.astype(np.float32)
    for layer in prepared:
        outputs, values = layer(outputs), layer(values)
    normalization = adapted(np.asarray(values))
    outputs = builder.hidden(normalization(outputs))
    return keras.Model(inputs, builder.output(outputs, classes), name="classifier")


def adapted(values: NDArray[np.float32]) -> keras.layers.Normalization:
    """Return a normalisation fitted to `values` `(N, F)` that does not scale constant columns.

    Keras divides a column without variance by its epsilon, 1e-7, so the first row with a different
    value in it would swamp all other features.
    """
    layer = keras.layers.Normalization(name="normalization")
    layer.adapt(values)
    variance = np.asarray(layer.adapt_variance)
    varies = np.ptp(values, axis=0) > 0
    layer.adapt_variance.assign(np.where(varies.reshape(variance.shape), variance, 1))
    layer.finalize_state()
    return layer


class _Builder:
    """Adds the layers that an architecture describes, each under a unique name."""

    def __init__(self, architecture: Architecture, seeds: Iterator[int]) -> None:
        self.architecture = architecture
        self.seeds = seeds

    def hidden(self, outputs: Any) -> Any:
        for at, width in enumerate(self.architecture.widths):
            added = self.dense(self.dropped(outputs, at), width, at)
            if self.architecture.residual and at:
                outputs = keras.layers.Add(name=f"sum_{at}")([outputs, added])
            else:
                outputs = added
        return outputs

    def output(self, outputs: Any, classes: int) -> Any:
        initializer = keras.initializers.GlorotNormal(seed=next(self.seeds))
        last = keras.layers.Dense(
            classes, activation="softmax", kernel_initializer=initializer, name="grades"
        )
        return last(self.dropout("dropout_grades")(outputs))

    def dense(self, outputs: Any, width: int, at: int) -> Any:
        chosen = self.architecture
        initializer = INITIALIZERS.get(chosen.activation, keras.initializers.GlorotUniform)
        layer = keras.layers.Dense(
            width,
            activation=None if chosen.batch_norm else chosen.activation,
            kernel_initializer=initializer(seed=next(self.seeds)),
            kernel_regularizer=self.penalty(),
            name=f"hidden_{at}",
        )
        if not chosen.batch_norm:
            return layer(outputs)
        normalized = keras.layers.BatchNormalization(name=f"batch_norm_{at}")(layer(outputs))
        return keras.layers.Activation(chosen.activation, name=f"activation_{at}")(normalized)

    def penalty(self) -> keras.regularizers.Regularizer | None:
        chosen = self.architecture
        if chosen.l1 and chosen.l2:
            return keras.regularizers.L1L2(chosen.l1, chosen.l2)
        if chosen.l1:
            return keras.regularizers.L1(chosen.l1)
        return keras.regularizers.L2(chosen.l2) if chosen.l2 else None

    def dropped(self, outputs: Any, at: int) -> Any:
        everywhere = self.architecture.placement == "every"
        inside = self.architecture.placement == "hidden" and at > 0
        return self.dropout(f"dropout_{at}")(outputs) if everywhere or inside else outputs

    def dropout(self, name: str) -> keras.layers.Layer:
        selu = self.architecture.activation == "selu"
        kind = keras.layers.AlphaDropout if selu else keras.layers.Dropout
        return kind(self.architecture.rate, seed=next(self.seeds), name=name)
