"""Multilayer perceptrons: hyperparameters to an untrained Keras model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from dubito.layers.encode import Encode
from dubito.layout import Scaling
from dubito.numerics.encoding import MISSING, PIECE, SLOT
from dubito.training.heads import Head
from dubito.types import Booleans, Floats

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
    alike: bool = False
    """Whether the output layer has the activation, the initial weights and the penalty of the
    hidden layers."""

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
    prepared: Sequence[keras.layers.Layer],
    head: Head,
    seed: int = 0,
    scaling: Scaling = "standard",
) -> keras.Model:
    """Build an untrained network of raw rows, scaled as `rows` are, with Keras' plain dropout.

    Plain dropout is active in training steps and inactive in validation;
    `dubito.training.monte_carlo` replaces it by Monte-Carlo layers after training.

    Args:
        architecture: hyperparameters of the hidden part.
        rows: `(N, F)` training rows; NaN only where `prepared` replaces it.
        prepared: layers between the rows and the normalisation.
        head: the output layers.
        seed: seed of the initial weights and of dropout; the global Keras seed is not touched.
        scaling: whether columns are standardised, or divided by their mean.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(4 * len(architecture.widths) + 8))
    builder = _Builder(architecture, (int(value) for value in seeds))
    inputs = keras.Input((rows.shape[1],), name="features")
    outputs, values = inputs, rows.astype(np.float32)
    for layer in prepared:
        outputs, values = layer(outputs), layer(values)
    values, flags = np.asarray(values), _flags(prepared)
    scale = adapted(values, flags) if scaling == "standard" else divided(values)
    outputs = builder.hidden(scale(outputs))
    model = keras.Model(inputs, builder.output(outputs, head), name="classifier")
    if flags:
        _silence(model, np.ptp(values, axis=0) == 0)
    return model


def _silence(model: keras.Model, unseen: Booleans) -> None:
    """Start without weights for inputs that no row has, which training would leave at random."""
    kernel = model.get_layer("hidden_0").kernel
    kernel.assign(np.where(unseen[:, None], 0, np.asarray(kernel)))


def divided(values: NDArray[np.float32]) -> keras.layers.Rescaling:
    """Return a layer that divides columns of `values` `(N, F)` by their mean, if it is not 0."""
    means = values.mean(axis=0, dtype=np.float64)
    factors = np.where(means == 0, 1, 1 / np.where(means == 0, 1, means))
    return keras.layers.Rescaling(factors.tolist(), [0.0] * len(factors), name="scaling")


def adapted(values: NDArray[np.float32], flags: Sequence[int] = ()) -> keras.layers.Normalization:
    """Return a normalisation fitted to `values` `(N, F)` that does not scale constant columns.

    Keras divides a column without variance by its epsilon, 1e-7, so the first row with a different
    value in it would swamp all other features. For the same reason the columns `flags`, which are 0
    or 1 and may hardly ever be 1, are left as they are.
    """
    layer = keras.layers.Normalization(name="normalization")
    layer.adapt(values)
    mean, variance = np.asarray(layer.adapt_mean).copy(), np.asarray(layer.adapt_variance)
    is_scaled = np.ptp(values, axis=0) > 0
    is_scaled[list(flags)] = False
    mean[..., list(flags)] = 0
    layer.adapt_mean.assign(mean)
    layer.adapt_variance.assign(np.where(is_scaled.reshape(variance.shape), variance, 1))
    layer.finalize_state()
    return layer


def _flags(prepared: Sequence[keras.layers.Layer]) -> list[int]:
    """Return the columns that are 0 or 1 because a layer has encoded them so."""
    encode = prepared[-1] if prepared else None
    if not isinstance(encode, Encode):
        return []
    return np.flatnonzero(np.isin(encode.formula.modes, (MISSING, SLOT, PIECE))).tolist()


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

    def output(self, outputs: Any, head: Head) -> Any:
        first = keras.initializers.GlorotNormal(seed=next(self.seeds))
        dropped = self.dropout("dropout_grades")(outputs)
        if self.architecture.alike:
            return head.connect(dropped, self.seeded(), self.options())
        others = (keras.initializers.GlorotNormal(seed=seed) for seed in self.seeds)
        return head.connect(dropped, chain([first], others))

    def dense(self, outputs: Any, width: int, at: int) -> Any:
        chosen = self.architecture
        layer = keras.layers.Dense(
            width,
            kernel_initializer=next(self.seeded()),
            name=f"hidden_{at}",
            **self.options(),
        )
        if not chosen.batch_norm:
            return layer(outputs)
        normalized = keras.layers.BatchNormalization(name=f"batch_norm_{at}")(layer(outputs))
        return keras.layers.Activation(chosen.activation, name=f"activation_{at}")(normalized)

    def seeded(self) -> Iterator[keras.initializers.Initializer]:
        """Yield the initializers of hidden layers."""
        kind = INITIALIZERS.get(self.architecture.activation, keras.initializers.GlorotUniform)
        return (kind(seed=seed) for seed in self.seeds)

    def options(self) -> dict[str, Any]:
        """Return what else hidden layers are made with."""
        activation = None if self.architecture.batch_norm else self.architecture.activation
        return {"activation": activation, "kernel_regularizer": self.penalty()}

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
