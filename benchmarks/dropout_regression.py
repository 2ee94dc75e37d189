"""Trains the regression networks of Gal & Ghahramani (2016) in plain Keras, side by side.

As in the authors' published code: one hidden layer of rectified units, dropout before it and before
the output, in training and prediction alike; inputs and target standardised by the fitted rows;
squared error, an L2 penalty of both kernels of l² (1 − p) / (2 N τ), Adam with Keras' defaults,
batches of 128; the grids of the rate p and the precision τ; the last fifth of the shuffled training
part to choose both by log-likelihood, then a new network for the whole training part; and the log
density of a target, the logsumexp over the passes of normal densities with precision τ. Epochs are
the 4,000 of the logs that have the published figures, although the page about them says 400.

The networks of all splits and settings are trained in one graph, on batches of the same places; as
neither loss nor optimiser mixes them, each is trained as if it were alone. The choice takes 1,000
passes instead of 10,000.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import logsumexp

from dubito.training.data import NumberRows
from dubito.training.split import Split
from dubito.types import Floats, Indices

RATES = (0.005, 0.01, 0.05, 0.1)
UNITS = 50
LENGTH_SCALE = 1e-2
EPOCHS = 4000
BATCH = 128
SEARCH_PASSES = 1000
PASSES = 10_000
CHUNK = 1 << 18
"""Most rows of all networks together that are predicted at a time, which bounds the memory."""

Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Score:
    """Root mean squared error and mean log density of held-out rows, in the target's unit."""

    rmse: float
    log_likelihood: float


@dataclass(frozen=True, slots=True)
class Network:
    """One network to train: its rows and its setting."""

    fit: Indices
    held_out: Indices
    rate: float
    precision: float
    """Precision τ of the noise, in the target's unit."""

    @property
    def penalty(self) -> float:
        """Factor of the L2 penalty."""
        return LENGTH_SCALE**2 * (1 - self.rate) / (2 * len(self.fit) * self.precision)


@dataclass(frozen=True, slots=True)
class Scaled:
    """Rows of `M` networks, each standardised by the rows it is fitted to."""

    inputs: Singles
    """`(M, N, F)`, of the fitted rows."""
    targets: Singles
    """`(M, N)`, of the fitted rows."""
    held_out: Singles
    """`(M, R, F)` inputs."""
    means: Floats
    stds: Floats
    """`(M, 1)` each, of the fitted targets."""

    @classmethod
    def of(cls, rows: NumberRows, networks: Sequence[Network]) -> "Scaled":
        """Take the rows of each network; all have equally many."""
        fit = np.stack([network.fit for network in networks])
        held_out = np.stack([network.held_out for network in networks])
        inputs, targets = rows.features[fit], rows.values[fit]
        center, spread = inputs.mean(axis=1, keepdims=True), inputs.std(axis=1, keepdims=True)
        spread[spread == 0] = 1
        means, stds = targets.mean(axis=1, keepdims=True), targets.std(axis=1, keepdims=True)
        return cls(
            ((inputs - center) / spread).astype(np.float32),
            ((targets - means) / stds).astype(np.float32),
            ((rows.features[held_out] - center) / spread).astype(np.float32),
            means,
            stds,
        )


def paper_scores(
    rows: NumberRows, splits: Sequence[Split], precisions: Sequence[float]
) -> list[Score]:
    """Return the test scores of the splits, which have parts of the same sizes."""
    grid = list(product(RATES, precisions))
    searched = [
        Network(split.fit, split.validation, *setting) for split in splits for setting in grid
    ]
    scores = iter(_scores(rows, searched, SEARCH_PASSES))
    chosen = []
    for split in splits:
        found = [next(scores).log_likelihood for _ in grid]
        whole = np.concatenate([split.fit, split.validation])
        chosen.append(Network(whole, split.test, *grid[int(np.argmax(found))]))
    return _scores(rows, chosen, PASSES)


def _scores(rows: NumberRows, networks: Sequence[Network], passes: int) -> list[Score]:
    """Train networks and score each on its held-out rows, in the order of the networks."""
    order = sorted(range(len(networks)), key=lambda index: networks[index].rate)
    by_rate = [networks[index] for index in order]
    scaled = Scaled.of(rows, by_rate)
    keras.utils.set_random_seed(0)
    model = _build(by_rate, scaled.inputs.shape[2])
    _train(model, scaled)
    draws = _draws(model, scaled.held_out, passes) * scaled.stds + scaled.means
    found = {
        index: _score(draws[:, place], rows.values[network.held_out], network.precision)
        for place, (index, network) in enumerate(zip(order, by_rate, strict=True))
    }
    return [found[index] for index in range(len(networks))]


def _build(networks: Sequence[Network], features: int) -> keras.Model:
    """Build networks, sorted by rate, as one model of inputs `(M, N, F)` and outputs `(M, N)`."""
    rates = [network.rate for network in networks]
    groups = [list(group) for _, group in groupby(networks, lambda network: network.rate)]
    inputs = keras.Input(batch_shape=(len(networks), None, features))
    starts = [rates.index(group[0].rate) for group in groups]
    # Keras does not split at no places.
    parts = keras.ops.split(inputs, starts[1:], axis=0) if starts[1:] else [inputs]
    outputs = [_outputs(part, group) for part, group in zip(parts, groups, strict=True)]
    return keras.Model(inputs, keras.ops.concatenate(outputs, axis=0)[..., 0])


def _outputs(inputs: Any, networks: Sequence[Network]) -> Any:
    """Connect networks of one rate to their inputs."""
    penalty = _penalty([network.penalty for network in networks])
    outputs = inputs
    for units, activation in ((UNITS, "relu"), (1, None)):
        outputs = keras.layers.Dropout(networks[0].rate)(outputs, training=True)
        # Glorot's uniform initializer; Keras' own would take the networks for a filter's width.
        limit = np.sqrt(6 / (outputs.shape[-1] + units))
        outputs = keras.layers.EinsumDense(
            "mnf,mfh->mnh",
            (None, units),
            activation=activation,
            bias_axes="mh",
            kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
            kernel_regularizer=penalty,
        )(outputs)
    return outputs


def _penalty(factors: Sequence[float]) -> Callable[[Any], Any]:
    """Return the L2 penalty of kernels `(M, F, H)`, each with its own factor."""
    scale = np.array(factors, np.float32)[:, None, None]
    return lambda kernels: keras.ops.sum(scale * keras.ops.square(kernels))


def _train(model: keras.Model, scaled: Scaled) -> None:
    """Minimise the sum of the networks' losses."""
    inputs, targets = tf.constant(scaled.inputs), tf.constant(scaled.targets)
    weights, optimizer = model.trainable_variables, keras.optimizers.Adam()
    optimizer.build(weights)
    count = scaled.inputs.shape[1]

    @tf.function
    def epoch(order: Any) -> None:
        for start in range(0, count, BATCH):
            batch = order[start : start + BATCH]
            with tf.GradientTape() as tape:
                errors = model(tf.gather(inputs, batch, axis=1)) - tf.gather(targets, batch, axis=1)
                losses = tf.reduce_mean(tf.square(errors), axis=1)
                loss = tf.reduce_sum(losses) + tf.add_n(model.losses)
            optimizer.apply(tape.gradient(loss, weights), weights)

    random = np.random.default_rng(0)
    for _ in range(EPOCHS):
        epoch(tf.constant(random.permutation(count)))


def _draws(model: keras.Model, inputs: Singles, passes: int) -> Floats:
    """Compute the outputs `(T, M, R)` of the passes over inputs `(M, R, F)`."""
    networks, rows = inputs.shape[:2]
    predict = tf.function(model)

    def chunks() -> Iterator[Floats]:
        most, left = max(1, CHUNK // (networks * rows)), passes
        while left:
            size = min(most, left)
            found = predict(tf.constant(np.tile(inputs, (1, size, 1)))).numpy()
            yield np.moveaxis(found.reshape(networks, size, rows), 1, 0).astype(np.float64)
            left -= size

    return np.concatenate(list(chunks()))


def _score(draws: Floats, values: Floats, precision: float) -> Score:
    """Score passes `(T, R)` against the true values `(R,)`."""
    rmse = np.sqrt(np.mean(np.square(draws.mean(axis=0) - values)))
    exponents = logsumexp(-precision / 2 * np.square(values - draws), axis=0) - np.log(len(draws))
    densities = exponents + (np.log(precision) - np.log(2 * np.pi)) / 2
    return Score(float(rmse), float(densities.mean()))
